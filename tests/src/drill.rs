//! The commands of a document, run as somebody runs them who reads it: block by block, with `sh`, as the server's account.
//!
//! What must stay true: nothing that a block started outlives its drill, since all of it sits in the drill's folder.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use postgres::{Client, Config, NoTls};

use crate::cluster::Cluster;
use crate::setup::run;

/// What a section of a document says to do, with a server to do it to.
pub struct Drill<'a> {
    cluster: &'a Cluster,
    folder: PathBuf,
    variables: Vec<(String, String)>,
    steps: VecDeque<String>,
}

impl<'a> Drill<'a> {
    /// The section of a document in `docs` that has this heading, for the database `app` of a server.
    #[track_caller]
    pub fn of(cluster: &'a Cluster, document: &str, heading: &str) -> Self {
        let mut drill = Self {
            folder: cluster.make_folder("drill"),
            cluster,
            variables: Vec::new(),
            steps: blocks(document, heading, "sh").into(),
        };
        assert!(!drill.steps.is_empty(), "{heading} has no commands");
        let path = std::env::var("PATH").unwrap_or_default();
        for (name, value) in [
            ("PATH", format!("{}:{path}:/usr/sbin", cluster.programs().display())),
            ("PGHOST", cluster.folder().display().to_string()),
            ("PGPORT", "5432".into()),
            ("PGUSER", "postgres".into()),
            ("PGDATABASE", "app".into()),
            ("PRIMARY", cluster.data().display().to_string()),
            ("KEYRING", cluster.keyring().display().to_string()),
            ("DRILL", drill.folder.display().to_string()),
        ] {
            drill.set(name, &value);
        }
        drill
    }

    /// Gives a variable of the document a value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.into(), value.into()));
    }

    /// The value that a variable of the document has.
    pub fn variable(&self, name: &str) -> &str {
        let last = self.variables.iter().rev().find(|(known, _)| known == name);
        last.map_or("", |(_, value)| value)
    }

    /// The folder in which the drill puts what it makes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs the next block, and gives what it printed.
    #[track_caller]
    pub fn step(&mut self) -> String {
        self.step_and("")
    }

    /// The same, with commands of the test's own behind those of the block.
    #[track_caller]
    pub fn step_and(&mut self, more: &str) -> String {
        let step = self.steps.pop_front().expect("the document has one more step");
        run(&mut self.command(&format!("{step}\n{more}")))
    }

    /// Leaves the next block out.
    #[track_caller]
    pub fn skip(&mut self) {
        self.steps.pop_front().expect("the document has one more step");
    }

    /// A command that runs such a block.
    fn command(&self, block: &str) -> Command {
        let mut shell = self.cluster.program("/bin/sh");
        shell.args(["-euc", block]).current_dir(&self.folder);
        shell.envs(self.variables.iter().map(|(name, value)| (name, value)));
        shell
    }

    /// A session with one of the servers that the drill made, by its port.
    #[track_caller]
    pub fn client(&self, port: u16, user: &str) -> Client {
        self.connect(port, user, "app").unwrap_or_else(|error| panic!("port {port}: {error:?}"))
    }

    /// The same, or why there is none.
    pub fn connect(&self, port: u16, user: &str, database: &str) -> Result<Client, postgres::Error> {
        let mut config = Config::new();
        config.host_path(self.cluster.folder()).port(port).user(user).dbname(database).connect(NoTls)
    }

    /// All steps were done.
    #[track_caller]
    pub fn end(self) {
        assert_eq!(self.steps.len(), 0, "the document has more steps: {:?}", self.steps);
    }
}

impl Drop for Drill<'_> {
    fn drop(&mut self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.path().join("postmaster.pid").exists() {
                let mut stop = self.cluster.program("pg_ctl");
                let _ = stop.args(["stop", "-s", "-w", "-m", "immediate", "-D"]).arg(entry.path()).status();
            }
        }
    }
}

/// The blocks in a language below a heading of a document in `docs`, in order.
#[track_caller]
pub fn blocks(document: &str, heading: &str, language: &str) -> Vec<String> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).join(document);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let sections = text.split("\n## ");
    let section = sections.filter_map(|it| it.split_once('\n')).find(|(first, _)| *first == heading);
    let (_, section) = section.unwrap_or_else(|| panic!("docs/{document} has no section {heading:?}"));
    let opening = format!("```{language}\n");
    let parts = section.split(&opening).skip(1).filter_map(|rest| rest.split("```").next());
    parts.map(str::to_owned).collect()
}
