//! Fields of a COPY block: from the text that Postgres writes to what the column means.

use std::str::FromStr;

use super::Row;

/// A column that is absent, NULL or not of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

impl Row<'_> {
    /// A column; none where it is NULL or the dump is of a version that had no such column.
    pub fn optional(&self, column: &'static str) -> Option<&str> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.fields.get(at)?.as_deref()
    }

    /// A column that is not NULL.
    pub fn text(&self, column: &'static str) -> Result<&str, Unreadable> {
        self.optional(column).ok_or(Unreadable(column))
    }

    /// A number.
    pub fn number<T: FromStr>(&self, column: &'static str) -> Result<T, Unreadable> {
        self.text(column)?.parse().map_err(|_| Unreadable(column))
    }

    /// Bytes.
    pub fn bytes(&self, column: &'static str) -> Result<Vec<u8>, Unreadable> {
        bytes(self.text(column)?).ok_or(Unreadable(column))
    }

    /// The bytes of a UUID.
    pub fn uuid(&self, column: &'static str) -> Result<[u8; 16], Unreadable> {
        hftok_core::uuid(self.text(column)?).ok_or(Unreadable(column))
    }

    /// An array of text that may be NULL.
    pub fn texts(&self, column: &'static str) -> Result<Option<Vec<String>>, Unreadable> {
        let read = |text| array(text).ok_or(Unreadable(column));
        self.optional(column).map(read).transpose()
    }

    /// A moment that may be NULL, in microseconds since 2000-01-01 UTC.
    pub fn moment(&self, column: &'static str) -> Result<Option<i64>, Unreadable> {
        let read = |text| moment(text).ok_or(Unreadable(column));
        self.optional(column).map(read).transpose()
    }
}

/// A field of COPY's text format; none for NULL.
pub(super) fn unescaped(field: &str) -> Option<String> {
    if field == "\\N" {
        return None;
    }
    let mut text = String::with_capacity(field.len());
    let mut letters = field.chars();
    while let Some(letter) = letters.next() {
        let escaped = if letter == '\\' { letters.next() } else { None };
        text.push(match escaped {
            None => letter,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{b}',
            Some(other) => other,
        });
    }
    Some(text)
}

/// bytea, by `bytea_output = hex` or `escape`.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let value = |digits: &[u8], base| u8::from_str_radix(str::from_utf8(digits).ok()?, base).ok();
    if let Some(digits) = text.strip_prefix("\\x") {
        return digits.as_bytes().chunks(2).map(|pair| value(pair, 16).filter(|_| pair.len() == 2)).collect();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
                after
            }
            (b'\\', after) => {
                let (digits, after) = after.split_at_checked(3)?;
                bytes.push(value(digits, 8)?);
                after
            }
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    Some(bytes)
}

/// text[] of one dimension, without NULL in it.
fn array(text: &str) -> Option<Vec<String>> {
    let mut letters = text.strip_prefix('{')?.strip_suffix('}')?.chars().peekable();
    let mut elements = Vec::new();
    while letters.peek().is_some() {
        let is_quoted = letters.next_if_eq(&'"').is_some();
        let mut element = String::new();
        loop {
            match letters.next() {
                Some('"') if is_quoted => break,
                Some('\\') => element.push(letters.next()?),
                Some(letter) => element.push(letter),
                None => return None,
            }
            if !is_quoted && letters.peek().is_none_or(|next| *next == ',') {
                break;
            }
        }
        if !is_quoted && element == "NULL" {
            return None;
        }
        elements.push(element);
        if letters.peek().is_some() && letters.next() != Some(',') {
            return None;
        }
    }
    Some(elements)
}

/// timestamptz as `DateStyle = ISO` writes it, which pg_dump sets: `2026-11-30 01:02:03.5+00`, any offset, perhaps ` BC`.
fn moment(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (text, is_before) = text.strip_suffix(" BC").map_or((text, false), |text| (text, true));
    let (date, time) = text.split_once(' ')?;
    let (time, offset, sign) = match time.split_once('+') {
        Some((time, offset)) => (time, offset, 1),
        None => time.split_once('-').map(|(time, offset)| (time, offset, -1))?,
    };
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    // There is no year 0: 1 BC is the year before 1.
    let days = days(if is_before { 1 - year } else { year }, month, day)?;
    days.checked_mul(DAY)?.checked_add(clock(time)? - sign * clock(offset)?)
}

/// Microseconds of `hh`, `hh:mm`, `hh:mm:ss` or `hh:mm:ss.ffffff`.
fn clock(text: &str) -> Option<i64> {
    let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: i64 = format!("{fraction:0<6}").parse().ok().filter(|_| fraction.len() <= 6)?;
    let mut seconds = 0;
    let mut unit = 3600;
    for part in text.split(':') {
        // No clock shows more, and a forged one is no reason to count beyond what a number holds.
        let part: i64 = part.parse().ok().filter(|part| unit > 0 && (0..=60).contains(part))?;
        seconds += part * unit;
        unit /= 60;
    }
    Some(seconds * 1_000_000 + fraction)
}

/// Days from 2000-01-01 to a date of the Gregorian calendar. Years begin in March here, so that a leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year.abs() > 400_000 {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    // 730,425 days lie between 0000-03-01 and 2000-01-01.
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 730_425)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More seconds than a number holds.
    const FORGED: &str = "2000-01-01 9223372036854775807:00:00+00";

    #[test]
    fn a_moment_is_counted_as_postgres_counts() {
        let second = 1_000_000;
        for (text, expected) in [
            ("2000-01-01 00:00:00+00", 0),
            ("2000-01-01 00:00:00.5+00", second / 2),
            ("1999-12-31 23:59:59.999999+00", -1),
            ("2000-01-01 05:30:00+05:30", 0),
            ("1999-12-31 16:00:00-08", 0),
            ("2000-01-01 00:53:28+00:53:28", 0),
            ("2000-03-01 00:00:00+00", 60 * DAY),
            ("2099-01-01 00:00:00+00", 4_070_908_800 * second - 946_684_800 * second),
            ("0001-01-01 00:00:00+00 BC", -730_485 * DAY),
            ("294276-12-31 23:59:59.999999+00", 9_223_371_331_199_999_999),
            ("infinity", i64::MAX),
            ("-infinity", i64::MIN),
        ] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
        for text in ["", "2000-01-01", "2000-13-01 00:00:00+00", "x", "2000-01-01 00:00:00:00:00+00", FORGED]
        {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn arrays_and_bytes_come_in_the_forms_that_postgres_has() {
        let texts = |text: &str| array(text).map(|texts| texts.join("|"));
        assert_eq!(texts("{}").as_deref(), Some(""));
        assert_eq!(texts(r#"{a.b,"c,d","e\"f\\g",""}"#).as_deref(), Some("a.b|c,d|e\"f\\g|"));
        for wrong in ["", "{", "a", "{a", r#"{"a}"#, r#"{"a"b}"#, "{NULL}"] {
            assert_eq!(texts(wrong), None, "{wrong}");
        }
        assert_eq!(bytes("\\x00ff"), Some(vec![0, 255]));
        assert_eq!(bytes("a\\\\\\000\\377"), Some(b"a\\\x00\xff".to_vec()));
        for wrong in ["\\x0", "\\xzz", "\\9", "\\400"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        assert_eq!(unescaped("\\N"), None);
        assert_eq!(unescaped("a\\tb\\\\x\\n").as_deref(), Some("a\tb\\x\n"));
    }
}
