//! A folder of a git repository, with a commit for each pin. git is called as a program: signing, hooks and the way to a remote are
//! the user's.
//!
//! What must stay true: nothing of hftok's own environment, which may hold credentials, reaches git and its hooks.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::SystemTime;

use humantime::format_rfc3339_millis;

use super::Pin;
use super::file::{keep_key, read};
use crate::audit::when::stamp;
use crate::audit::written::replace;
use crate::failure::Failure;

/// The file with the checkpoint.
const CHECKPOINT: &str = "checkpoint";
/// The file that says when it was kept: a log that did not grow is a commit too.
const PINNED: &str = "pinned";
/// The file with the key.
const KEY: &str = "key";
/// No checkpoint is longer.
const LONGEST: usize = 64 * 1024;

/// The folder.
pub struct PinRepository(PathBuf);

impl PinRepository {
    /// The folder at a path.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The pin of each commit, the oldest first.
    pub fn all(&self) -> Result<Vec<Pin>, Failure> {
        self.pins_of(&self.log(&["--reverse"])?)
    }

    /// The pin of the newest commit.
    pub fn newest(&self) -> Result<Option<Pin>, Failure> {
        Ok(self.pins_of(&self.log(&["-1"])?)?.pop())
    }

    /// The key beside the pins, as it was committed with the first of them.
    pub fn key(&self) -> Result<(Option<String>, String), Failure> {
        let path = self.0.join(KEY);
        Ok((read(&path)?, path.display().to_string()))
    }

    /// Adds a commit.
    pub fn add(
        &self,
        text: &str,
        at: SystemTime,
        size: u64,
        first_key: Option<&str>,
    ) -> Result<String, Failure> {
        first_key.map_or(Ok(()), |key| keep_key(&self.0.join(KEY), key))?;
        replace(&self.0.join(CHECKPOINT), text.as_bytes())?;
        // To the millisecond: of two pins within a second, of a log that did not grow, the second is a commit as well.
        replace(&self.0.join(PINNED), format!("{}\n", format_rfc3339_millis(at)).as_bytes())?;
        let message = format!("The audit has {size} events");
        let mut files = vec![CHECKPOINT, PINNED];
        files.extend(first_key.map(|_| KEY));
        self.said(&[&["add", "--"], files.as_slice()].concat())?;
        self.said(&[&["commit", "--quiet", "-m", &message, "--"], files.as_slice()].concat())?;
        Ok(format!("commit {}", self.said(&["rev-parse", "--short", "HEAD"])?.trim()))
    }

    /// Pushes to the remote that the branch follows.
    pub fn push(&self) -> Result<(), Failure> {
        self.said(&["push", "--quiet"]).map(|_| ())
    }

    /// The commits that have pins; none in a repository that has no commit yet.
    fn log(&self, options: &[&str]) -> Result<Vec<String>, Failure> {
        if self.said(&["rev-parse", "--git-dir"]).is_ok()
            && self.said(&["rev-parse", "--verify", "HEAD"]).is_err()
        {
            return Ok(Vec::new());
        }
        let commits = self.said(&[&["log", "--format=%H"], options, &["--", PINNED, CHECKPOINT]].concat())?;
        Ok(commits.lines().map(str::to_owned).collect())
    }

    /// The pins of these commits. One process answers for all of them.
    fn pins_of(&self, commits: &[String]) -> Result<Vec<Pin>, Failure> {
        if commits.is_empty() {
            return Ok(Vec::new());
        }
        let prefix = self.said(&["rev-parse", "--show-prefix"])?;
        let prefix = prefix.trim_end_matches('\n');
        let mut command = self.git(&["cat-file", "--batch"]);
        let mut child =
            command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(Failure::io("git"))?;
        let (Some(mut asks), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::io("git")(io::Error::other("no pipes")));
        };
        let mut answers = BufReader::new(answers);
        let mut pins = Vec::new();
        for commit in commits {
            let mut file = |name: &str| {
                let asked = blob(&mut asks, &mut answers, &format!("{commit}:{prefix}{name}"));
                asked.map_err(Failure::io("git cat-file"))
            };
            let at = file(PINNED)?.and_then(|pinned| humantime::parse_rfc3339(pinned.trim()).ok());
            let (Some(at), Some(text)) = (at, file(CHECKPOINT)?) else {
                return Err(Failure::Usage(format!("commit {commit} holds no pin in {}", self.0.display())));
            };
            let short: String = commit.chars().take(10).collect();
            pins.push(Pin { at, name: format!("{short} of {}", stamp(at)), text });
        }
        drop(asks);
        child.wait().map_err(Failure::io("git"))?;
        Ok(pins)
    }

    /// What git prints; its own complaint where it fails.
    fn said(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = self.git(arguments).output().map_err(Failure::io("git"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let verb = arguments.first().copied().unwrap_or_default();
        let complaint = [output.stdout, output.stderr].concat();
        let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
        Err(Failure::io(format!("git {verb}"))(io::Error::other(complaint)))
    }

    /// git in this folder. It asks nobody: there may be no terminal.
    fn git(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.0).args(arguments).env("GIT_TERMINAL_PROMPT", "0");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("HFTOK_") || text.starts_with("PG") {
                command.env_remove(&name);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// A text file of a commit, if it is there.
fn blob(
    asks: &mut ChildStdin,
    answers: &mut BufReader<ChildStdout>,
    name: &str,
) -> io::Result<Option<String>> {
    writeln!(asks, "{name}")?;
    asks.flush()?;
    let mut head = String::new();
    answers.read_line(&mut head)?;
    let size = head.trim_end().rsplit(' ').next().and_then(|size| size.parse().ok());
    let Some(size) = size.filter(|size: &usize| *size <= LONGEST) else { return Ok(None) };
    // A line end follows, which is none of the file's.
    let mut bytes = vec![0; size + 1];
    answers.read_exact(&mut bytes)?;
    bytes.pop();
    Ok(String::from_utf8(bytes).ok())
}
