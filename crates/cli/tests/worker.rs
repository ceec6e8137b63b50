//! A worker's entry script as a container starts it: its token is looked at before the engine starts, and is in nothing that
//! anybody reads.
//!
//! The engine is its command line, and the real Hub client (`fixtures/engine`); HFTOK_HUB_PYTHONS names the interpreters that
//! have one, separated by colons.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;
#[path = "command/hub.rs"]
mod hub;
#[path = "command/worker.rs"]
mod serving;

use std::path::{Path, PathBuf};
use std::process::Command;

use command::{PROGRAM, Said, hftok_on, said};
use hftok_tests::answer::one;
use hub::{Hub, READER, SERVER, STRANGER, WRONG};
use serving::Serving;

/// Both engines.
const ENGINES: [&str; 2] = ["sglang", "vllm"];
const START: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../edge/worker/start.sh");
const ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/engine");

/// Interpreters that have a Hub client, each of another major version.
fn pythons() -> Vec<PathBuf> {
    let named = std::env::var_os("HFTOK_HUB_PYTHONS").unwrap_or_default();
    let pythons: Vec<_> = std::env::split_paths(&named).filter(|path| path.is_file()).collect();
    if pythons.is_empty() {
        println!("skipped: HFTOK_HUB_PYTHONS names no interpreter");
    }
    pythons
}

/// Runs the entry script with these variables and nothing else that could name a token; each run has a cache of its own.
fn worker(hub: &Hub, python: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let programs = [Path::new(PROGRAM), python].map(|program| program.parent().expect("a folder").to_owned());
    let path = programs.into_iter().chain([ENGINE, "/usr/bin", "/bin"].map(PathBuf::from));
    let mut command = Command::new(START);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::join_paths(path).expect("a path"))
        .env("PYTHONPATH", ENGINE)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("HOME", hub.home())
        .envs(variables.iter().copied());
    hub.lead(&mut command);
    said(&mut command, "")
}

/// Every engine, with every version of the Hub's client.
fn each(try_one: impl Fn(&Hub, &Path, &str)) {
    for python in pythons() {
        let hub = Hub::start();
        for engine in ENGINES {
            try_one(&hub, &python, engine);
        }
    }
}

/// The engine ran, and has the model.
#[track_caller]
fn assert_serves(said: &Said, model: &str) {
    let words = format!("engine: serves {model} config.json model.safetensors");
    assert!(said.code == Some(0) && said.out.contains(&words), "{said:?}");
}

/// The engine did not start, and the message has these words.
#[track_caller]
fn assert_ended(said: &Said, words: &[&str]) {
    assert_eq!(said.code, Some(125), "{said:?}");
    assert!(!said.out.contains("engine:"), "{said:?}");
    for word in words {
        assert!(said.err.contains(word), "{word} is not in {}", said.err);
    }
    for token in [READER, STRANGER, WRONG] {
        assert!(!said.err.contains(token) && !said.out.contains(token), "{said:?}");
    }
}

#[test]
fn a_public_model_needs_no_token() {
    each(|hub, python, engine| {
        // A form sends what was left empty.
        let variables = [
            ("MODEL_NAME", "hftok-test/public"),
            ("HF_TOKEN", ""),
            ("HFTOK_RUNNER_URL", ""),
            ("MAX_MODEL_LEN", ""),
        ];
        let said = worker(hub, python, &[engine], &variables);
        assert_serves(&said, "hftok-test/public");
        assert!(said.out.contains("engine: variables\n"), "{said:?}");
        assert!(hub.log().lines().all(|line| line.ends_with(" nobody")), "{}", hub.log());
    });
}

#[test]
fn gated_and_private_models_are_opened_by_the_token_that_was_typed() {
    each(|hub, python, engine| {
        for model in ["hftok-test/gated", "hftok-test/private"] {
            let said = worker(hub, python, &[engine], &[("MODEL_NAME", model), ("HF_TOKEN", READER)]);
            assert_serves(&said, model);
            assert!(said.out.contains("engine: variables HF_TOKEN\n"), "{said:?}");
            assert!(!said.err.contains(READER) && !said.out.contains(READER), "{said:?}");
        }
    });
}

#[test]
fn a_bad_token_ends_the_start_before_the_engine() {
    each(|hub, python, engine| {
        let start =
            |model, token| worker(hub, python, &[engine], &[("MODEL_NAME", model), ("HF_TOKEN", token)]);
        assert_ended(&start("hftok-test/gated", WRONG), &["HF_TOKEN"]);
        // The Hub refuses a bad token for public models, too.
        assert_ended(&start("hftok-test/public", WRONG), &["HF_TOKEN"]);
        assert_ended(&start("hftok-test/gated", STRANGER), &["hftok-test/gated", "gated"]);
        assert_ended(&start("hftok-test/private", STRANGER), &["hftok-test/private"]);
        assert_ended(&start("hftok-test/gated", ""), &["hftok-test/gated", "token"]);
        assert!(!hub.log().contains("/resolve/"), "{}", hub.log());
    });
}

#[test]
fn the_runner_service_gives_the_token_for_which_nobody_typed_one() {
    let arguments = ["runner", "serve", "--listen", "127.0.0.1:0"];
    let serving = Serving::start(&mut hftok_on(&SERVER, "postgres", "app", &arguments));
    let url = format!("http://{}", serving.address);
    let mut client = SERVER.client("postgres", "app");
    let mut token_of = |user: &str| -> (String, String) {
        let made = "SELECT t.token, t.id::text FROM hftok.create_runner_token('gpu', '{huggingface}', $1) t";
        let row = client.query_one(made, &[&user]).expect("made");
        (row.get(0), row.get(1))
    };
    let (readers, id) = token_of("reader");
    let wrongs = token_of("wrong").0;
    let start = |hub: &Hub, python: &Path, engine: &str, token: &str| {
        let variables = [
            ("MODEL_NAME", "hftok-test/gated"),
            ("HF_TOKEN", ""),
            ("HFTOK_RUNNER_URL", url.as_str()),
            ("HFTOK_RUNNER_TOKEN", token),
        ];
        worker(hub, python, &[engine], &variables)
    };
    each(|hub, python, engine| {
        let said = start(hub, python, engine, &readers);
        assert_serves(&said, "hftok-test/gated");
        // The engine has the token, and nothing that gives further ones.
        let variables = said.out.lines().find(|line| line.starts_with("engine: variables"));
        assert!(
            variables.is_some_and(|line| !line.contains("RUNNER_TOKEN") && line.contains(" HF_TOKEN")),
            "{said:?}"
        );
        assert!(!said.err.contains(READER) && !said.out.contains(READER), "{said:?}");
        assert_ended(&start(hub, python, engine, &wrongs), &["HF_TOKEN"]);
    });
    let mut client = SERVER.client("postgres", "app");
    assert!(one::<bool>(&mut client, "SELECT hftok.revoke_runner_token($1::text::uuid)", &[&id]));
    each(|hub, python, engine| {
        let said = start(hub, python, engine, &readers);
        assert_ended(&said, &["no runner token", &serving.address]);
        assert!(!said.err.contains("hftok_runner_"), "{said:?}");
    });
    let (code, said) = serving.stop();
    assert_eq!((code, said.as_str()), (Some(0), ""));
    each(|hub, python, engine| assert_ended(&start(hub, python, engine, &wrongs), &[&url]));
}

#[test]
fn the_engine_gets_what_the_form_says_and_nothing_that_was_left_empty() {
    each(|hub, python, engine| {
        let further = if engine == "vllm" { "--max-num-seqs 4" } else { "--max-running-requests 4" };
        let variables = [
            ("MODEL_NAME", "hftok-test/public"),
            ("MODEL_REVISION", "main"),
            ("PORT", "8080"),
            ("MAX_MODEL_LEN", "4096"),
            ("TENSOR_PARALLEL_SIZE", "2"),
            ("TRUST_REMOTE_CODE", "true"),
            ("ENGINE_ARGUMENTS", further),
        ];
        let said = worker(hub, python, &[engine], &variables);
        assert!(said.out.contains(&format!("engine: {engine} 0.0.0.0 8080 4096 2 4\n")), "{said:?}");
        assert_serves(&said, "hftok-test/public");
    });
}

#[test]
fn another_program_keeps_its_exit_code_and_its_arguments() {
    let Some(python) = pythons().into_iter().next() else { return };
    let hub = Hub::start();
    let said = worker(
        &hub,
        &python,
        &["--", "sh", "-c", "printf '%s|' \"$@\"; exit 7", "sh", "--model", "a b", "*"],
        &[],
    );
    assert_eq!((said.code, said.out.as_str()), (Some(7), "--model|a b|*|"), "{said:?}");
}

/// Arguments, variables, and what is said.
type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static str);

#[test]
fn what_cannot_be_meant_is_refused_before_anybody_is_asked() {
    let Some(python) = pythons().into_iter().next() else { return };
    let hub = Hub::start();
    let cases: [Case; 7] = [
        (&[], &[], "start vllm"),
        (&["vllm"], &[], "MODEL_NAME is not set"),
        (&["vllm"], &[("MODEL_NAME", "--help")], "MODEL_NAME begins with a dash"),
        (&["triton"], &[("MODEL_NAME", "a/b")], "there is no engine triton"),
        (&["vllm", "more"], &[("MODEL_NAME", "a/b")], "ENGINE_ARGUMENTS"),
        (
            &["vllm"],
            &[("MODEL_NAME", "a/b"), ("HF_TOKEN", "{{ RUNPOD_SECRET_hf }}")],
            "HF_TOKEN refers to a RunPod secret",
        ),
        (&["vllm"], &[("MODEL_NAME", "a/b"), ("HFTOK_RUNNER_TOKEN", "x")], "but not HFTOK_RUNNER_URL"),
    ];
    for (arguments, variables, words) in cases {
        let said = worker(&hub, &python, arguments, variables);
        assert_eq!(said.code, Some(2), "{arguments:?} {variables:?} {said:?}");
        assert!(said.err.contains(words), "{said:?}");
    }
    assert_eq!(hub.log(), "");
}
