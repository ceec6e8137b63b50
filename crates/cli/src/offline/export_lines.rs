//! What an export holds inside its age file: JSON, an object a line.
//!
//! The first line says of which database and when; then a line for each thing, with its value; then what was left out; the last
//! one counts them. What must stay true: without its last line nothing is taken for a whole export.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::databases::Stream;
use super::holdings::{Holding, Kind};
use super::open::Output;
use crate::failure::Failure;
use crate::offline::unfit;
use crate::screen::{Screen, Table};

/// The first line. The name of its first member is how an export is recognised.
#[derive(Serialize, Deserialize)]
pub struct Head {
    /// The version of the form.
    pub hftok_export: u32,
    /// When it was made.
    pub at: String,
    /// The database it is of.
    pub database: String,
}

impl Head {
    /// The form that this is.
    pub const FORM: u32 = 1;
}

/// A thing that was left out.
#[derive(Serialize, Deserialize)]
pub struct LeftOut {
    /// The thing.
    pub left_out: Holding,
    /// Why.
    pub reason: String,
}

/// The last line.
#[derive(Serialize, Deserialize, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Named secrets.
    pub secrets: u64,
    /// Credentials.
    pub credentials: u64,
    /// Integrations.
    pub integrations: u64,
    /// Things that were left out.
    pub left_out_in_all: u64,
}

impl Tail {
    /// One more of a kind.
    pub fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Secret => self.secrets += 1,
            Kind::Credential => self.credentials += 1,
            Kind::Integration => self.integrations += 1,
        }
    }
}

/// A thing with its value.
#[derive(Serialize)]
struct Full<'a> {
    /// The thing.
    #[serde(flatten)]
    one: &'a Holding,
    /// Its value.
    value: &'a str,
}

/// The value of a line.
#[derive(Deserialize)]
struct Value {
    /// As text.
    value: String,
}

/// Writes a line.
pub fn write(output: &mut dyn Write, line: &impl Serialize) -> Result<(), Failure> {
    // Large enough not to move: what moves leaves a copy.
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    serde_json::to_writer(&mut *bytes, line).map_err(|error| Failure::io("the export")(error.into()))?;
    bytes.push(b'\n');
    output.write_all(&bytes).map_err(Failure::io("the export"))
}

/// Writes a thing with its value.
pub fn write_value(output: &mut dyn Write, one: &Holding, value: &str) -> Result<(), Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len() * 6 + 64 * 1024));
    let written = serde_json::to_writer(&mut *bytes, &Full { one, value });
    written.map_err(|error| Failure::io("the export")(error.into()))?;
    bytes.push(b'\n');
    output.write_all(&bytes).map_err(Failure::io("the export"))
}

/// A line of an export.
pub enum Line<'a> {
    /// The first.
    Head(Head),
    /// A thing, and the line that has its value.
    One(Holding, &'a [u8]),
    /// A thing that was left out.
    LeftOut(LeftOut),
}

/// The value in the line of a thing.
pub fn value(line: &[u8]) -> Result<Zeroizing<String>, Failure> {
    let Value { value } = serde_json::from_slice(line).map_err(|_| unknown("the export"))?;
    Ok(Zeroizing::new(value))
}

/// Reads an export to its end, and counts.
pub fn read(
    mut stream: Stream,
    name: &str,
    told: &mut dyn FnMut(Line<'_>) -> Result<(), Failure>,
) -> Result<Tail, Failure> {
    let mut counted = Tail::default();
    let mut is_begun = false;
    let mut line = Zeroizing::new(Vec::with_capacity(8 * 1024 * 1024));
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).map_err(Failure::io(name))? == 0 {
            return Err(unfit(name, "it was cut off: its end is missing", "Take another copy of the file."));
        }
        if !is_begun {
            let head: Head = serde_json::from_slice(&line).map_err(|_| unknown(name))?;
            if head.hftok_export != Head::FORM {
                return Err(unknown(name));
            }
            is_begun = true;
            told(Line::Head(head))?;
        } else if let Ok(one) = serde_json::from_slice::<Holding>(&line) {
            counted.count(one.kind);
            told(Line::One(one, line.trim_ascii_end()))?;
        } else if let Ok(left_out) = serde_json::from_slice::<LeftOut>(&line) {
            counted.left_out_in_all += 1;
            told(Line::LeftOut(left_out))?;
        } else {
            let tail: Tail = serde_json::from_slice(&line).map_err(|_| unknown(name))?;
            if tail != counted || !stream.fill_buf().map_err(Failure::io(name))?.is_empty() {
                return Err(unfit(
                    name,
                    "it does not hold what its last line counts: it was put together from parts",
                    "Take another copy of the file.",
                ));
            }
            return Ok(tail);
        }
    }
}

/// A line that no form of ours has.
fn unknown(name: &str) -> Failure {
    unfit(name, "its form is unknown", "Open it by the version of hftok that made it.")
}

/// Shows an export: what is in it, and values where they were asked for. An export is whole or an error.
pub fn show(
    stream: Stream,
    name: &str,
    wanted: Option<&str>,
    output: &mut Output,
    screen: &Screen,
) -> Result<bool, Failure> {
    let is_wanted = |id: &str| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(id));
    let mut all = Vec::new();
    let tail = read(stream, name, &mut |line| {
        match line {
            Line::Head(head) => {
                screen.note(&format!("an export of database {}, made {}", head.database, head.at))
            }
            Line::One(one, line) if is_wanted(&one.id) => {
                if output.is_wanted() {
                    output.line(line)?;
                } else {
                    all.push(one);
                }
            }
            Line::LeftOut(left) if is_wanted(&left.left_out.id) => {
                screen.note(&format!("left out: {}: {}", left.left_out.title(), left.reason));
            }
            _ => {}
        }
        Ok(())
    })?;
    if !output.is_wanted() {
        screen.rows(&all, "nothing is in it", || table(&all))?;
    }
    screen.note(&counted(&tail));
    Ok(true)
}

/// A tail for people.
pub fn counted(tail: &Tail) -> String {
    format!(
        "{} named secrets, {} credentials, {} integrations; {} left out",
        tail.secrets, tail.credentials, tail.integrations, tail.left_out_in_all
    )
}

/// Things for people.
fn table(all: &[Holding]) -> Table {
    let mut table = Table::new(&["OWNER", "PROVIDER", "NAME OR MODEL", "SLOT", "VERSION", "ID"]);
    for one in all {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        table.row(vec![
            one.owner(),
            text(&one.provider),
            format!("{}{}", text(&one.name), text(&one.model)),
            text(&one.slot),
            one.version.map(|version| version.to_string()).unwrap_or_default(),
            one.id.clone(),
        ]);
    }
    table
}
