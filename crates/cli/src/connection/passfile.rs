//! The password file: `host:port:database:user:password`, a line each.
//!
//! What must stay true: a file that others can read is not used, and that is said.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::settings::Settings;
use crate::screen;

/// The password for a host, a port, a database and a user.
pub fn password(settings: &Settings, host: &str, port: u16) -> Option<Zeroizing<String>> {
    let path = match settings.get("passfile") {
        Some(path) => PathBuf::from(path),
        None => std::env::home_dir()?.join(".pgpass"),
    };
    let text = kept_private(&path)?;
    let wanted = [host, &port.to_string(), settings.get("dbname")?, settings.get("user")?];
    text.lines().find_map(|line| of_line(line, wanted))
}

/// The file, if it is one and nobody else can read it.
fn kept_private(path: &Path) -> Option<Zeroizing<String>> {
    let about = fs::metadata(path).ok()?;
    if !about.is_file() {
        screen::word(&format!("warning: {} is no file, and is not used", path.display()));
        return None;
    }
    if about.permissions().mode() & 0o077 != 0 {
        let path = path.display();
        screen::word(&format!("warning: {path} is not used, because others may read it: chmod 0600 {path}"));
        return None;
    }
    fs::read_to_string(path).ok().map(Zeroizing::new)
}

/// The password of a line that fits.
fn of_line(line: &str, wanted: [&str; 4]) -> Option<Zeroizing<String>> {
    if line.starts_with('#') {
        return None;
    }
    let mut rest = line;
    for one in wanted {
        let (field, after) = field(rest)?;
        if field.as_str() != "*" && unescaped(&field).as_str() != one {
            return None;
        }
        rest = after;
    }
    let password = unescaped(rest.trim_end_matches('\r'));
    (!password.is_empty()).then_some(password)
}

/// The text before the next colon that has no \ before it, and what follows that colon.
fn field(text: &str) -> Option<(Zeroizing<String>, &str)> {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            ':' if !escaped => {
                return Some((Zeroizing::new(text.get(..at)?.to_owned()), text.get(at + 1..)?));
            }
            _ => escaped = letter == '\\' && !escaped,
        }
    }
    None
}

/// Without each \ that stands before another character.
fn unescaped(text: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_by_its_four_fields() {
        let wanted = ["db.example", "5432", "app", "ali:ce"];
        let of = |line| of_line(line, wanted).map(|password| password.to_string());
        assert_eq!(of(r"db.example:5432:app:ali\:ce:a\:b\\c:d").as_deref(), Some(r"a:b\c:d"));
        assert_eq!(of("*:*:*:*:any").as_deref(), Some("any"));
        assert_eq!(of("*:5433:*:*:any"), None);
        assert_eq!(of("#*:*:*:*:any"), None);
        assert_eq!(of(r"\*:*:*:*:any"), None);
        assert_eq!(of("*:*:*:any"), None);
    }
}
