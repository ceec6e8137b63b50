//! `hftok keyring`: keys are added, listed by their fingerprints, and held against a server.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hftok_core::keyring::Keyring;
use serde::Serialize;
use zeroize::Zeroizing;

use super::file::{Fault, KeyringFile};
use super::naming::Name;
use super::place::{Place, put};
use super::reload::{Reloaded, reload, session};
use super::{drawn, held_against};
use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::{Screen, Table};

/// Add keys to a keyring, list them, check them, name it
#[derive(Debug, Args)]
pub struct KeyringOf {
    /// What is to be done.
    #[command(subcommand)]
    work: Work,
}

/// Each describes itself.
#[derive(Debug, Subcommand)]
#[allow(
    clippy::missing_docs_in_private_items,
    reason = "clap would show them in place of the command's own words"
)]
enum Work {
    Add(Add),
    List(List),
    Check(Check),
    Name(Name),
}

/// Add a root key, which becomes the primary, and have the server read it
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hftok keyring add /etc/hftok/keyring && hftok rotate root\n  hftok keyring add /etc/hftok/keyring --from backup/keyring --id 1\n\nKeys that come --from another keyring do not become the primary."
)]
struct Add {
    /// The keyring
    file: PathBuf,
    /// The number of the key [default: one more than the highest; with --from: all that are lacking]
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..))]
    id: Option<i32>,
    /// Take keys over from this keyring, as from a backup, instead of drawing one
    #[arg(long, value_name = "KEYRING")]
    from: Option<PathBuf>,
    /// Do not ask a server to read it
    #[arg(long)]
    offline: bool,
}

/// List the keys of a keyring by their fingerprints, or those that the server knows
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hftok keyring list /etc/hftok/keyring\n  hftok keyring list")]
struct List {
    /// The keyring [default: what the server has loaded, and what its database needs]
    file: Option<PathBuf>,
}

/// Check rights and form of a keyring, and whether it fits the server and its database
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hftok keyring check /etc/hftok/keyring\n  hftok keyring check backup/keyring --offline\n\nExit code 1 where something is wrong."
)]
struct Check {
    /// The keyring
    file: PathBuf,
    /// Do not hold it against a server
    #[arg(long)]
    offline: bool,
}

/// A key, as it is shown.
#[derive(Serialize)]
struct Key {
    /// Its number.
    id: i32,
    /// What it is recognised by.
    fingerprint: String,
    /// Whether it wraps.
    is_primary: bool,
    /// Whether the server has it, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_keyring: Option<bool>,
    /// The data keys of the database that it wraps, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_keys: Option<i64>,
}

impl Key {
    /// A key of a file, of which `primary` wraps: no server was asked.
    fn of_file(id: i32, fingerprint: String, primary: Option<i32>) -> Self {
        Self { id, fingerprint, is_primary: primary == Some(id), in_keyring: None, data_keys: None }
    }
}

impl KeyringOf {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        match self.work {
            Work::Add(add) => add.run(connection, screen),
            Work::List(list) => list.run(connection, screen),
            Work::Check(check) => check.run(connection, screen),
            Work::Name(name) => name.run(screen),
        }
    }
}

/// What was added, without the keys.
#[derive(Serialize)]
struct Added {
    /// Where the keyring is.
    file: String,
    /// The keys that it did not have.
    added: Vec<Key>,
    /// Whether the server has them.
    #[serde(flatten)]
    reloaded: Reloaded,
}

impl Add {
    /// Carries it out.
    fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let ring = KeyringFile::read_alone(&self.file)?;
        let file = ring.path.display().to_string();
        let unfit = |fault: String, remedy: &str| Failure::Unfit {
            object: file.clone(),
            fault,
            remedy: remedy.to_owned(),
        };
        if let Some(fault) = ring.faults.first() {
            return Err(unfit(fault.fault.clone(), &fault.remedy));
        }
        let text = match &self.from {
            Some(other) => self.taken_over(&ring, other)?,
            None => self.with_a_new_key(&ring)?,
        };
        let longer = Keyring::parse(&text)
            .map_err(|error| unfit(error.to_string(), "A keyring has up to 64 keys."))?;
        let before = ring.keys();
        let primary = longer.primary().map(|key| key.id().get());
        let now = longer.iter().map(|key| (key.id().get(), key.fingerprint().to_string()));
        let new: Vec<(i32, String)> = now.filter(|key| !before.contains(key)).collect();
        if !new.is_empty() {
            put(&ring.path, &text, Some(ring.owner), Place::Former)?;
        }
        let reloaded = match self.offline {
            true => Reloaded::NotAsked,
            false => match session(connection)? {
                Some(mut database) => reload(&mut database, &new)?,
                None => Reloaded::NotAsked,
            },
        };
        let shown = |(id, fingerprint)| Key::of_file(id, fingerprint, primary);
        let added = Added { file, added: new.into_iter().map(shown).collect(), reloaded };
        screen.answer(&added, || added.text())?;
        Ok(ExitCode::from(u8::from(matches!(added.reloaded, Reloaded::NotTaken(_)))))
    }

    /// The keyring with a new key as its last line.
    fn with_a_new_key(&self, ring: &KeyringFile) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let highest = ring.keys().iter().map(|(id, _)| *id).max().unwrap_or_default();
        let id = match self.id {
            Some(given) if ring.keys().iter().any(|(id, _)| *id == given) => {
                return Err(Failure::Usage(format!("the keyring has a root key {given} already")));
            }
            Some(given) => given,
            None => {
                highest.checked_add(1).ok_or_else(|| Failure::Usage("name a number by --id".to_owned()))?
            }
        };
        let line = drawn::key_line(id)?;
        let mut text = Zeroizing::new(Vec::with_capacity(ring.text.len() + line.len() + 1));
        text.extend_from_slice(&ring.text);
        if !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend_from_slice(line.as_bytes());
        Ok(text)
    }

    /// The keyring with keys of another before its own, so that its primary stays the last.
    fn taken_over(&self, ring: &KeyringFile, other: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let other = KeyringFile::read(other)?;
        let wanted = |id: i32| self.id.is_none_or(|only| only == id);
        if let Some(only) = self.id.filter(|only| !other.keys().iter().any(|(id, _)| id == only)) {
            return Err(Failure::Usage(format!("{} has no root key {only}", other.path.display())));
        }
        let own = ring.keys();
        let mut lacking = Vec::new();
        for (id, fingerprint) in other.keys().into_iter().filter(|(id, _)| wanted(*id)) {
            match own.iter().find(|(known, _)| *known == id) {
                None => lacking.push(id),
                Some((_, known)) if *known == fingerprint => {}
                Some((_, known)) => {
                    return Err(Failure::Unfit {
                        object: ring.path.display().to_string(),
                        fault: format!(
                            "it has another root key {id} ({known}) than {} ({fingerprint})",
                            other.path.display()
                        ),
                        remedy: "hftok keyring check FILE says which of them the database needs.".to_owned(),
                    });
                }
            }
        }
        let mut text = Zeroizing::new(Vec::with_capacity(ring.text.len() + other.text.len() + 1));
        for line in other.text.split(|byte| *byte == b'\n') {
            let id = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
            let id = str::from_utf8(id).ok().and_then(|id| id.parse::<i32>().ok());
            if id.is_some_and(|id| lacking.contains(&id)) {
                text.extend_from_slice(line.trim_ascii());
                text.push(b'\n');
            }
        }
        text.extend_from_slice(&ring.text);
        Ok(text)
    }
}

impl Added {
    /// For people.
    fn text(&self) -> String {
        let mut text = String::new();
        for key in &self.added {
            let role = if key.is_primary { ", which is the primary now" } else { "" };
            let _ = writeln!(text, "{}: root key {} ({}){role}", self.file, key.id, key.fingerprint);
        }
        if self.added.is_empty() {
            let _ = writeln!(text, "{}: nothing is lacking", self.file);
        }
        let _ = writeln!(text, "{}", self.reloaded.text());
        if self.added.iter().any(|key| key.is_primary) {
            text.push_str("Copy the keyring to another place, then in every database: hftok rotate root\n");
        }
        text
    }
}

impl List {
    /// Carries it out.
    fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let keys: Vec<Key> = match &self.file {
            Some(file) => {
                let ring = KeyringFile::read(file)?;
                let primary = ring.keys().last().map(|(id, _)| *id);
                let shown = |(id, fingerprint)| Key::of_file(id, fingerprint, primary);
                ring.keys().into_iter().map(shown).collect()
            }
            None => {
                let known = held_against::known(&mut connection.postgres()?)?;
                let shown = |one: held_against::Known| Key {
                    id: one.id,
                    fingerprint: one.fingerprint,
                    is_primary: one.is_primary,
                    in_keyring: Some(one.is_loaded),
                    data_keys: Some(one.data_keys),
                };
                known.unwrap_or_default().into_iter().map(shown).collect()
            }
        };
        screen.rows(&keys, "no root keys", || table(&keys))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// For people.
fn table(keys: &[Key]) -> Table {
    let mut table = Table::new(&["ID", "FINGERPRINT", "PRIMARY", "LOADED", "DATA KEYS"]);
    let yes = |is: bool| if is { "yes" } else { "" }.to_owned();
    for key in keys {
        table.row(vec![
            key.id.to_string(),
            key.fingerprint.clone(),
            yes(key.is_primary),
            key.in_keyring.map(|is| if is { "yes" } else { "no" }.to_owned()).unwrap_or_default(),
            key.data_keys.map(|count| count.to_string()).unwrap_or_default(),
        ]);
    }
    table
}

/// What was found of a keyring.
#[derive(Serialize)]
struct Checked {
    /// Where the keyring is.
    file: String,
    /// The name in it.
    installation: String,
    /// Keys in it.
    keys: usize,
    /// Whether a server was asked.
    held_against_server: bool,
    /// What is wrong.
    faults: Vec<Fault>,
}

impl Check {
    /// Carries it out.
    fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let mut ring = KeyringFile::read(&self.file)?;
        let mut faults = std::mem::take(&mut ring.faults);
        let server = if self.offline { None } else { session(connection)? };
        let held = match server {
            Some(mut database) => held_against::faults(&ring, &mut database)?,
            None => None,
        };
        let held_against_server = held.is_some();
        faults.extend(held.unwrap_or_default());
        let checked = Checked {
            file: ring.path.display().to_string(),
            installation: ring.ring.installation().as_str().to_owned(),
            keys: ring.keys().len(),
            held_against_server,
            faults,
        };
        screen.answer(&checked, || checked.text())?;
        if !held_against_server {
            screen.note("It was not held against a server's database.");
        }
        Ok(ExitCode::from(u8::from(!checked.faults.is_empty())))
    }
}

impl Checked {
    /// For people.
    fn text(&self) -> String {
        if self.faults.is_empty() {
            return format!("{}: nothing is wrong with it", self.file);
        }
        let told = self.faults.iter().map(|one| format!("{}: {}\n  {}\n", self.file, one.fault, one.remedy));
        told.collect()
    }
}
