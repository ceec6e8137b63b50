//! `hftok import dotenv`: credentials in a file of variables.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::dotenv_file::{Entry, entries};
use super::saving::SavingOptions;
use super::variables::Variable;
use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::value::whole;

/// Move credentials of a .env file in
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hftok import dotenv --dry-run
  hftok import dotenv .env.production --global --map HUGGINGFACE_KEY=huggingface --yes

Quotes, `export`, comments and values of several lines are understood. Nothing is interpolated: a value that refers to another
variable is refused by the number of its line. The file is left as it is.
Exit code 1: done, and something was no credential.")]
pub struct Dotenv {
    /// The file; - is standard input
    #[arg(default_value = ".env")]
    file: PathBuf,
    /// As for every set of variables.
    #[command(flatten)]
    options: SavingOptions,
}

impl Dotenv {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        self.options.admit()?;
        let name = self.file.display().to_string();
        let is_stream = self.file.as_os_str() == "-";
        let mut is_open = false;
        let text = if is_stream {
            whole(io::stdin().lock(), "standard input")?
        } else {
            let file = File::open(&self.file).map_err(Failure::io(name.clone()))?;
            let about = file.metadata().map_err(Failure::io(name.clone()))?;
            is_open = about.permissions().mode() & 0o077 != 0;
            whole(file, &name)?
        };
        let entries = entries(&text).map_err(|fault| Failure::Usage(format!("{name}: {fault}")))?;
        for line in entries.iter().filter(|one| one.refers).map(|one| one.line) {
            screen.note(&format!(
                "{name}: line {line} refers to another variable, and is left out: nothing is interpolated"
            ));
        }
        let place = |name: &&str| {
            let line = entries.iter().rfind(|one| one.name == **name).map_or(0, |one| one.line);
            format!("{name} (line {line})")
        };
        let remains = |names: &[&str]| {
            let places: Vec<String> = names.iter().map(place).collect();
            let open = if is_open { " Others than its owner may read it now." } else { "" };
            format!(
                "{name} still holds in the clear: {}.{open}\nDelete these lines, and start what needs them by `hftok run -- COMMAND`. \
                 Where the file was ever committed or copied, its history and the copies hold them too: have the keys revoked \
                 by their providers, and save new ones.",
                places.join(", ")
            )
        };
        let variables: Vec<Variable> = last(&entries);
        self.options.import(
            if is_stream { "standard input" } else { &name },
            &variables,
            true,
            remains,
            connection,
            screen,
        )
    }
}

/// Of several lines for one name, the last one holds; those that refer to others are none.
fn last(entries: &[Entry]) -> Vec<Variable> {
    let is_last = |at: usize, one: &Entry| !entries.iter().skip(at + 1).any(|other| other.name == one.name);
    let usable = entries.iter().enumerate().filter(|(at, one)| !one.refers && is_last(*at, one));
    usable.map(|(_, one)| Variable { name: one.name.clone(), value: one.value.clone() }).collect()
}
