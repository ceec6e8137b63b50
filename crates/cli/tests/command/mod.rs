//! The command as tests call it: as the account and with the environment that a person would have.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, dead_code, missing_docs)]

use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};

use hftok_tests::cluster::Cluster;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_hftok");

/// The command without a server, and without anything in its environment that a test did not put there.
pub fn hftok(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).args(arguments);
    command
}

/// The command, which finds this server by libpq's environment.
pub fn hftok_on(cluster: &Cluster, user: &str, database: &str, arguments: &[&str]) -> Command {
    let mut command = hftok(arguments);
    command
        .env("PGHOST", cluster.folder())
        .env("PGPORT", "5432")
        .env("PGUSER", user)
        .env("PGDATABASE", database);
    command
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs it with `input` on standard input.
pub fn said(command: &mut Command, input: &str) -> Said {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the command starts");
    // A command that reads nothing may have ended.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// A command that goes on until the test is over.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
