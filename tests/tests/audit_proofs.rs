//! Proofs as others check them: a script in another language believes each that hftok gives, and nothing that somebody has changed
//! in one. What is not in the log is not found, whatever its number.

use std::fs;
use std::path::Path;
use std::process::Command;

use hftok_tests::answer::{one, put, refused};
use hftok_tests::audit::{global_token, resolve, settled, verified};
use hftok_tests::setup::Setup;
use postgres::Client;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/verify_proof.py");

/// What the script says, or its complaint.
fn check(key: &str, arguments: &[&Path]) -> Result<String, String> {
    let output =
        Command::new("python3").arg("-B").arg(SCRIPT).arg(key).args(arguments).output().expect("python runs");
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    assert!(complaint.starts_with("NOT OK: "), "{complaint}");
    Err(complaint)
}

/// Adds reveals, which lie many in a row, and changes, which do not.
fn events(client: &mut Client, count: usize) {
    for at in 0..count {
        resolve(client, "alice").expect("a token");
        if at % 50 == 0 {
            put(client, &format!("secret {at}"), "a value");
        }
    }
    settled(client);
}

/// The same text with another character at a place.
fn changed(text: &str, at: usize) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] ^= 1;
    String::from_utf8(bytes).ok()
}

#[test]
fn an_event_is_proven_to_whoever_has_the_key() {
    let cluster = Setup::default().start();
    let mut client = cluster.database("app");
    global_token(&mut client);
    events(&mut client, 600);
    let key: String = one(&mut client, "SELECT hftok.audit_public_key()", &[]);
    let count = verified(&mut client);
    assert!(count > 600, "{count}");
    let folder = tempfile::tempdir().expect("a folder");
    let mut numbers: Vec<i64> = (1..=count).step_by(41).chain([255, 256, 257, 512, 513, count]).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let proof_of = |client: &mut Client, number: i64| -> String {
        one(client, "SELECT hftok.audit_proof($1)", &[&number])
    };
    let mut paths = Vec::new();
    let mut expected = Vec::new();
    for number in numbers {
        let path = folder.path().join(number.to_string());
        fs::write(&path, proof_of(&mut client, number)).expect("write");
        let hash: String =
            one(&mut client, "SELECT chain_hash FROM hftok.audit_events WHERE id = $1", &[&number]);
        paths.push(path);
        expected.push(format!("{number} {hash}"));
    }
    let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
    assert_eq!(check(&key, &paths), Ok(expected.join("\n")));

    let proof = fs::read_to_string(paths[9]).expect("a proof");
    let place = folder.path().join("changed");
    for at in (30..proof.len()).step_by(proof.len() / 24).chain([proof.len() - 3, proof.len() - 1]) {
        let Some(other) = changed(&proof, at) else { continue };
        fs::write(&place, other).expect("write");
        check(&key, &[&place]).expect_err(&format!("byte {at} of {proof}"));
    }
    check(&key.replace('+', "x+"), &[paths[0]]).expect_err("the key of another log");

    // Far numbers as near ones, and at once. Each refusal is the next event.
    client.batch_execute("SET statement_timeout = '5 s'").expect("set");
    for number in [i64::MIN, -1, 0, count + 1000, 1 << 62, i64::MAX - 255, i64::MAX - 1, i64::MAX] {
        let answer = client.query_one("SELECT hftok.audit_proof($1)", &[&number]);
        refused(answer, "PT404");
    }
}

#[test]
fn the_log_is_proven_to_have_only_grown() {
    let cluster = Setup::default().start();
    let mut client = cluster.database("app");
    global_token(&mut client);
    let key: String = one(&mut client, "SELECT hftok.audit_public_key()", &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let (head, proof, since) =
        (folder.path().join("head"), folder.path().join("proof"), Path::new("--since"));
    let mut heads: Vec<String> = Vec::new();
    for count in [1, 2, 20, 300, 500] {
        events(&mut client, count);
        heads.push(one(&mut client, "SELECT hftok.audit_head()", &[]));
        for text in &heads {
            fs::write(&head, text).expect("write");
            let grown: String = one(&mut client, "SELECT hftok.audit_consistency($1)", &[text]);
            fs::write(&proof, grown).expect("write");
            let said = check(&key, &[&proof, since, &head]).expect("believed");
            let size = text.lines().nth(1).expect("a size");
            assert!(said.starts_with(&format!("{size} to ")), "{said}");
        }
    }

    let grown: String = one(&mut client, "SELECT hftok.audit_consistency($1)", &[&heads[1]]);
    fs::write(&head, &heads[1]).expect("write");
    for at in (0..grown.len()).step_by(grown.len() / 24).chain([grown.len() - 3, grown.len() - 1]) {
        let Some(other) = changed(&grown, at) else { continue };
        fs::write(&proof, other).expect("write");
        check(&key, &[&proof, since, &head]).expect_err(&format!("byte {at} of {grown}"));
    }
    fs::write(&proof, &grown).expect("write");
    fs::write(&head, &heads[2]).expect("write");
    check(&key, &[&proof, since, &head]).expect_err("the head of another size");
}
