//! A finding: what is wrong with which object, how bad it is, and the lines that mend it.

use std::fmt::Write as _;

use serde::Serialize;

use crate::shown;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something that will be a trouble, or that lets values escape where somebody else errs too.
    Warning,
    /// Values do not open, nobody records who reads them, or somebody has them who should not.
    Critical,
}

/// A step of a remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", content = "line", rename_all = "lowercase")]
pub enum Step {
    /// A statement, for a superuser in this database.
    Sql(String),
    /// A command, on the machine of the server, for root.
    Shell(String),
    /// The server is started again: a reload is not enough.
    Restart(String),
    /// What no line does.
    Hand(String),
}

impl Step {
    /// A statement.
    pub fn sql(line: impl Into<String>) -> Self {
        Self::Sql(line.into())
    }

    /// A command.
    pub fn shell(line: impl Into<String>) -> Self {
        Self::Shell(line.into())
    }

    /// What somebody has to do who knows more than this command.
    pub fn hand(line: impl Into<String>) -> Self {
        Self::Hand(line.into())
    }

    /// Settings are read again.
    pub fn reload() -> Self {
        Self::sql("SELECT pg_reload_conf()")
    }

    /// The keyring is read again.
    pub fn unseal() -> Self {
        Self::sql("SELECT hftok.unseal()")
    }
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// What monitors know it by: it stays the same from version to version.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub object: String,
    /// What is wrong.
    pub what: String,
    /// What mends it, in this order.
    pub remedy: Vec<Step>,
}

impl Finding {
    /// A finding that is critical.
    pub fn critical(
        name: &'static str,
        object: impl Into<String>,
        what: impl Into<String>,
        remedy: Vec<Step>,
    ) -> Self {
        Self { name, severity: Severity::Critical, object: object.into(), what: what.into(), remedy }
    }

    /// A finding that is none yet.
    pub fn warning(
        name: &'static str,
        object: impl Into<String>,
        what: impl Into<String>,
        remedy: Vec<Step>,
    ) -> Self {
        Self { name, severity: Severity::Warning, object: object.into(), what: what.into(), remedy }
    }

    /// For people.
    pub fn text(&self) -> String {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Critical => "CRITICAL",
        };
        // What others named takes no line of its own.
        let (object, what) = (shown::line(&self.object), shown::line(&self.what));
        let mut text = format!("{severity} {} {object}: {what}\n", self.name);
        for step in &self.remedy {
            // A String takes all that is written to it.
            let _ = match step {
                Step::Sql(line) => writeln!(text, "  SQL      {};", shown::line(line)),
                Step::Shell(line) => writeln!(text, "  shell    {}", shown::line(line)),
                Step::Restart(line) => writeln!(text, "  restart  {line}"),
                Step::Hand(line) => writeln!(text, "  do       {line}"),
            };
        }
        text
    }
}

/// A text as one word of a shell.
pub fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A text as a literal of SQL.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', r"\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::{literal, quoted};

    #[test]
    fn what_is_quoted_is_one_word() {
        assert_eq!(quoted("/etc/hftok/keyring"), "/etc/hftok/keyring");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("a'; rm -rf $HOME"), r"'a'\''; rm -rf $HOME'");
        assert_eq!(quoted(""), "''");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'"), r"E'a\\'''");
    }
}
