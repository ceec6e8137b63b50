//! `hftok open FILE`: what an export or a dump holds, without a server. The disaster drill.
//!
//! What must stay true: values are shown only by `--reveal`, and then go to a terminal, a pipe or a file of mode 0600.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use super::databases::{self, Clear, Given, Reader, Torn};
use super::export_lines;
use super::files::{self, PrivateFile};
use super::keyrings::Keyrings;
use super::sealed::{About, Keys, OpenKeys, SealedRow};
use crate::failure::Failure;
use crate::offline::unfit;
use crate::screen::{Screen, Table};
use crate::shown;

/// Open an export, or a dump with its keyring, without a server
#[derive(Debug, Args)]
#[command(after_help = "\
Every value is opened and held against everything that hftok keeps of it; what does not open is named with the reason, and the exit code is 1.
Values are printed by --reveal alone: a JSON object a line.

Examples:
  hftok open app.dump --keyring /etc/hftok/keyring
  pg_dump app | hftok open - --keyring keyring --versions
  hftok open app.dump --keyring keyring --reveal --id 0b7c1a52-3c7e-4f0a-9c66-7d1a2b3c4d5e
  hftok open backup.age --identity key.txt
  hftok open backup.age --identity key.txt --reveal --output values.jsonl")]
pub struct Open {
    /// The dump or the export.
    #[command(flatten)]
    given: Given,
    /// A keyring that opens the dump; may be given several times
    #[arg(long = "keyring", value_name = "FILE")]
    keyrings: Vec<PathBuf>,
    /// A file with keys that an organisation holds, as its key command prints them; may be given several times
    #[arg(long = "org-keys", value_name = "FILE")]
    org_keys: Vec<PathBuf>,
    /// Previous versions too
    #[arg(long)]
    versions: bool,
    /// Only the secret of this id
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
    /// Print values
    #[arg(long)]
    reveal: bool,
    /// Write values to this file, of mode 0600
    #[arg(long, short = 'o', value_name = "FILE", requires = "reveal")]
    output: Option<PathBuf>,
    /// Replace the file
    #[arg(long, requires = "output")]
    force: bool,
}

/// What was found of a value.
#[derive(Serialize)]
struct Found {
    /// Its row.
    #[serde(flatten)]
    about: About,
    /// Whether it does.
    opens: bool,
    /// Why it does not open.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A line of values.
#[derive(Serialize)]
struct Revealed<'a> {
    /// Its row.
    #[serde(flatten)]
    about: &'a About,
    /// As it was sealed.
    value: &'a str,
}

/// Where values go.
pub enum Output {
    /// Nowhere: they were not asked for.
    Nowhere,
    /// A terminal, which obeys nothing of what is in a value.
    Terminal(io::Stdout),
    /// A pipe, or a private file.
    Stream(BufWriter<io::Stdout>),
    /// A file, and whether it replaces one.
    File(BufWriter<PrivateFile>, bool),
}

impl Output {
    /// Writes a line that was made in a buffer of its own, which is wiped.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        let written = match self {
            Self::Nowhere => Ok(()),
            Self::Terminal(output) => {
                let text = str::from_utf8(line).unwrap_or_default();
                output.write_all(shown::json(text).as_bytes()).and_then(|()| output.write_all(b"\n"))
            }
            Self::Stream(output) => output.write_all(line).and_then(|()| output.write_all(b"\n")),
            Self::File(output, _) => output.write_all(line).and_then(|()| output.write_all(b"\n")),
        };
        written.map_err(Failure::io("the output"))
    }

    /// Whether lines go anywhere.
    pub fn is_wanted(&self) -> bool {
        !matches!(self, Self::Nowhere)
    }

    /// Gives the file its name.
    fn complete(self) -> Result<(), Failure> {
        match self {
            Self::Nowhere | Self::Terminal(_) => Ok(()),
            Self::Stream(mut output) => output.flush().map_err(Failure::io("standard output")),
            Self::File(output, replaces) => {
                let file =
                    output.into_inner().map_err(|error| Failure::io("the output")(error.into_error()))?;
                file.complete(replaces)
            }
        }
    }
}

impl Open {
    /// Carries it out.
    pub fn run(self, screen: &Screen) -> Result<ExitCode, Failure> {
        let keyrings = Keyrings::read(&self.keyrings, &self.org_keys)?;
        let mut output = self.output()?;
        let is_whole = match self.given.open(screen)? {
            Clear::Export(stream, name) => {
                export_lines::show(stream, &name, self.id.as_deref(), &mut output, screen)?
            }
            Clear::Dump(stream, name) => {
                if keyrings.files.is_empty() {
                    return Err(Failure::Usage(format!(
                        "{name} is a dump: its values open with --keyring FILE, and hftok keys-for says which"
                    )));
                }
                let open = &self;
                let keys = OpenKeys::default();
                let mut opener =
                    Opener { open, keyrings, keys, output, found: Vec::new(), opened: 0, torn: Vec::new() };
                databases::of_dump((stream, name), &mut opener)?;
                output = std::mem::replace(&mut opener.output, Output::Nowhere);
                opener.tell(screen)?
            }
        };
        output.complete()?;
        Ok(ExitCode::from(u8::from(!is_whole)))
    }

    /// Where values go.
    fn output(&self) -> Result<Output, Failure> {
        match &self.output {
            Some(path) => {
                let file = PrivateFile::create(path, self.force)?;
                Ok(Output::File(BufWriter::new(file), self.force))
            }
            None if self.reveal => {
                files::admit_values_on_output()?;
                let output = io::stdout();
                Ok(if output.is_terminal() {
                    Output::Terminal(output)
                } else {
                    Output::Stream(BufWriter::new(output))
                })
            }
            None => Ok(Output::Nowhere),
        }
    }
}

/// Opens the rows of a dump.
struct Opener<'a> {
    /// What was asked.
    open: &'a Open,
    /// Those given.
    keyrings: Keyrings,
    /// Of the database that is read.
    keys: OpenKeys,
    /// Where values go.
    output: Output,
    /// What is listed.
    found: Vec<Found>,
    /// How many opened, those that are not listed too.
    opened: u64,
    /// Rows that hold none of what hftok writes.
    torn: Vec<Torn>,
}

impl Reader for Opener<'_> {
    fn database(&mut self, _: Option<&str>, keys: &Keys) -> Result<(), Failure> {
        self.keys = keys.open(&self.keyrings);
        Ok(())
    }

    fn row(&mut self, row: Result<SealedRow, Torn>) -> Result<(), Failure> {
        let is_wanted =
            |id: &str| self.open.id.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(id));
        match row {
            Err(torn) if is_wanted(&torn.secret_id) => self.torn.push(torn),
            Ok(row) if is_wanted(&row.about.secret_id) => self.take(row)?,
            _ => {}
        }
        Ok(())
    }
}

impl Opener<'_> {
    /// Opens a row.
    fn take(&mut self, row: SealedRow) -> Result<(), Failure> {
        let opened = row.open(&self.keys);
        self.opened += u64::from(opened.is_ok());
        let is_shown = row.about.is_current || self.open.versions;
        if let (Ok(value), true) = (&opened, is_shown && self.output.is_wanted()) {
            let Ok(value) = str::from_utf8(value.expose()) else {
                return Err(unfit(
                    &row.about.secret_id,
                    "its value is not text, which hftok seals alone",
                    "Restore the row from another backup.",
                ));
            };
            // Large enough not to move: what moves leaves a copy.
            let mut line = Zeroizing::new(Vec::with_capacity(value.len() * 6 + 64 * 1024));
            let written = serde_json::to_writer(&mut *line, &Revealed { about: &row.about, value });
            written.map_err(|error| Failure::io("the output")(error.into()))?;
            self.output.line(&line)?;
        }
        if is_shown || opened.is_err() {
            self.found.push(Found { about: row.about, opens: opened.is_ok(), reason: opened.err() });
        }
        Ok(())
    }

    /// Says what was found, beside the values where they were asked for. Whether everything opens.
    fn tell(&self, screen: &Screen) -> Result<bool, Failure> {
        if !self.open.reveal {
            screen.rows(&self.found, "no value is in it", || table(&self.found))?;
        }
        let failed: Vec<&Found> = self.found.iter().filter(|found| !found.opens).collect();
        for Found { about: About { secret_id, version, .. }, reason, .. } in &failed {
            screen.note(&format!("{secret_id} version {version}: {}", reason.as_deref().unwrap_or_default()));
        }
        for Torn { secret_id, reason } in &self.torn {
            screen.note(&format!("{secret_id}: {reason}"));
        }
        let failed = failed.len() + self.torn.len();
        screen.note(&format!("{} open, {failed} do not", self.opened));
        Ok(failed == 0)
    }
}

/// For people.
fn table(found: &[Found]) -> Table {
    let mut table = Table::new(&["ID", "VERSION", "OWNER", "PROVIDER", "NAME OR MODEL", "PREVIEW", "OPENS"]);
    for Found { about, opens, .. } in found {
        let owner = if about.scope_id.is_empty() {
            about.scope.clone()
        } else {
            format!("{} {}", about.scope, about.scope_id)
        };
        table.row(vec![
            about.secret_id.clone(),
            about.version.to_string(),
            owner,
            about.provider.clone(),
            format!("{}{}", about.name, about.model),
            about.preview.clone(),
            if *opens { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    table
}
