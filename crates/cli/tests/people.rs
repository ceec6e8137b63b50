//! Commands for people: set, list, delete, enable, disable, explain, history, restore.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;
#[path = "command/terminal.rs"]
mod terminal;

use std::process::Command;

use command::{Said, hftok_on, said};
use hftok_tests::cluster::Cluster;
use serde_json::Value;
use terminal::Terminal;

const TOKEN: &str = "hf_aliceAliceAliceAliceAliceAlice0001";
const SECOND: &str = "hf_aliceAliceAliceAliceAliceAlice0002";

/// A server on which `alice` is a user and `backend` the service.
fn server() -> Cluster {
    let cluster = Cluster::start_default();
    let roles = "CREATE ROLE alice LOGIN; GRANT hftok_user TO alice; CREATE ROLE bob LOGIN; GRANT hftok_user TO bob; \
                 CREATE ROLE backend LOGIN; GRANT hftok_service TO backend";
    cluster.database("app").batch_execute(roles).expect("roles");
    cluster
}

/// What a command says to this role.
fn by(cluster: &Cluster, role: &str, arguments: &[&str], input: &str) -> Said {
    let said = said(&mut hftok_on(cluster, role, "app", arguments), input);
    for value in [TOKEN, SECOND] {
        assert!(
            !said.out.contains(value) && !said.err.contains(value),
            "{arguments:?} shows a value: {said:?}"
        );
    }
    said
}

/// What it says, when it succeeds.
fn done(cluster: &Cluster, role: &str, arguments: &[&str], input: &str) -> Said {
    let said = by(cluster, role, arguments, input);
    assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
    said
}

/// The JSON that it answers.
fn json(cluster: &Cluster, role: &str, arguments: &[&str], input: &str) -> Value {
    let line: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&done(cluster, role, &line, input).out).expect("JSON")
}

#[test]
fn a_credential_lives_from_set_to_delete() {
    let cluster = server();
    let saved = done(&cluster, "alice", &["set", "--label", "laptop"], &format!("{TOKEN}\n"));
    assert!(saved.out.starts_with("saved huggingface credential of your own: hf_•"), "{saved:?}");
    assert_eq!(json(&cluster, "alice", &["set", "--expected-version", "1"], SECOND)["version"], 2);
    let late = by(&cluster, "alice", &["set", "--expected-version", "1"], TOKEN);
    assert_eq!(late.code, Some(3), "{late:?}");

    let listed = json(&cluster, "alice", &["list"], "");
    assert_eq!((&listed[0]["scope_id"], &listed[0]["label"]), (&"role:alice".into(), &"laptop".into()));
    assert_eq!(json(&cluster, "bob", &["list"], ""), serde_json::json!([]));

    let history = done(&cluster, "alice", &["history"], "").out;
    assert!(history.contains("2 (current)") && history.lines().count() == 3, "{history}");
    assert_eq!(json(&cluster, "alice", &["restore", "--to", "1"], "")["version"], 3);

    done(&cluster, "alice", &["disable"], "");
    let explained = by(&cluster, "alice", &["explain"], "");
    assert!(explained.code == Some(1) && explained.out.contains("disabled"), "{explained:?}");
    done(&cluster, "alice", &["enable"], "");
    assert!(done(&cluster, "alice", &["explain"], "").out.contains("used"));

    let unasked = by(&cluster, "alice", &["delete"], "");
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    done(&cluster, "alice", &["delete", "--yes"], "");
    for arguments in [&["delete", "--yes"][..], &["history"], &["enable"], &["restore", "--to", "1"]] {
        let gone = by(&cluster, "alice", arguments, "");
        assert_eq!(gone.code, Some(1), "{arguments:?}: {gone:?}");
        assert!(gone.err.contains("there is no huggingface credential of your own"), "{gone:?}");
    }
}

#[test]
fn an_address_never_means_somebody_elses_credential() {
    let cluster = server();
    done(&cluster, "backend", &["set", "--user", "carol"], TOKEN);
    // The service sees it, and nobody said that it is meant.
    let unnamed = by(&cluster, "backend", &["disable"], "");
    assert_eq!(unnamed.code, Some(1), "{unnamed:?}");
    let other_model = by(&cluster, "backend", &["disable", "--user", "carol", "--model", "m"], "");
    assert_eq!(other_model.code, Some(1), "{other_model:?}");
    done(&cluster, "backend", &["disable", "--user", "carol"], "");
    assert_eq!(json(&cluster, "backend", &["list", "--user", "carol"], "")[0]["enabled"], false);

    let id = "0F0E0D0C-0000-4000-8000-00000000ABCD";
    done(
        &cluster,
        "backend",
        &["set", "--org", id, "-p", "openai", "--slot", "b"],
        "sk-proj-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    );
    done(&cluster, "backend", &["history", "--org", id, "-p", "openai", "--slot", "b"], "");
    let two = by(&cluster, "backend", &["set", "--org", "a", "--user", "b"], TOKEN);
    assert_eq!(two.code, Some(2), "{two:?}");
}

#[test]
fn what_is_no_credential_is_refused_without_being_repeated() {
    let cluster = server();
    let wrong = by(&cluster, "alice", &["set"], "Bearer hf_wrongWrongWrongWrongWrongWrong");
    assert_eq!(wrong.code, Some(3), "{wrong:?}");
    assert!(wrong.err.contains("Bearer") && !wrong.err.contains("hf_wrong"), "{wrong:?}");
    let doubtful = done(&cluster, "alice", &["set"], "looks_like_no_token_at_all");
    assert!(doubtful.err.contains("warning: "), "{doubtful:?}");
    let empty = by(&cluster, "alice", &["set"], "\n");
    assert_eq!(empty.code, Some(2), "{empty:?}");
    let as_argument = by(&cluster, "alice", &["set", "hf_argument"], "");
    assert_eq!(as_argument.code, Some(2), "{as_argument:?}");
}

#[test]
fn a_named_secret_is_the_operators() {
    let cluster = server();
    done(&cluster, "backend", &["set", "--name", "smtp", "--description", "mail"], "swordfish-1\n");
    done(&cluster, "backend", &["set", "--name", "smtp"], "swordfish-2");
    let listed = done(&cluster, "backend", &["list", "--secrets"], "").out;
    assert!(listed.contains("smtp") && listed.contains("mail") && !listed.contains("swordfish-"), "{listed}");
    assert_eq!(
        json(&cluster, "backend", &["history", "--name", "smtp"], "").as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(json(&cluster, "backend", &["restore", "--name", "smtp", "--to", "1"], "")["version"], 3);
    let refused = by(&cluster, "alice", &["set", "--name", "smtp"], "mine");
    assert_eq!(refused.code, Some(3), "{refused:?}");
    done(&cluster, "backend", &["delete", "--name", "smtp", "-y"], "");
    assert!(done(&cluster, "backend", &["list", "--providers"], "").out.contains("HF_TOKEN"));
}

#[test]
fn a_prompt_shows_nothing_of_what_is_typed() {
    let cluster = server();
    let at = |arguments: &[&str]| Terminal::start(&hftok_on(&cluster, "alice", "app", arguments));
    let mut set = at(&["set"]);
    set.wait_for("(not shown): ");
    set.type_in(&format!("{TOKEN}\r"));
    let (status, shown) = set.end();
    assert!(status.success() && shown.contains("saved huggingface"), "{shown}");
    assert!(!shown.contains("hf_alice"), "{shown}");

    // Field by field: what is no secret is shown.
    let mut set = at(&["set", "-p", "aws"]);
    set.wait_for("Access key ID: ");
    set.type_in("AKIAABCDEFGHIJKLMNOP\r");
    set.wait_for("Secret access key (not shown): ");
    set.type_in("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\r");
    set.wait_for("Session token (may be empty) (not shown): ");
    set.type_in("\r");
    set.wait_for("Region (may be empty): ");
    set.type_in("eu-central-1\r");
    let (status, shown) = set.end();
    assert!(status.success() && shown.contains("AKIAABCDEFGHIJKLMNOP"), "{shown}");
    assert!(!shown.contains("wJalr"), "{shown}");

    // ^C at the prompt saves nothing, and the terminal is as it was.
    let mut set = at(&["set", "-p", "openai"]);
    set.wait_for("(not shown): ");
    set.type_in("sk-half\u{3}");
    let (status, shown) = set.end();
    assert!(!status.success() && !shown.contains("sk-half"), "{shown}");
    let script = format!("{} set -p openai; stty -a", command::PROGRAM);
    let on_server = hftok_on(&cluster, "alice", "app", &[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).envs(on_server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut shell = Terminal::start(&shell);
    shell.wait_for("(not shown): ");
    shell.type_in("sk-half\u{3}");
    let (_, shown) = shell.end();
    let has = |mode: &str| shown.split_whitespace().any(|word| word == mode);
    assert!(["echo", "icanon", "isig"].into_iter().all(has) && !shown.contains("sk-half"), "{shown}");

    let mut delete = at(&["delete"]);
    delete.wait_for("[y/N] ");
    delete.type_in("n\r");
    assert_eq!(delete.end().0.code(), Some(1));
    let mut delete = at(&["delete"]);
    delete.wait_for("[y/N] ");
    delete.type_in("y\r");
    assert!(delete.end().0.success());
    assert_eq!(json(&cluster, "alice", &["list"], "")[0]["provider"], "aws");
}
