//! `hftok run --mask`: values are masked, and everything else is as without it: on a terminal, in pipes, by signals.

#![allow(clippy::expect_used, clippy::panic, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use command::{PROGRAM, hftok, said};
use pty_process::Size;
use pty_process::blocking::{Command as OnTerminal, Pty, open};

const TOKEN: &str = "hf_aliceAliceAliceAliceAliceAlice0001";
/// A busy machine may take its time; nothing here waits so long otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// `hftok run --no-server --mask -- ARGUMENTS`, with a token.
fn masked(arguments: &[&str]) -> Command {
    let mut command = hftok(&[&["run", "--no-server", "--mask", "--"], arguments].concat());
    command.env("HF_TOKEN", TOKEN).env("PS1", "$ ").env("TERM", "dumb").env("LC_ALL", "C");
    command
}

/// A person at a terminal.
struct Person {
    terminal: Pty,
    printed: Receiver<Vec<u8>>,
    seen: String,
    child: Child,
}

impl Person {
    fn starts(command: Command) -> Self {
        let (terminal, inside) = open().expect("a terminal");
        terminal.resize(Size::new(33, 101)).expect("a size");
        let child = OnTerminal::from(command).spawn(inside).expect("it starts");
        let (tells, printed) = channel();
        let copy = std::os::fd::AsFd::as_fd(&terminal).try_clone_to_owned().expect("a copy");
        let mut source = std::fs::File::from(copy);
        std::thread::spawn(move || {
            let mut piece = [0; 65536];
            while let Ok(length @ 1..) = source.read(&mut piece) {
                if tells.send(piece[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { terminal, printed, seen: String::new(), child }
    }

    fn types(&mut self, text: &str) {
        (&self.terminal).write_all(text.as_bytes()).expect("typed");
    }

    /// Waits until this is printed, and forgets what was printed up to there.
    #[track_caller]
    fn sees(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(text) {
                return self.seen.drain(..at + text.len()).collect();
            }
            match self.printed.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.seen.push_str(&String::from_utf8_lossy(&piece)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no {text:?} in {:?}", self.seen)
                }
            }
        }
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }
}

/// A shell at which somebody sits. Whoever starts the tests in the background has ^C ignored, and a shell leaves that as it is.
fn shell() -> Command {
    let mut shell = Command::new("env");
    shell.args(["--default-signal=INT,QUIT", "bash", "--norc", "--noediting", "-i"]);
    shell.env("PS1", "$ ").env("TERM", "dumb").env("LC_ALL", "C");
    shell
}

#[test]
fn a_terminal_is_a_terminal() {
    let mut person = Person::starts(masked(&["bash", "--norc", "--noediting", "-i"]));
    person.types(
        "stty size; echo $HF_TOKEN; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && tty && echo all-of-$((40 + 2))\n",
    );
    let seen = person.sees("all-of-42\r\n");
    assert!(seen.contains("33 101\r\n") && seen.contains("[HF_TOKEN]****"), "{seen}");
    assert!(!seen.contains("Alice"), "{seen}");
    person.terminal.resize(Size::new(44, 120)).expect("a size");
    person.types("until [ \"$(stty size)\" = '44 120' ]; do sleep 0.1; done; echo sized-$((1 + 1))\n");
    person.sees("sized-2\r\n");
    person.types("read -rs word; echo read-$word\nquiet\n");
    person.sees("read-quiet\r\n");
    person.types("exit 7\n");
    assert_eq!(person.code(), Some(7));
}

#[test]
fn a_prompt_that_begins_as_a_value_does_is_seen() {
    let mut person =
        Person::starts(masked(&["sh", "-c", "printf 'a path, with h'; read answer; echo got-$answer"]));
    person.sees("a path, with h");
    person.types("it\n");
    person.sees("got-it");
}

#[test]
fn a_job_is_stopped_and_continued_from_the_shell() {
    let mut person = Person::starts(shell());
    person.types(&format!(
        "HF_TOKEN={TOKEN} {PROGRAM} run --no-server --mask -- sh -c 'echo up-$((1 + 1)); exec cat'\n"
    ));
    // A shell that begins a program by vfork cannot be stopped at that moment, with or without hftok; exec is no such moment.
    person.sees("up-2\r\n");
    person.types("\u{1a}");
    person.sees("Stopped");
    // The terminal is the shell's again, and as it was.
    person.types("stty -a | grep -o '[-]*icanon'; jobs | wc -l\n");
    // The prompt may come before what the commands print, or after what was typed ahead of it.
    let seen = person.sees("1\r\n");
    assert!(seen.contains("icanon\r\n") && !seen.contains("-icanon\r\n"), "{seen:?}");
    person.types("fg\n");
    person.sees("cat'\r\n");
    person.types(&format!("typed {TOKEN}\n"));
    person.sees("typed [HF_TOKEN]");
    person.sees("typed [HF_TOKEN]");
    person.types("\u{3}");
    person.sees("$ ");
    person.types("echo code-$?\n");
    person.sees("code-130\r\n");
    person.types("stty -a | grep -o '[-]*icanon'\n");
    let seen = person.sees("icanon\r\n");
    assert!(!seen.ends_with("-icanon\r\n"), "{seen:?}");
}

#[test]
fn without_masks_the_shell_sees_no_difference_either() {
    let mut person = Person::starts(shell());
    person.types(&format!("{PROGRAM} run --no-server -- sh -c 'echo up-$((1 + 1)); exec cat'\n"));
    person.sees("up-2\r\n");
    person.types("\u{1a}");
    person.sees("Stopped");
    person.sees("$ ");
    person.types("fg\n");
    person.sees("cat'\r\n");
    // The shell prints the job before it gives the terminal away; until then ^C is the shell's.
    person.types("typed\n");
    person.sees("typed\r\n");
    person.sees("typed\r\n");
    person.types("\u{3}");
    person.sees("$ ");
    person.types("echo code-$?\n");
    person.sees("code-130\r\n");
}

#[test]
fn pipes_have_all_of_it_in_order() {
    let script = "seq 1 2000000; echo end >&2; echo $HF_TOKEN; echo $HF_TOKEN >&2";
    let got = said(&mut masked(&["sh", "-c", script]), "");
    assert_eq!(got.code, Some(0));
    assert!(got.out.lines().take(2_000_000).enumerate().all(|(at, line)| line == (at + 1).to_string()));
    assert!(!got.out.contains(TOKEN) && got.out.contains("\n[HF_TOKEN]*"));
    assert!(got.err.starts_with("end\n[HF_TOKEN]*") && !got.err.contains(TOKEN));
    // One file behind both streams: one order.
    let line = format!(
        r#"exec {PROGRAM} run --no-server --mask -- sh -c 'for i in $(seq 1 3000); do echo $i; echo $i >&2; done' 2>&1"#
    );
    let mut shell = Command::new("sh");
    let got = said(shell.args(["-c", &line]), "");
    let expected: String = (1..=3000).map(|number| format!("{number}\n{number}\n")).collect();
    assert!(got.out == expected, "{}", got.out.len());
}

#[test]
fn input_exit_codes_and_signals_go_through() {
    assert_eq!(said(&mut masked(&["cat"]), "as it is").out, "as it is");
    assert_eq!(said(&mut masked(&["sh", "-c", "exit 42"]), "").code, Some(42));
    let killed = said(&mut masked(&["sh", "-c", "kill -KILL $$"]), "");
    assert_eq!(killed.code, None, "{killed:?}");
    assert_eq!(said(&mut masked(&["no-such-command"]), "").code, Some(127));
    assert_eq!(said(&mut masked(&["/etc/passwd"]), "").code, Some(126));

    let script = "trap 'echo told; exit 5' TERM; echo ready; while :; do sleep 0.1; done";
    let mut child = masked(&["sh", "-c", script]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut out = child.stdout.take().expect("a pipe");
    let mut ready = [0; 6];
    out.read_exact(&mut ready).expect("ready");
    hftok_tests::cluster::signal(child.id(), "TERM");
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("text");
    assert_eq!((rest.as_str(), child.wait().expect("it ends").code()), ("told\n", Some(5)));
}

#[test]
fn a_reader_that_goes_away_ends_the_command() {
    let line = format!("{PROGRAM} run --no-server --mask -- yes | head -n 2; echo done");
    let mut shell = Command::new("bash");
    assert_eq!(said(shell.args(["-c", &line]), "").out, "y\ny\ndone\n");
}

#[test]
fn a_crash_of_ours_leaves_no_core() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let line = format!(
        "ulimit -c unlimited; exec {PROGRAM} run --no-server --mask -- sh -c 'kill -ABRT $PPID; sleep 0.3'"
    );
    let mut shell = Command::new("bash");
    shell.args(["-c", &line]).env("HF_TOKEN", TOKEN).current_dir(folder.path());
    let got = said(&mut shell, "");
    assert_eq!(got.code, None, "{got:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
