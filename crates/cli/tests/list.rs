//! `hftok list`.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use command::{hftok, hftok_on, said};
use hftok_tests::cluster::Cluster;

const TOKEN: &str = "hf_aliceAliceAliceAliceAliceAlice0001";

#[test]
fn a_list_shows_masks_and_no_value() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client.execute("SELECT hftok.save_hf_token($1, p_user_id => 'alice')", &[&TOKEN]).expect("saved");

    let listed = said(&mut hftok_on(&cluster, "postgres", "app", &["list"]), "");
    assert_eq!((listed.code, listed.err.as_str()), (Some(0), ""));
    assert!(listed.out.contains("user alice") && listed.out.contains('•'), "{listed:?}");
    assert!(!listed.out.contains(TOKEN));

    let json =
        said(&mut hftok_on(&cluster, "postgres", "app", &["list", "--provider", "openai", "--json"]), "");
    assert_eq!(json.out, "[]\n");
}

#[test]
fn without_a_server_the_exit_code_says_so() {
    let listed = said(hftok(&["list"]).env("PGHOST", "/nowhere"), "");
    assert_eq!(listed.code, Some(4), "{listed:?}");
}

#[test]
fn a_label_of_somebody_else_tells_the_terminal_nothing() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let save = "SELECT hftok.save_credential('huggingface', $1, p_user_id => 'mallory', p_label => $2)";
    client.execute(save, &[&TOKEN, &"\u{1b}]0;title\u{7}\u{202e}\u{9b}2J"]).expect("saved");

    let listed = said(&mut hftok_on(&cluster, "postgres", "app", &["list"]), "");
    assert!(listed.out.contains(r"\u{1b}]0;title\u{7}\u{202e}\u{9b}2J"), "{listed:?}");
    let json = said(&mut hftok_on(&cluster, "postgres", "app", &["list", "--json"]), "");
    assert!(json.out.contains(r"\u001b]0;title\u0007\u202e\u009b2J"), "{json:?}");
}
