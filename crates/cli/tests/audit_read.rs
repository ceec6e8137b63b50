//! `hftok audit tail` and `search`.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use command::{Running, Said, hftok_on, said};
use hftok_tests::answer::{create, one, refused};
use hftok_tests::audit::{TOKEN, global_token, resolve, settled};
use hftok_tests::cluster::Cluster;
use serde_json::Value;

/// Runs `hftok audit …` as an auditor.
fn audit(cluster: &Cluster, arguments: &[&str]) -> Said {
    said(&mut hftok_on(cluster, "auditor", "app", &[&["audit"], arguments].concat()), "")
}

/// The events of an answer.
#[track_caller]
fn found(said: &Said) -> Vec<Value> {
    assert_eq!(said.code, Some(0), "{said:?}");
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"))
}

#[test]
fn an_auditor_finds_and_follows_events() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client.batch_execute("CREATE ROLE auditor LOGIN IN ROLE hftok_auditor").expect("a role");
    let id = global_token(&mut client);
    resolve(&mut client, "alice").expect("a token");
    resolve(&mut client, "bob\u{202e}").expect("a token");
    create(&mut client, "name", "a value");
    refused(client.query_one("SELECT hftok.get_secret('absent')", &[]), "PT404");
    settled(&mut client);

    let search = |arguments: &[&str]| found(&audit(&cluster, &[&["search", "--json"], arguments].concat()));
    let alice = search(&["--user", "alice"]);
    assert!(alice.len() == 1 && alice[0]["kind"] == "reveal", "{alice:?}");
    assert_eq!(search(&["--object", &id.to_string(), "--kind", "change"]).len(), 1);
    assert_eq!(search(&["--kind", "refusal", "--since", "1h", "--role", "postgres"]).len(), 1);
    assert_eq!(search(&["--since", "tomorrow"]), Vec::<Value>::new());
    assert_eq!(search(&["--until", "1h"]), Vec::<Value>::new());
    let two = search(&["--newest", "2"]);
    assert!(two.len() == 2 && two[0]["id"].as_i64() < two[1]["id"].as_i64(), "{two:?}");
    let all = audit(&cluster, &["search"]);
    assert!(
        all.out.contains("alice") && !all.out.contains('\u{202e}') && !all.out.contains(TOKEN),
        "{all:?}"
    );
    let wrong = audit(&cluster, &["search", "--object", "nothing"]);
    assert_eq!(wrong.code, Some(3), "{wrong:?}");
    let nobody = said(&mut hftok_on(&cluster, "postgres", "postgres", &["audit", "search"]), "");
    assert_eq!(nobody.code, Some(3), "no hftok there: {nobody:?}");

    let last: i64 = one(&mut client, "SELECT max(id) FROM hftok.audit_events", &[]);
    let tail = audit(&cluster, &["tail", "-n", "2"]);
    let lines: Vec<&str> = tail.out.lines().collect();
    assert!(lines.len() == 2 && lines[1].starts_with(&format!("{last}  ")), "{tail:?}");

    let mut command = hftok_on(&cluster, "auditor", "app", &["audit", "tail", "-f", "-n", "1", "--json"]);
    let mut following = Running(command.stdout(Stdio::piped()).spawn().expect("it starts"));
    let mut lines = BufReader::new(following.0.stdout.take().expect("a pipe")).lines();
    let mut next = || -> Value {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"))
    };
    assert_eq!(next()["id"].as_i64(), Some(last));
    for user in ["carol", "dave"] {
        resolve(&mut client, user).expect("a token");
        settled(&mut client);
        let event = next();
        assert_eq!(event["actor_user"], user, "{event}");
    }
}
