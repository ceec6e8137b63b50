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
