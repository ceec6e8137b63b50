//! What may be shown of a secret: enough for its owner to recognise it, not enough for anybody else to use.
//!
//! What must stay true: every preview has the same width, so that it tells nothing of the length; it shows at most
//! the provider's public prefix and four last characters, and of those only letters and digits; and it contains a
//! bullet, which no HTTP client accepts in a header, so that a preview sent as a key by mistake goes nowhere.

use crate::plaintext::PlaintextRef;

/// The width of every preview, in characters.
pub const WIDTH: usize = 20;
/// The character that stands for what is hidden.
pub const MASK: char = '•';
const TAIL: usize = 4;
/// What must stay hidden between prefix and tail, or nothing is shown at all: 16 characters of a 62-letter alphabet
/// are 95 bits.
const LEAST_HIDDEN: usize = 16;

/// Prefixes that providers publish and give to all their keys. A longer one stands before the one it begins with.
pub(crate) const PREFIXES: [&str; 20] = [
    "github_pat_",
    "sk-ant-",
    "sk-or-v1-",
    "sk-proj-",
    "sk-svcacct-",
    "sk-admin-",
    "sk-",
    "hf_",
    "api_org_",
    "gsk_",
    "r8_",
    "xai-",
    "nvapi-",
    "pplx-",
    "fw_",
    "AIza",
    "AKIA",
    "ASIA",
    "ghp_",
    "ghs_",
];

/// The preview of a value.
pub fn preview(value: &PlaintextRef<'_>) -> String {
    let (prefix, tail) = shown(value.expose()).unwrap_or_default();
    let mut text = String::with_capacity(WIDTH * MASK.len_utf8());
    text.push_str(prefix);
    text.extend(std::iter::repeat_n(MASK, WIDTH - prefix.len() - tail.len()));
    text.push_str(tail);
    text
}

fn shown(value: &[u8]) -> Option<(&'static str, &str)> {
    let prefix = PREFIXES.into_iter().find(|prefix| value.starts_with(prefix.as_bytes())).unwrap_or_default();
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
    use super::{MASK, PREFIXES, WIDTH, preview};
    use crate::plaintext::PlaintextRef;

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

    #[test]
    fn always_as_wide_and_always_masked() {
        for prefix in PREFIXES {
            for len in [0, 5, 20, 40, 4000] {
                let text = of(&format!("{prefix}{}", "x1".repeat(len)));
                assert_eq!(text.chars().count(), WIDTH);
                assert!(text.contains(MASK));
            }
        }
    }

    #[test]
    fn longer_prefixes_come_first() {
        for (at, prefix) in PREFIXES.iter().enumerate() {
            assert!(!PREFIXES[..at].iter().any(|earlier| prefix.starts_with(earlier)), "{prefix}");
        }
    }
}
