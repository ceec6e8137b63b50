//! A dump as pg_dump writes it: the rows of hftok's tables out of its COPY blocks, one at a time.
//!
//! What must stay true: nothing of the dump is run or believed. Every row is checked by opening what it holds under the keys, so a
//! line that only looks like one of hftok's does no more than fail. Other tables are passed over.

mod field;
mod source;

use std::io::BufRead;

use crate::failure::Failure;
use crate::offline::unfit;
pub use field::Unreadable;
pub use source::{Content, content};

/// A table of hftok that says something of sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Wrapped data keys.
    DataKeys,
    /// The generations of the database.
    Identity,
    /// Secrets with their current version.
    Secrets,
    /// Previous versions.
    Versions,
}

impl Table {
    /// The table of a COPY block.
    fn parse(name: &str) -> Option<Self> {
        match name {
            "data_keys" => Some(Self::DataKeys),
            "database_identity" => Some(Self::Identity),
            "secrets" => Some(Self::Secrets),
            "secret_versions" => Some(Self::Versions),
            _ => None,
        }
    }
}

/// What the reader of a dump is told, in the dump's order.
pub enum Event<'a> {
    /// What follows is of this database: pg_dumpall writes several into one file.
    Database(&'a str),
    /// A row.
    Row(Table, Row<'a>),
}

/// A row of a COPY block.
pub struct Row<'a> {
    /// Of the block's head.
    columns: &'a [String],
    /// In the same order.
    fields: Vec<Option<String>>,
}

/// Reads a dump in plain text to its end. `name` is for errors.
pub fn read(
    source: &mut dyn BufRead,
    name: &str,
    told: &mut dyn FnMut(Event<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut lines = Lines { source, name, line: Vec::new(), number: 0 };
    while lines.next()? {
        let Some(line) = lines.text() else { continue };
        if let Some(database) = line.strip_prefix("\\connect ") {
            told(Event::Database(&connected(database)))?;
        } else if let Some(encoding) = line.strip_prefix("SET client_encoding = '") {
            if !encoding.starts_with("UTF8'") && !encoding.starts_with("SQL_ASCII'") {
                return Err(lines.wrong(
                    "it is not in UTF-8, in which values are bound",
                    "Make it with --encoding=UTF8.",
                ));
            }
        } else if line.starts_with("INSERT INTO hftok_private.") {
            return Err(lines.wrong("it was made with --inserts", "Make it without: COPY alone is read."));
        } else if let Some((table, columns)) = header(line) {
            block(&mut lines, table, &columns, told)?;
        }
    }
    Ok(())
}

/// The rows of one table.
fn block(
    lines: &mut Lines<'_>,
    table: Table,
    columns: &[String],
    told: &mut dyn FnMut(Event<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    while lines.next()? {
        if lines.line == b"\\." {
            return Ok(());
        }
        let line = lines.text().ok_or_else(|| {
            lines.wrong("a row of hftok is not UTF-8", "Make the dump with --encoding=UTF8.")
        })?;
        let fields: Vec<Option<String>> = line.split('\t').map(field::unescaped).collect();
        if fields.len() != columns.len() {
            return Err(
                lines.wrong("a row has other columns than its table", "Take another copy of the dump.")
            );
        }
        told(Event::Row(table, Row { columns, fields }))?;
    }
    Err(lines.wrong("it ends within a table", "It was cut off: take another copy of the dump."))
}

/// Lines, with their number for errors.
struct Lines<'a> {
    /// What is read.
    source: &'a mut dyn BufRead,
    /// What it is called in errors.
    name: &'a str,
    /// Without its end.
    line: Vec<u8>,
    /// Counted from 1.
    number: u64,
}

impl Lines<'_> {
    /// Whether there was one more.
    fn next(&mut self) -> Result<bool, Failure> {
        self.line.clear();
        self.number += 1;
        let read = self.source.read_until(b'\n', &mut self.line).map_err(Failure::io(self.name))?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        Ok(read > 0)
    }

    /// The line; none where it is not text, which is somebody else's data.
    fn text(&self) -> Option<&str> {
        str::from_utf8(&self.line).ok()
    }

    /// What is wrong with the line that was read last.
    fn wrong(&self, reason: &str, remedy: &str) -> Failure {
        unfit(format!("{}, line {}", self.name, self.number), reason, remedy)
    }
}

/// The table and the columns of a COPY block, if it is one of hftok's.
fn header(line: &str) -> Option<(Table, Vec<String>)> {
    let rest = line.strip_prefix("COPY hftok_private.")?.strip_suffix(") FROM stdin;")?;
    let (table, columns) = rest.split_once(" (")?;
    let columns = columns.split(", ").map(|column| column.trim_matches('"').to_owned()).collect();
    Some((Table::parse(table)?, columns))
}

/// The database that `\connect` names, in either of its forms.
fn connected(given: &str) -> String {
    let named = given.split_once("dbname=").map_or(given, |(_, name)| name);
    named.trim().trim_matches(['"', '\'']).to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]
mod tests {
    use super::*;

    const HEAD: &str = "COPY hftok_private.secrets (id, \"position\", name) FROM stdin;\n";

    fn rows(text: &str) -> Result<Vec<String>, String> {
        let mut rows = Vec::new();
        read(&mut text.as_bytes(), "a.sql", &mut |event| {
            rows.push(match event {
                Event::Database(name) => format!("database {name}"),
                Event::Row(table, row) => format!("{table:?} {} {:?}", row.columns.join("+"), row.fields),
            });
            Ok(())
        })
        .map_err(|failure| failure.to_string())?;
        Ok(rows)
    }

    #[test]
    fn rows_of_hftok_are_read_and_others_are_passed_over() {
        let text = format!(
            "\\connect -reuse-previous=on \"dbname='app'\"\nCOPY public.secrets (id) FROM stdin;\n1\n\\.\n{HEAD}a\t1\t\\N\n\\.\n"
        );
        assert_eq!(
            rows(&text).unwrap(),
            ["database app", r#"Secrets id+position+name [Some("a"), Some("1"), None]"#]
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_line() {
        let wrong = |text: &str| rows(text).unwrap_err();
        assert!(wrong(&format!("{HEAD}a\t1\tb\n")).contains("line 3: it ends within a table"));
        assert!(wrong(&format!("{HEAD}a\n\\.\n")).contains("line 2: a row has other columns"));
        assert!(wrong("INSERT INTO hftok_private.secrets VALUES ('a');").contains("--inserts"));
        assert!(wrong("SET client_encoding = 'LATIN1';").contains("not in UTF-8"));
        assert_eq!(rows("SET client_encoding = 'UTF8';\n").unwrap().len(), 0);
    }
}
