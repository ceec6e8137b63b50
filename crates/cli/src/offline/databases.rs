//! What was given to be opened, and the databases that a dump holds.
//!
//! What must stay true: a row is opened after all keys of its database were read. In a dump of pg_dump they come first; rows of
//! one that has them in another order wait.

use std::io::BufRead;
use std::path::PathBuf;

use clap::Args;

use super::age_file::Identities;
use super::dump::{self, Content, Event, Row, Table, Unreadable};
use super::sealed::{Keys, SealedRow};
use crate::failure::Failure;
use crate::offline::unfit;
use crate::screen::Screen;

/// A stream that is read as it comes.
pub type Stream = Box<dyn BufRead + Send>;

/// What is to be opened, and who may.
#[derive(Debug, Args)]
pub struct Given {
    /// A dump (plain text, or what pg_restore reads), an export of hftok, or either in an age file; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Who opens it where it is an age file.
    #[command(flatten)]
    pub identities: Identities,
}

/// What was given, in the clear.
pub enum Clear {
    /// A dump, and what it is called.
    Dump(Stream, String),
    /// What `hftok export` wrote.
    Export(Stream, String),
}

impl Given {
    /// What it is called.
    pub fn name(&self) -> String {
        if self.file.as_os_str() == "-" {
            "standard input".to_owned()
        } else {
            self.file.display().to_string()
        }
    }

    /// Opens it; of an age file, what is in it.
    pub fn open(&self, screen: &Screen) -> Result<Clear, Failure> {
        let name = self.name();
        let mut content = dump::content(&self.file)?;
        if let Content::Age(stream) = content {
            content = Content::of_decrypted(self.identities.decrypt(stream, &name, screen)?, &name)?;
        }
        match content {
            Content::Plain(stream) => Ok(Clear::Dump(stream, name)),
            Content::Export(stream) => Ok(Clear::Export(stream, name)),
            Content::Age(_) => {
                Err(unfit(name, "it holds one more age file", "Decrypt the outer one with age."))
            }
        }
    }
}

impl Clear {
    /// The dump, where nothing else will do.
    pub fn dump(self) -> Result<(Stream, String), Failure> {
        match self {
            Self::Dump(stream, name) => Ok((stream, name)),
            Self::Export(_, name) => {
                Err(unfit(name, "it is an export", "An export needs no keyring: hftok open."))
            }
        }
    }
}

/// Whoever reads a dump, database by database.
pub trait Reader {
    /// A database, once all its keys were read. None where the dump does not name it.
    fn database(&mut self, name: Option<&str>, keys: &Keys) -> Result<(), Failure>;

    /// A row of the database that was told last.
    fn row(&mut self, row: Result<SealedRow, Torn>) -> Result<(), Failure>;
}

/// A row that is not what hftok writes.
pub struct Torn {
    /// The secret's id, as far as there is one.
    pub secret_id: String,
    /// What of it cannot be read.
    pub reason: String,
}

/// Reads a dump to its end.
pub fn of_dump((mut stream, name): (Stream, String), reader: &mut dyn Reader) -> Result<(), Failure> {
    let mut database = Database::NONE;
    let mut is_found = false;
    dump::read(&mut stream, &name, &mut |event| {
        match event {
            Event::Database(next) => {
                is_found |= database.end(reader)?;
                database.name = Some(next.to_owned());
            }
            Event::Row(table, row) => database.take(table, &row, &name, reader)?,
        }
        Ok(())
    })?;
    is_found |= database.end(reader)?;
    if is_found {
        return Ok(());
    }
    Err(unfit(
        name,
        "it holds nothing of hftok",
        "Make the dump as a superuser or a role with BYPASSRLS, and without leaving schema hftok_private out.",
    ))
}

/// A database that is being read.
struct Database {
    /// As the dump names it.
    name: Option<String>,
    /// Those that were read.
    keys: Keys,
    /// Rows that wait for the keys.
    waiting: Vec<Result<SealedRow, Torn>>,
    /// How far it is.
    progress: Progress,
}

/// How far a database was read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    /// No row of hftok was seen.
    Nothing,
    /// Keys or rows were seen.
    Keys,
    /// The reader was told of the keys; rows go on to it.
    Told,
}

impl Database {
    /// Before the first row.
    const NONE: Self =
        Self { name: None, keys: Keys::EMPTY, waiting: Vec::new(), progress: Progress::Nothing };

    /// Takes a row.
    fn take(
        &mut self,
        table: Table,
        row: &Row<'_>,
        name: &str,
        reader: &mut dyn Reader,
    ) -> Result<(), Failure> {
        if matches!(table, Table::DataKeys | Table::Identity) {
            self.progress = self.progress.max(Progress::Keys);
            return self.keys.add(table, row).map_err(|Unreadable(column)| {
                unfit(
                    name,
                    &format!("a row of its keys has no readable {column}"),
                    "Make the dump anew, or take another one.",
                )
            });
        }
        let torn = |Unreadable(column)| Torn {
            secret_id: row.optional("secret_id").or(row.optional("id")).unwrap_or("?").to_owned(),
            reason: format!("its row has no readable {column}"),
        };
        self.waiting.push(SealedRow::of(table, row, self.name.as_deref()).map_err(torn));
        // A table is one block, so a key that was seen says that all were.
        if self.progress == Progress::Told || self.keys.are_complete() {
            self.hand_over(reader)?;
        } else {
            self.progress = Progress::Keys;
        }
        Ok(())
    }

    /// Tells the reader what waits, of the keys first.
    fn hand_over(&mut self, reader: &mut dyn Reader) -> Result<(), Failure> {
        if self.progress != Progress::Told {
            self.progress = Progress::Told;
            reader.database(self.name.as_deref(), &self.keys)?;
        }
        self.waiting.drain(..).try_for_each(|row| reader.row(row))
    }

    /// Tells what waits, and is ready for the next one. Whether it was one with hftok.
    fn end(&mut self, reader: &mut dyn Reader) -> Result<bool, Failure> {
        let is_ours = self.progress != Progress::Nothing;
        if is_ours {
            self.hand_over(reader)?;
        }
        *self = Self::NONE;
        Ok(is_ours)
    }
}
