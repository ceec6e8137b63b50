//! Answers, for people and as JSON.
//!
//! What must stay true: standard output has the answer and nothing else; words beside it go to standard error; colours are
//! for terminals only, and not where NO_COLOR is set; a reader that goes away early is no error; a terminal is told nothing by
//! what others wrote ([`shown`]).

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::failure::Failure;
use crate::shown;

/// Where answers go, and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Whether answers are JSON.
    json: bool,
    /// Whether there is a terminal that shows colours.
    colours: bool,
}

/// Columns of an answer.
#[derive(Debug)]
pub struct Table {
    /// The name of each column.
    heads: &'static [&'static str],
    /// Rows, with a cell for each column.
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(heads: &'static [&'static str]) -> Self {
        Self { heads, rows: Vec::new() }
    }

    /// Adds a row: a cell a head.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| shown::line(cell).into_owned()).collect());
    }

    /// As text, with heads as the screen shows them.
    pub fn shown(&self, screen: Screen) -> String {
        self.text(screen.bold())
    }

    /// As text for words beside the answer.
    pub fn plain(&self) -> String {
        self.text(("", ""))
    }

    /// As text: columns as wide as their widest cell, two spaces between.
    fn text(&self, bold: (&str, &str)) -> String {
        let width = |column: usize, head: &str| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([head.chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> =
            self.heads.iter().enumerate().map(|(column, head)| width(column, head)).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut text = format!("{}{}{}\n", bold.0, line(&mut self.heads.iter().copied()), bold.1);
        for row in &self.rows {
            text.push_str(&line(&mut row.iter().map(String::as_str)));
            text.push('\n');
        }
        text
    }
}

impl Screen {
    /// Standard output and standard error of this process.
    pub fn of_process(json: bool) -> Self {
        let colours =
            io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
        Self { json, colours }
    }

    /// Whether answers are JSON.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints an answer: `value` as JSON, or `text` for people.
    pub fn answer(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let mut text = if self.json {
            let json = serde_json::to_string_pretty(value).map_err(io::Error::other);
            shown::json(&json.map_err(Failure::io("the answer as JSON"))?).into_owned()
        } else {
            self.stands_out(&shown::lines(&text()))
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        self.write(&text)
    }

    /// Prints rows: `values` as JSON, or a table of them for people, or `none` where there are none.
    pub fn rows<T: Serialize>(
        self,
        values: &[T],
        none: &str,
        table: impl FnOnce() -> Table,
    ) -> Result<(), Failure> {
        if values.is_empty() && !self.json {
            self.note(none);
            return Ok(());
        }
        self.answer(&values, || table().shown(self))
    }

    /// What a table made stand out does so again: nothing else is obeyed, and nobody is harmed by bold letters of others.
    fn stands_out(self, text: &str) -> String {
        let (begin, end) = self.bold();
        if begin.is_empty() {
            return text.to_owned();
        }
        text.replace(&*shown::line(begin), begin).replace(&*shown::line(end), end)
    }

    /// Around what stands out.
    fn bold(self) -> (&'static str, &'static str) {
        if self.colours { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") }
    }

    /// Prints an answer that has a form of its own, which `--json` does not change.
    pub fn plain(self, text: &str) -> Result<(), Failure> {
        self.write(text)
    }

    /// Prints one answer of many, each on a line of its own: `value` as JSON, or `text` for people. False: nobody reads any more.
    pub fn line(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<bool, Failure> {
        let json = || serde_json::to_string(value).map_err(io::Error::other);
        let line = if self.json {
            shown::json(&json().map_err(Failure::io("the answer as JSON"))?).into_owned()
        } else {
            shown::line(&text()).into_owned()
        };
        let mut out = io::stdout().lock();
        match writeln!(out, "{line}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            written => written.map(|()| true).map_err(Failure::io("standard output")),
        }
    }

    /// A word beside the answer.
    pub fn note(self, text: &str) {
        word(text);
    }

    /// Whether somebody at the terminal agrees. Where nobody can be asked, `instead` says which option answers.
    pub fn confirmed(self, question: &str, instead: &str) -> Result<bool, Failure> {
        if !io::stdin().is_terminal() {
            return Err(Failure::Usage(format!("nobody is there to be asked: {instead}")));
        }
        let mut terminal = io::stderr().lock();
        let asked = write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush());
        asked.map_err(Failure::io("the terminal"))?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(Failure::io("the terminal"))?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// What failed, and what to do about it.
    pub fn failure(self, failure: &Failure) {
        self.note(&format!("hftok: {failure}"));
        match failure {
            Failure::Refused(refusal) => {
                refusal.detail.iter().for_each(|detail| self.note(&format!("  {}", in_words(detail))));
                refusal.hint.iter().for_each(|hint| self.note(&format!("  {hint}")));
            }
            Failure::Unfit { remedy, .. } | Failure::Credential { remedy, .. } => {
                self.note(&format!("  {remedy}"))
            }
            _ => {}
        }
    }

    /// Writes text to standard output.
    fn write(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::io("standard output")(error))
            }
            _ => Ok(()),
        }
    }
}

/// What a detail says: hftok tells programs by JSON which field or which level it is.
fn in_words(detail: &str) -> String {
    let Ok(members) = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(detail) else {
        return detail.to_owned();
    };
    let said =
        members.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}: {text}"),
            None => format!("{name}: {value}"),
        });
    said.collect::<Vec<_>>().join(", ")
}

/// A word beside the answer, from where there is no [`Screen`].
pub fn word(text: &str) {
    // Where nobody reads standard error there is nobody to tell of it.
    let _ = writeln!(io::stderr().lock(), "{}", shown::lines(text));
}
