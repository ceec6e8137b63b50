//! `hftok runner serve` beyond this machine: by TLS, or not at all.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/certificates.rs"]
mod certificates;
#[path = "command/mod.rs"]
mod command;
#[path = "command/runners.rs"]
mod runners;
#[path = "command/worker.rs"]
mod worker;

use std::io::{BufRead as _, BufReader};
use std::process::Command;

use certificates::Certificates;
use command::{Said, hftok_on, said};
use runners::{SERVER, database, runner, serve, token, value};
use worker::Serving;

#[test]
fn nothing_crosses_a_network_without_tls_unless_somebody_says_so() {
    let mut client = database("beyond");
    let open = said(&mut runner("beyond", &["serve", "--listen", "0.0.0.0:0"]), "");
    assert_eq!(open.code, Some(2), "{open:?}");
    assert!(open.err.contains("--insecure-private-network"), "{open:?}");
    let nobody =
        said(&mut hftok_on(&SERVER, "nobody", "beyond", &["runner", "serve", "--listen", "127.0.0.1:0"]), "");
    assert_eq!(nobody.code, Some(3), "{nobody:?}");

    let folder = tempfile::tempdir().expect("a folder");
    let Some(made) = Certificates::make(folder.path(), "DNS:localhost") else {
        println!("skipped: there is no openssl");
        return;
    };
    let (certificate, key) = (made.file("server.crt"), made.file("server.key"));
    let chmod =
        |mode: &str| assert!(Command::new("chmod").args([mode, &key]).status().expect("chmod").success());
    chmod("0644");
    let tls = ["--tls-cert", &certificate, "--tls-key", &key];
    let readable = said(&mut runner("beyond", &[&["serve"], &tls[..]].concat()), "");
    assert!(readable.code == Some(2) && readable.err.contains("chmod 0600"), "{readable:?}");
    chmod("0600");
    let (alice, _) = token(&mut client, "alice");
    let serving = serve("beyond", &tls);
    let got = by_tls(&serving, &alice, &made);
    assert_eq!(got.out.trim(), value(None, 0), "{got:?}");
    let plain = serving.get("/v1/environment", Some(&alice));
    assert!(!plain.2.contains("hf_"), "{plain:?}");
}

/// What a worker gets that trusts this authority alone.
fn by_tls(serving: &Serving, token: &str, authority: &Certificates) -> Said {
    let port = serving.address.rsplit(':').next().expect("a port");
    let url = format!("https://localhost:{port}");
    let mut asked = command::hftok(&["run", "--runner", &url, "--", "printenv", "HF_TOKEN"]);
    said(asked.env("HFTOK_RUNNER_TOKEN", token).env("SSL_CERT_FILE", authority.file("ca.crt")), "")
}

#[test]
fn a_renewed_certificate_is_shown_after_sighup_and_half_of_one_is_not() {
    let mut client = database("renewed");
    let (alice, _) = token(&mut client, "alice");
    let folder = tempfile::tempdir().expect("a folder");
    let made = ["former", "renewed"].map(|name| {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        Certificates::make(&folder, "DNS:localhost")
    });
    let [Some(former), Some(renewed)] = made else {
        println!("skipped: there is no openssl");
        return;
    };
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("runner.crt"), path("runner.key"));
    let put = |from: &Certificates| {
        std::fs::copy(from.file("server.crt"), &certificate).expect("copied");
        std::fs::copy(from.file("server.key"), &key).expect("copied");
    };
    put(&former);
    let mut serving = serve("renewed", &["--tls-cert", &certificate, "--tls-key", &key]);
    let process = serving.child.id();
    let mut told = BufReader::new(serving.child.stderr.take().expect("a pipe"));
    let is_shown = |whose: &Certificates| by_tls(&serving, &alice, whose).code == Some(0);
    assert!(is_shown(&former) && !is_shown(&renewed));

    std::fs::write(&certificate, "-----BEGIN CERTIFICATE-----\n").expect("written");
    hftok_tests::cluster::signal(process, "HUP");
    let mut line = String::new();
    told.read_line(&mut line).expect("a line");
    assert!(line.contains(&certificate), "{line}");
    assert!(is_shown(&former));

    put(&renewed);
    hftok_tests::cluster::signal(process, "HUP");
    hftok_tests::wait_until("the renewed certificate is shown", 20, || is_shown(&renewed));
    assert!(!is_shown(&former));
}
