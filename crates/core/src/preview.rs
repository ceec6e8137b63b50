//! The preview of a secret: enough for its owner to recognise it, not enough for anybody else to use.
//!
//! What must stay true: every preview has the same width, so that it tells nothing of the length; it shows at most
//! the provider's public prefix and four last characters, and of those only letters and digits; and it contains a
//! bullet, which no HTTP client accepts in a header, so that a preview sent as a key by mistake goes nowhere.

use crate::plaintext::{MASK, PlaintextRef};
use crate::provider;

/// The width of every preview, in characters. `PREFIX_MAX` follows from it.
pub const WIDTH: usize = 20;
/// Characters shown at the end. The longer they are, the fewer prefixes are shown (`PREFIX_MAX`).
const TAIL: usize = 4;
/// The bullets that stand between the longest prefix and the tail, so that a mask is seen to be one.
const BULLETS_MIN: usize = 4;
/// The number of characters that must stay hidden between prefix and tail, or nothing is shown at all. 16 characters of a
/// 62-letter alphabet are 95 bits.
const LEAST_HIDDEN: usize = 16;

/// A longer prefix is not shown. A test below names the prefixes of the catalogue that are too long.
const PREFIX_MAX: usize = WIDTH - TAIL - BULLETS_MIN;

/// The prefix of a value that may be shown: one that a provider publishes and gives to all its keys.
pub(crate) fn prefix_of(value: &[u8]) -> &'static str {
    let known = provider::prefixes().iter().find(|prefix| value.starts_with(prefix.as_bytes()));
    known.copied().filter(|prefix| prefix.len() <= PREFIX_MAX).unwrap_or_default()
}

/// The preview of a value.
pub fn preview(value: &PlaintextRef<'_>) -> String {
    let (prefix, tail) = shown(value.expose()).unwrap_or_default();
    masked(prefix, tail)
}

/// Whether this may be a preview of the value: it has the form of one, and shows no more than a preview of today would. So a
/// prefix that becomes known makes no preview wrong that was made before.
pub fn fits(text: &str, value: &PlaintextRef<'_>) -> bool {
    let (prefix, tail) = shown(value.expose()).unwrap_or_default();
    let (before, after) =
        (text.split(MASK).next().unwrap_or_default(), text.rsplit(MASK).next().unwrap_or_default());
    text.contains(MASK)
        && prefix.starts_with(before)
        && (after.is_empty() || after == tail)
        && text == masked(before, after)
}

/// One width for all, whatever is shown of it.
fn masked(prefix: &str, tail: &str) -> String {
    let mut text = String::with_capacity(WIDTH * MASK.len_utf8());
    text.push_str(prefix);
    text.extend(std::iter::repeat_n(MASK, WIDTH - prefix.len() - tail.len()));
    text.push_str(tail);
    text
}

/// The prefix and tail that may be seen, or nothing.
fn shown(value: &[u8]) -> Option<(&'static str, &str)> {
    let prefix = prefix_of(value);
    let secret = &value[prefix.len()..];
    // A sentence, a PEM block or a JSON document is no key: its last characters would be part of what it says.
    if !secret.iter().all(|byte| byte.is_ascii_graphic()) || secret.starts_with(b"{") {
        return None;
    }
    let (hidden, tail) = secret.split_at_checked(secret.len().checked_sub(TAIL)?)?;
    let tail = std::str::from_utf8(tail).ok()?;
    let fits = hidden.len() >= LEAST_HIDDEN && tail.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then_some((prefix, tail))
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, fits, preview};
    use crate::plaintext::{MASK, PlaintextRef};
    use crate::provider::prefixes;

    fn of(value: &str) -> String {
        preview(&PlaintextRef::new(value))
    }

    #[test]
    fn prefix_and_tail_of_a_key() {
        assert_eq!(of("hf_abcdefghijklmnopqrstuvwxyzABCD1234"), "hf_•••••••••••••1234");
        assert_eq!(of("sk-ant-api03-abcdefghijklmnopqrstuv99"), "sk-ant-•••••••••uv99");
        assert_eq!(of("0123456789abcdef0123456789abcdef"), "••••••••••••••••cdef");
    }

    #[test]
    fn nothing_of_what_is_short_or_no_key() {
        let nothing = MASK.to_string().repeat(WIDTH);
        for value in [
            "",
            "a",
            "hf_",
            "hf_short",
            "hf_0123456789abcdef123",
            "0123456789abcdef123",
            "correct horse battery staple",
            "{\"type\":\"service_account\",\"private_key\":\"x\"}",
            "-----BEGIN PRIVATE KEY-----\nabcdefghijklmnopqrstuvwxyz",
            "абвгдежзийклмнопрстуфхцчшщ",
            "abcdefghijklmnopqrstuvwxyz+/==",
        ] {
            assert_eq!(of(value), nothing, "{value}");
        }
    }

    /// Whoever adds such a prefix, or makes the tail longer or the width less, decides here that it is not shown.
    #[test]
    fn each_public_prefix_is_shown_but_those_that_are_too_long() {
        let of_a_key = |prefix: &str| of(&format!("{prefix}{}", "x1".repeat(20)));
        let hidden: Vec<_> =
            prefixes().iter().copied().filter(|prefix| !of_a_key(prefix).starts_with(*prefix)).collect();
        assert_eq!(hidden, ["bedrock-api-key-"]);
    }

    #[test]
    fn always_as_wide_and_always_masked() {
        for prefix in prefixes() {
            for len in [0, 5, 20, 40, 4000] {
                let text = of(&format!("{prefix}{}", "x1".repeat(len)));
                assert_eq!(text.chars().count(), WIDTH);
                assert!(text.contains(MASK));
            }
        }
    }

    #[test]
    fn what_shows_less_fits_and_what_shows_more_does_not() {
        let key = "hf_oauth_abcdefghijklmnopqrstuvwxyzABCD1234";
        assert_eq!(of(key), "hf_oauth_•••••••1234");
        let fits = |text: &str| fits(text, &PlaintextRef::new(key));
        for text in
            [&of(key), "hf_•••••••••••••1234", "••••••••••••••••1234", "hf_•••••••••••••••••", &of("")]
        {
            assert!(fits(text), "{text}");
        }
        for text in [
            "",
            key,
            "hf_oauth_••••••••1234",
            "hf_oauth_••••••1234",
            "hf_oauth_••••••D1234",
            "hf_oauth_•••••••1235",
            "hf_oauth_••••••••234",
            "hf_oauth_a••••••1234",
            "hf_oauth_••1••••1234",
            "sk-•••••••••••••1234",
        ] {
            assert!(!fits(text), "{text}");
        }
    }
}
