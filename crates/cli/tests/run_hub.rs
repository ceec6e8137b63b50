//! The real clients of the Hub, started by `hftok run`: public, gated and private models, and nothing of a token anywhere.
//!
//! HFTOK_HUB_PYTHONS names interpreters that have `huggingface_hub`, with colons between them; run.sh installs two versions.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;
#[path = "command/hub.rs"]
mod hub;

use std::path::{Path, PathBuf};
use std::process::Command;

use command::{Said, hftok_on, said};
use hub::{Hub, READER, SERVER, STRANGER, WRONG};

/// Downloads a model, shows what the client makes of it, and the arguments of every process meanwhile.
const DOWNLOAD: &str = r#"
import glob, sys
import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError
try:
    huggingface_hub.auth_check(sys.argv[1])
    huggingface_hub.snapshot_download(sys.argv[1])
    print("downloaded")
except HfHubHTTPError as error:
    print(type(error).__name__, error.response.status_code)
for name in glob.glob("/proc/[0-9]*/cmdline"):
    try:
        sys.stderr.write(open(name, errors="replace").read().replace("\0", " ") + "\n")
    except OSError:
        pass
"#;

fn pythons() -> Vec<PathBuf> {
    let named = std::env::var("HFTOK_HUB_PYTHONS").unwrap_or_default();
    let pythons: Vec<PathBuf> = named.split(':').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    if pythons.is_empty() {
        println!("skipped: HFTOK_HUB_PYTHONS names no interpreter with huggingface_hub");
    }
    pythons
}

/// Runs a program of a client's folder for a user, and looks for tokens in all that it left.
fn client(hub: &Hub, user: &str, more: &[&str], program: &Path, arguments: &[&str]) -> Said {
    let program = program.to_str().expect("a name");
    let line =
        [&["run", "--provider", "huggingface", "--user", user], more, &["--", program], arguments].concat();
    let mut command: Command = hftok_on(&SERVER, "postgres", "app", &line);
    hub.lead(&mut command);
    let got = said(command.current_dir(hub.folder()), "");
    let left =
        Command::new("grep").args(["-rlE", "hf_(reader|stranger|wrong)[A-Z]"]).arg(hub.folder()).output();
    assert_eq!(String::from_utf8_lossy(&left.expect("grep runs").stdout), "", "a token in a file");
    for token in [READER, STRANGER, WRONG] {
        assert!(!got.out.contains(token) && !got.err.contains(token), "{got:?}");
    }
    got
}

#[test]
fn the_client_opens_what_its_token_opens_and_says_the_rest_in_its_own_errors() {
    let hub = Hub::start();
    for python in pythons() {
        let asks = |user: &str, model: &str| {
            let got = client(&hub, user, &[], &python, &["-c", DOWNLOAD, model]);
            assert_eq!(got.code, Some(0), "{got:?}");
            assert!(got.err.contains(model), "{got:?}");
            got.out.trim().to_owned()
        };
        for (user, public, gated, private) in [
            ("nobody", "downloaded", "GatedRepoError 401", "RepositoryNotFoundError 401"),
            ("reader", "downloaded", "downloaded", "downloaded"),
            ("stranger", "downloaded", "GatedRepoError 403", "RepositoryNotFoundError 404"),
            ("wrong", "HfHubHTTPError 401", "HfHubHTTPError 401", "HfHubHTTPError 401"),
        ] {
            assert_eq!(asks(user, "hftok-test/public"), public, "{user} {python:?}");
            assert_eq!(asks(user, "hftok-test/gated"), gated, "{user} {python:?}");
            assert_eq!(asks(user, "hftok-test/private"), private, "{user} {python:?}");
        }
    }
    assert!(!hub.log().contains("hf_"));
}

#[test]
fn its_command_downloads_and_masks_are_no_hindrance() {
    let hub = Hub::start();
    for python in pythons() {
        for name in ["hf", "huggingface-cli"] {
            let program = python.with_file_name(name);
            if !program.exists() {
                continue;
            }
            let download = ["download", "hftok-test/gated", "config.json"];
            for more in [&[][..], &["--mask"], &["--check", "--model", "hftok-test/gated"]] {
                let got = client(&hub, "reader", more, &program, &download);
                assert!(got.code == Some(0) && got.out.contains("config.json"), "{got:?}");
            }
            let refused =
                client(&hub, "stranger", &["--check", "--model", "hftok-test/gated"], &program, &download);
            assert!(refused.code == Some(125) && refused.err.contains("is gated"), "{refused:?}");
        }
        let whoami = client(&hub, "reader", &[], &python.with_file_name("hf"), &["auth", "whoami"]);
        assert!(whoami.code == Some(0) && whoami.out.contains("reader"), "{whoami:?}");
    }
}
