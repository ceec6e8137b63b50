//! The form of a file of variables, as shells and the usual libraries read it, without what they differ in.
//!
//! What must stay true: a fault names the line, and nothing that stands in it.

use zeroize::Zeroizing;

/// A variable of the file.
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it holds, quotes and escapes taken away.
    pub value: Zeroizing<String>,
    /// Where it begins.
    pub line: usize,
    /// Whether the value refers to another variable or a command: some readers would put in what that holds, and some not.
    pub refers: bool,
}

/// A line that is none of the form.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number.
    line: usize,
    /// What is wrong with it.
    what: &'static str,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// The variables of a file, in its order.
pub fn entries(text: &str) -> Result<Vec<Entry>, Fault> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    let mut entries = Vec::new();
    loop {
        let trimmed = rest.trim_start();
        line += lines(&rest[..rest.len() - trimmed.len()]);
        rest = trimmed;
        if rest.is_empty() {
            return Ok(entries);
        }
        if rest.starts_with('#') {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
            continue;
        }
        let (entry, after) = entry(rest, line)?;
        line += lines(&rest[..rest.len() - after.len()]);
        rest = after;
        entries.push(entry);
    }
}

/// How many lines end in a text.
fn lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The variable at the beginning of a text, and what comes after it.
fn entry(text: &str, line: usize) -> Result<(Entry, &str), Fault> {
    let fault = |what| Fault { line, what };
    let exported = text.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let text = exported.map_or(text, |rest| rest.trim_start_matches([' ', '\t']));
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(fault("no name of a variable"));
    }
    let Some(rest) = rest.trim_start_matches([' ', '\t']).strip_prefix('=') else {
        return Err(fault("no = after the name"));
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    let (value, refers, rest) = match rest.chars().next() {
        Some(quote @ ('"' | '\'' | '`')) => {
            let (value, refers, rest) =
                quoted(&rest[1..], quote).ok_or_else(|| fault("the quotation mark is not closed"))?;
            let (tail, rest) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
            if !(tail.trim().is_empty() || tail.trim_start().starts_with('#')) {
                return Err(fault("something stands behind the closing quotation mark"));
            }
            (value, refers, rest)
        }
        _ => {
            let (held, rest) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
            let comment = held.match_indices('#').map(|(at, _)| at);
            let comment =
                comment.into_iter().find(|at| held[..*at].is_empty() || held[..*at].ends_with([' ', '\t']));
            let held = held[..comment.unwrap_or(held.len())].trim_end();
            (Zeroizing::new(held.to_owned()), refers(held), rest)
        }
    };
    Ok((Entry { name: name.to_owned(), value, line, refers }, rest))
}

/// The text up to the closing mark, whether it refers to others, and what comes after the mark. Only double quotation marks have escapes.
fn quoted(text: &str, quote: char) -> Option<(Zeroizing<String>, bool, &str)> {
    if quote != '"' {
        let end = text.find(quote)?;
        return Some((Zeroizing::new(text[..end].to_owned()), false, &text[end + 1..]));
    }
    // As long as the text at most, so that it does not move.
    let mut value = Zeroizing::new(String::with_capacity(text.len()));
    let mut is_escaped = false;
    let mut is_reference = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => {
                is_escaped = false;
                match c {
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    '"' | '\\' | '$' | '`' => value.push(c),
                    // As shells have it.
                    _ => value.extend(['\\', c]),
                }
            }
            '\\' => is_escaped = true,
            '"' => return Some((value, is_reference, &text[at + 1..])),
            _ => {
                is_reference |=
                    c == '$' && refers(&text[at..]) && text[at + 1..].starts_with(begins_reference);
                value.push(c);
            }
        }
    }
    None
}

/// Whether a text has `$NAME`, `${…}` or `$(…)`.
fn refers(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| text[at + 1..].starts_with(begins_reference))
}

/// Whether a reference goes on with this behind its `$`.
fn begins_reference(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '_' | '{' | '(')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, clippy::panic)]

    use super::*;

    fn read(text: &str) -> Vec<(String, String, usize, bool)> {
        let entries = entries(text).expect("entries").into_iter();
        entries.map(|one| (one.name, one.value.to_string(), one.line, one.refers)).collect()
    }

    #[test]
    fn what_people_write_is_read() {
        let text = "\u{feff}# a comment\n\nA=plain # and why\r\nexport B = 'it''s # not'\n";
        assert!(entries(text).is_err(), "something behind the mark");
        let text = "# c\n\nA=plain # why\r\nexport B = 'x # y' # z\nC=\"a\\n\\\"b\\\" \\$D\"\nD=\nE=a#b\nF.G-H=\"two\nlines\"\nI=`tick`";
        let expected = [
            ("A", "plain", 3),
            ("B", "x # y", 4),
            ("C", "a\n\"b\" $D", 5),
            ("D", "", 6),
            ("E", "a#b", 7),
            ("F.G-H", "two\nlines", 8),
            ("I", "tick", 10),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, value, line)| ((*name).to_owned(), (*value).to_owned(), *line, false))
            .collect();
        assert_eq!(read(text), expected);
    }

    #[test]
    fn what_refers_to_others_is_told() {
        let refers: Vec<bool> = read("A=${B}\nB=\"x$C\"\nC='$D'\nD=$(cat x)\nE=5$\nF=a$1\nG=\"a$\"")
            .into_iter()
            .map(|one| one.3)
            .collect();
        assert_eq!(refers, [true, true, false, true, false, false, false]);
    }

    #[test]
    fn a_fault_names_the_line_only() {
        for (text, fault) in [
            ("A=1\nsecretvalue\n", "line 2: no = after the name"),
            ("A=1\n\n\"secret\"", "line 3: no name of a variable"),
            ("A=\"secret\nB=1", "line 1: the quotation mark is not closed"),
            ("A='a'secret", "line 1: something stands behind the closing quotation mark"),
            ("1A=secret", "line 1: no name of a variable"),
        ] {
            assert_eq!(entries(text).err().map(|it| it.to_string()).as_deref(), Some(fault));
        }
    }
}
