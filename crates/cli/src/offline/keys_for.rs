//! `hftok keys-for DUMP`: which root keys a dump needs, and which of the keyrings given have them. Without a server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hftok_core::keyring::Keyring;
use hftok_core::root_key::RootKeyId;
use serde::Serialize;

use super::databases::{self, Given, Reader, Torn};
use super::keyrings::Keyrings;
use super::sealed::{Keys, SealedRow};
use crate::failure::Failure;
use crate::screen::{Screen, Table};

/// Say which root keys a dump needs, and which of the keyrings given have them
#[derive(Debug, Args)]
#[command(after_help = "\
Without a server. The exit code is 1 where keyrings are given and a key that the dump needs is in none of them.

Examples:
  hftok keys-for app.dump
  hftok keys-for app.sql --keyring /etc/hftok/keyring --keyring /root/keyring.2025
  pg_dump app | hftok keys-for -")]
pub struct KeysFor {
    /// The dump.
    #[command(flatten)]
    given: Given,
    /// A keyring that may have the keys; may be given several times
    #[arg(long = "keyring", value_name = "FILE")]
    keyrings: Vec<PathBuf>,
}

/// A root key that a database of the dump needs.
#[derive(Serialize)]
struct Needed {
    /// As the dump names it.
    database: Option<String>,
    /// Its number.
    root_key_id: i32,
    /// What it is recognised by.
    fingerprint: String,
    /// Data keys that it wraps.
    data_keys: usize,
    /// Organisations that hold a key to some of them as well.
    organisations: Vec<String>,
    /// The installation that the database was of; the keyring in use has to name it too.
    installation: Option<String>,
    /// What each keyring given has under that number.
    keyrings: BTreeMap<String, Has>,
}

/// What a keyring has for a root key that is needed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Has {
    /// The key.
    TheKey,
    /// Another key under its number.
    Another,
    /// No key of its number.
    Nothing,
}

impl Has {
    /// For people.
    fn word(self) -> &'static str {
        match self {
            Self::TheKey => "has it",
            Self::Another => "another key of this number",
            Self::Nothing => "missing",
        }
    }
}

impl KeysFor {
    /// Carries it out.
    pub fn run(self, screen: &Screen) -> Result<ExitCode, Failure> {
        let keyrings = Keyrings::read(&self.keyrings, &[])?;
        let source = self.given.open(screen)?.dump()?;
        let mut reader = KeysAlone { keyrings: &keyrings, needed: Vec::new() };
        databases::of_dump(source, &mut reader)?;
        let needed = reader.needed;
        let lacks = |one: &Needed| !one.keyrings.values().any(|has| *has == Has::TheKey);
        let is_answered_no = !keyrings.files.is_empty() && needed.iter().any(lacks);
        screen.rows(&needed, "no data key is left in it", || table(&needed))?;
        for one in &needed {
            for org in &one.organisations {
                screen.note(&format!(
                    "organisation {org} holds a key of its own beside root key {}",
                    one.root_key_id
                ));
            }
        }
        for (file, keyring) in &keyrings.files {
            let named = keyring.installation().as_str();
            let others = needed.iter().filter_map(|one| one.installation.as_deref());
            if let Some(other) = others.into_iter().find(|name| *name != named) {
                screen.note(&format!(
                    "{file} names the installation '{named}', and the dump is of '{other}': a server with it takes the database for a copy"
                ));
            }
        }
        Ok(ExitCode::from(u8::from(is_answered_no)))
    }
}

/// Reads keys, and passes over rows.
struct KeysAlone<'a> {
    /// Those given.
    keyrings: &'a Keyrings,
    /// What was found.
    needed: Vec<Needed>,
}

impl Reader for KeysAlone<'_> {
    fn database(&mut self, name: Option<&str>, keys: &Keys) -> Result<(), Failure> {
        self.needed.extend(of_database(name, keys, self.keyrings));
        Ok(())
    }

    fn row(&mut self, _: Result<SealedRow, Torn>) -> Result<(), Failure> {
        Ok(())
    }
}

/// The root keys of one database, by number and fingerprint.
fn of_database(database: Option<&str>, keys: &Keys, keyrings: &Keyrings) -> Vec<Needed> {
    let mut needed: BTreeMap<(i32, String), Needed> = BTreeMap::new();
    for key in keys.wrapped() {
        let fingerprint = key.fingerprint.to_string();
        let one = needed.entry((key.root, fingerprint.clone())).or_insert_with(|| Needed {
            database: database.map(str::to_owned),
            root_key_id: key.root,
            keyrings: keyrings
                .files
                .iter()
                .map(|(file, ring)| (file.clone(), has(ring, key.root, &fingerprint)))
                .collect(),
            fingerprint,
            data_keys: 0,
            organisations: Vec::new(),
            installation: keys.installation().map(str::to_owned),
        });
        one.data_keys += 1;
        if key.is_by_org && !one.organisations.contains(&key.org) {
            one.organisations.push(key.org.clone());
        }
    }
    needed.into_values().collect()
}

/// What a keyring has under a number.
fn has(keyring: &Keyring, root: i32, fingerprint: &str) -> Has {
    match RootKeyId::new(root).and_then(|id| keyring.find(id)) {
        Some(key) if key.fingerprint().to_string() == fingerprint => Has::TheKey,
        Some(_) => Has::Another,
        None => Has::Nothing,
    }
}

/// For people.
fn table(needed: &[Needed]) -> Table {
    let mut table = Table::new(&["DATABASE", "ROOT KEY", "FINGERPRINT", "DATA KEYS", "KEYRING"]);
    for one in needed {
        let of = |(file, has): (&String, &Has)| format!("{file}: {}", has.word());
        table.row(vec![
            one.database.clone().unwrap_or_default(),
            one.root_key_id.to_string(),
            one.fingerprint.clone(),
            one.data_keys.to_string(),
            one.keyrings.iter().map(of).collect::<Vec<_>>().join(", "),
        ]);
    }
    table
}
