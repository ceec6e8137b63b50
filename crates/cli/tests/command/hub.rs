//! The Hub on loopback (`fixtures/hub`), as tests start it.

#![allow(clippy::expect_used, dead_code, missing_docs)]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;

use hftok_tests::cluster::Cluster;
use tempfile::TempDir;

/// A token that opens all models.
pub const READER: &str = "hf_readerReaderReaderReaderReader0001";
/// A token that the Hub knows, and that opens what is public.
pub const STRANGER: &str = "hf_strangerStrangerStrangerStran0001";
/// A token that the Hub does not know.
pub const WRONG: &str = "hf_wrongWrongWrongWrongWrongWrong001";

/// hftok with a token of each kind, each of the user who is named after it.
pub static SERVER: LazyLock<Cluster> = LazyLock::new(|| {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    for (user, token) in [("reader", READER), ("stranger", STRANGER), ("wrong", WRONG)] {
        client.execute("SELECT hftok.save_hf_token($1, p_user_id => $2)", &[&token, &user]).expect("saved");
    }
    cluster
});

/// A Hub that runs.
#[derive(Debug)]
pub struct Hub {
    /// Its address.
    pub address: String,
    folder: TempDir,
    process: Child,
    // It serves until this ends.
    _input: ChildStdin,
}

impl Hub {
    /// Starts it.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hub/hub.py");
        let mut command = Command::new("python3");
        command
            .arg(script)
            .arg(folder.path().join("log"))
            .env("HUB_READER", READER)
            .env("HUB_STRANGER", STRANGER);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 runs");
        let mut address = String::new();
        let out = process.stdout.take().expect("a pipe");
        BufReader::new(out).read_line(&mut address).expect("its address");
        let input = process.stdin.take().expect("a pipe");
        Self { address: address.trim().to_owned(), folder, process, _input: input }
    }

    /// What was asked so far: method, path and who asked, a line a request.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("a log")
    }

    /// An empty folder for the files of a client.
    pub fn home(&self) -> PathBuf {
        tempfile::Builder::new().tempdir_in(self.folder.path()).expect("a folder").keep()
    }

    /// The folder in which all of this is.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Points the Hub's clients here.
    pub fn lead(&self, command: &mut Command) {
        command
            .env("HF_ENDPOINT", &self.address)
            .env("HF_HOME", self.home())
            .env("HF_HUB_DISABLE_XET", "1")
            .env("HF_HUB_DISABLE_TELEMETRY", "1")
            .env("no_proxy", "127.0.0.1");
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
