//! Text of others, as a terminal may show it.
//!
//! What must stay true: a label, a name or a message that somebody else wrote moves no cursor, sets no title, and turns no line
//! round: what a terminal would obey is shown as its code.

use std::borrow::Cow;

/// Text for people: lines stay, and tabs within them.
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| is_obeyed(c) && !matches!(c, '\n' | '\t'), |c| c.escape_unicode().to_string())
}

/// Text that has one line.
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, is_obeyed, |c| c.escape_unicode().to_string())
}

/// JSON, which has escaped the first 32 itself. Others are in its strings only, and mean the same as escapes.
pub fn json(text: &str) -> Cow<'_, str> {
    replaced(text, |c| is_obeyed(c) && c != '\n', |c| format!("\\u{:04x}", u32::from(c)))
}

/// Controls, and what changes the direction of writing.
fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text in which some characters are something else.
fn replaced(text: &str, is_replaced: impl Fn(char) -> bool, by: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(&is_replaced) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if is_replaced(c) { by(c) } else { c.to_string() }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing() {
        assert_eq!(line("a\u{1b}[2Jb\nc"), r"a\u{1b}[2Jb\u{a}c");
        assert_eq!(lines("a\u{9b}2J\r\n\tb\u{202e}"), "a\\u{9b}2J\\u{d}\n\tb\\u{202e}");
    }

    #[test]
    fn json_means_the_same() {
        let text = "é\u{7f}\u{9b}\u{2066}\u{1b}";
        let written = serde_json::to_string(text).unwrap_or_default();
        assert_eq!(json(&written), r#""é\u007f\u009b\u2066\u001b""#);
        assert_eq!(serde_json::from_str::<String>(&json(&written)).ok().as_deref(), Some(text));
    }
}
