//! Completions and pages of `man`, held against the shells and `man` themselves where they are there.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use command::{hftok, said};

/// The commands that `hftok --help` lists, `help` not counted.
fn commands() -> BTreeSet<String> {
    let help = said(&mut hftok(&["--help"]), "").out;
    let listed = help.split("Commands:\n").nth(1).expect("commands").split("\n\n").next().expect("a part");
    // A name stands two spaces in; what goes on in the next line further in.
    let names =
        listed.lines().filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_command_has_a_page_of_man_and_an_example() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("man1");
    let made = said(&mut hftok(&["man", path.to_str().expect("text")]), "");
    assert_eq!(made.code, Some(0), "{made:?}");
    for name in commands() {
        let page = fs::read_to_string(path.join(format!("hftok-{name}.1")))
            .unwrap_or_else(|_| panic!("a page of {name}"));
        let group = page.contains("SUBCOMMANDS");
        assert!(group || page.contains("Example"), "the page of {name} shows no example");
    }
    if Command::new("man").arg("--version").output().is_ok() {
        let warned = said(
            Command::new("man").args(["--warnings", "-l"]).arg(path.join("hftok.1")).env("MANPAGER", "cat"),
            "",
        );
        assert_eq!((warned.code, warned.err.as_str()), (Some(0), ""));
    }
}

#[test]
fn bash_completes_every_command() {
    let script = said(&mut hftok(&["completions", "bash"]), "").out;
    let ask = format!(
        "{script}\nCOMP_WORDS=(hftok ''); COMP_CWORD=1; _hftok hftok '' hftok; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let completed = said(Command::new("bash").args(["-c", &ask]), "");
    let completed: BTreeSet<String> = completed.out.lines().map(str::to_owned).collect();
    for name in commands() {
        assert!(completed.contains(&name), "{name} in {completed:?}");
    }
}

#[test]
fn zsh_and_fish_accept_their_completions() {
    for (shell, check) in [("zsh", "-n"), ("fish", "--no-execute")] {
        let script = said(&mut hftok(&["completions", shell]), "");
        assert_eq!(script.code, Some(0), "{script:?}");
        if Command::new(shell).arg("--version").output().is_err() {
            println!("skipped: there is no {shell} here");
            continue;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("script");
        fs::write(&file, script.out).expect("written");
        let read = said(Command::new(shell).arg(check).arg(&file), "");
        assert_eq!((read.code, read.err.as_str()), (Some(0), ""), "{shell}");
    }
}
