//! `hftok import json`: a file of many credentials, with those that are none, stopped in its middle and read again.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::process::Stdio;

use command::{Said, hftok_on, said};
use hftok_tests::answer::one;
use hftok_tests::cluster::Cluster;
use hftok_tests::wait_until;
use postgres::Client;
use serde_json::Value;

/// Stands in every value.
const CANARY: &str = "jsonCanary";
/// So many rows that an import can be met in its middle.
const MANY: i64 = 1200;

fn with_operator() -> (Cluster, Client) {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client.batch_execute("CREATE ROLE operator LOGIN IN ROLE hftok_admin").expect("a role");
    (cluster, client)
}

fn row(user: i64, value: &str) -> String {
    format!(r#"{{"provider": "huggingface", "secret": "{value}", "user_id": "{user}"}}"#)
}

fn token(number: i64) -> String {
    format!("hf_{CANARY}{number:0>24}")
}

#[track_caller]
fn import(cluster: &Cluster, arguments: &[&str], input: &str) -> Said {
    let arguments = [&["import", "json"], arguments].concat();
    let said = said(&mut hftok_on(cluster, "operator", "app", &arguments), input);
    assert!(!said.out.contains(CANARY) && !said.err.contains(CANARY), "{said:?}");
    said
}

fn saved(client: &mut Client) -> i64 {
    one(client, "SELECT count(*) FROM hftok.credentials", &[])
}

#[test]
fn rows_that_are_none_are_told_by_their_number() {
    let (cluster, mut client) = with_operator();
    let rows = [
        row(1, &token(1)),
        row(2, "changeme"),
        row(1, &token(3)),
        r#"{"provider": "huggingface", "secret": "hf_jsonCanary", "surname": "jsonCanary"}"#.to_owned(),
        r#"{"provider": 5, "secret": "jsonCanary"}"#.to_owned(),
        r#"{"provider": "nobody", "secret": "jsonCanary", "global": true}"#.to_owned(),
        row(7, &token(7)),
    ];
    let list = format!("[{}]", rows.join(",\n"));
    let tried = import(&cluster, &["-", "--dry-run", "--json"], &list);
    assert_eq!((tried.code, saved(&mut client)), (Some(1), 0), "{tried:?}");
    for json in [tried.out, import(&cluster, &["-", "--yes", "--json"], &rows.join("\n")).out] {
        let report: Value = serde_json::from_str(&json).expect("JSON");
        let told: Vec<(&str, &str)> = report["turned_down"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|one| (one["key"].as_str().expect("text"), one["outcome"].as_str().expect("text")))
            .collect();
        // The fifth is turned down before the others are sent.
        let expected =
            [("5", "rejected"), ("2", "rejected"), ("3", "skipped"), ("4", "rejected"), ("6", "rejected")];
        assert_eq!(told, expected, "{report}");
        assert_eq!(report["turned_down"][3]["reason"], "a member that is unknown or of the wrong type");
        assert_eq!(report["rows"], 7);
    }
    assert_eq!(saved(&mut client), 2);
    let held: String = one(&mut client, "SELECT hftok.resolve_hf_token('1')", &[]);
    assert!(held == token(1));

    assert_eq!(import(&cluster, &["-", "--yes", "--replace"], &row(1, &token(9))).code, Some(0));
    let held: String = one(&mut client, "SELECT hftok.resolve_hf_token('1')", &[]);
    assert!(held == token(9));

    let broken = import(&cluster, &["-", "--yes"], "[{\"secret\": jsonCanary}]");
    assert!(broken.code == Some(2) && broken.err.contains("row 1 is no JSON"), "{broken:?}");
}

#[test]
fn a_killed_import_is_done_again_from_the_beginning() {
    let (cluster, mut client) = with_operator();
    let rows: Vec<String> = (0..MANY).map(|number| row(number, &token(number))).collect();
    let file = cluster.write_file("many.json", rows.join("\n"), 0o600);
    let arguments = ["import", "json", file.to_str().expect("text"), "--yes", "--batch=50"];
    let mut command = hftok_on(&cluster, "operator", "app", &arguments);
    // What the first of all saves makes is there.
    client
        .batch_execute(
            "SELECT hftok.save_hf_token('hf_firstFirstFirstFirstFirstFirst0001', p_user_id => '600')",
        )
        .expect("saved");
    client
        .batch_execute("SELECT hftok.delete_credential('huggingface', p_user_id => '600')")
        .expect("deleted");
    // Somebody else saves a value in the middle, and has not committed: there the import waits.
    let mut other = cluster.client("postgres", "app");
    other.batch_execute("BEGIN").expect("begun");
    other.execute("SELECT hftok.save_hf_token($1, p_user_id => '600')", &[&token(600)]).expect("saved");
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    wait_until("the middle of the import", 60, || {
        one::<bool>(&mut client, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)", &[])
    });
    child.kill().expect("killed");
    child.wait().expect("gone");
    other.batch_execute("ROLLBACK").expect("rolled back");
    wait_until("the end of the server's work", 30, || {
        one::<i64>(&mut client, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'operator'", &[]) == 0
    });
    let before = saved(&mut client);
    assert!((100..MANY).contains(&before), "{before}");

    let done = import(&cluster, &[&arguments[2..], &["--json"]].concat(), "");
    assert_eq!(done.code, Some(0), "{}", done.err);
    let report: Value = serde_json::from_str(&done.out).expect("JSON");
    let count = |outcome: &str| {
        let outcomes = report["outcomes"].as_array().expect("outcomes").iter();
        outcomes
            .filter(|one| one["outcome"] == outcome)
            .map(|one| one["rows"].as_i64().expect("a number"))
            .sum::<i64>()
    };
    assert_eq!((count("skipped"), count("imported"), saved(&mut client)), (before, MANY - before, MANY));
    assert!(done.err.contains("still holds all of them in the clear"), "{}", done.err);
}
