//! `hftok run --check`: a credential that is not taken, or does not open the model, keeps the command from starting.

#![allow(clippy::expect_used, clippy::panic, missing_docs)]

#[path = "command/mod.rs"]
mod command;
#[path = "command/hub.rs"]
mod hub;

use std::sync::LazyLock;

use command::{Said, hftok, hftok_on, said};
use hub::{Hub, READER, SERVER, STRANGER, WRONG};

static HUB: LazyLock<Hub> = LazyLock::new(Hub::start);

/// `hftok run --check ARGUMENTS -- echo started`, for a user.
fn checked(user: &str, arguments: &[&str]) -> Said {
    let line = ["run", "--check", "--user", user].into_iter().chain(arguments.iter().copied());
    let line: Vec<&str> = line.chain(["--", "echo", "started"]).collect();
    let mut command = hftok_on(&SERVER, "postgres", "app", &line);
    HUB.lead(&mut command);
    said(&mut command, "")
}

fn starts(said: &Said) {
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "started\n", ""), "{said:?}");
}

/// Nothing started, and the message has all of these and no token.
fn refused(said: &Said, words: &[&str]) {
    assert_eq!((said.code, said.out.as_str()), (Some(125), ""), "{said:?}");
    words.iter().for_each(|word| assert!(said.err.contains(word), "{word}: {said:?}"));
    [READER, STRANGER, WRONG].iter().for_each(|token| assert!(!said.err.contains(token), "{said:?}"));
}

#[test]
fn a_token_that_opens_the_model_starts_the_command() {
    starts(&checked("reader", &[]));
    starts(&checked("stranger", &["--model", "hftok-test/public"]));
    starts(&checked("reader", &["--model", "hftok-test/gated"]));
    starts(&checked("reader", &["--model", "hftok-test/private"]));
    starts(&checked("nobody", &["--model", "hftok-test/public"]));
    // A folder is no model of the Hub.
    starts(&checked("nobody", &["--model", "/models/gated"]));
}

#[test]
fn a_wrong_token_is_named_by_its_level_and_its_remedy() {
    let public = ["--model", "hftok-test/public"];
    let got = checked("wrong", &public);
    refused(&got, &["Hugging Face does not know hftok's credential of level user (hf_", "in HF_TOKEN"]);
    refused(&got, &["hftok set --provider huggingface --user wrong"]);
    let mut bare =
        hftok(&["run", "--no-server", "--provider", "huggingface", "--check", "--", "echo", "started"]);
    HUB.lead(&mut bare);
    refused(
        &said(bare.env("HF_TOKEN", WRONG), ""),
        &["the one that the environment has in HF_TOKEN", "settings/tokens"],
    );
}

#[test]
fn a_token_in_the_clients_file_is_asked_about_too() {
    let mut bare = hftok(&["run", "--no-server", "--check", "--", "echo", "started"]);
    HUB.lead(&mut bare);
    let home = HUB.home();
    std::fs::write(home.join("token"), format!("{WRONG}\n")).expect("written");
    refused(&said(bare.env("HF_HOME", home), ""), &["hf auth login"]);
}

#[test]
fn gated_and_private_models_are_told_apart() {
    let gated = ["--model", "hftok-test/gated"];
    refused(&checked("stranger", &gated), &["is gated", "was not granted", "Ask for access at http"]);
    refused(&checked("nobody", &gated), &["is gated, and there is no token", "hftok set"]);
    let private = ["--model", "hftok-test/private"];
    refused(&checked("stranger", &private), &["or it is private", "does not open it"]);
    refused(&checked("nobody", &private), &["or it is private and there is no token"]);
}

#[test]
fn only_a_clear_no_stops_the_command() {
    let mut away = hftok(&["run", "--no-server", "--check", "--", "echo", "started"]);
    HUB.lead(&mut away);
    let got = said(away.env("HF_TOKEN", WRONG).env("HF_ENDPOINT", "http://127.0.0.1:1"), "");
    assert_eq!((got.code, got.out.as_str()), (Some(0), "started\n"), "{got:?}");
    assert!(got.err.contains("goes unchecked"), "{got:?}");
    // Without TLS a token goes nowhere.
    let got = said(away.env("HF_ENDPOINT", "http://192.0.2.1"), "");
    assert!(got.out == "started\n" && got.err.contains("neither https"), "{got:?}");
}
