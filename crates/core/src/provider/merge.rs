//! Credentials that were shown masked, and come back with only some fields typed anew.

use serde_json::value::RawValue;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

use crate::preview::MASK;

/// What is to be stored: the given text, with every field that holds the mask as it is stored. `None` when nothing was
/// typed anew.
pub fn merge(given: &str, stored: &[u8]) -> Option<Zeroizing<String>> {
    if !given.contains(MASK) {
        return Some(Zeroizing::new(given.to_owned()));
    }
    let stored = std::str::from_utf8(stored).unwrap_or_default();
    let Ok(given) = serde_json::from_str::<BTreeMap<&str, &RawValue>>(given) else { return None };
    let stored: BTreeMap<&str, &RawValue> = serde_json::from_str(stored).unwrap_or_default();
    let keeps = |value: &RawValue| value.get().contains(MASK);
    if given.values().all(|value| keeps(value)) {
        return None;
    }
    let mut merged = Zeroizing::new(String::with_capacity(64 * 1024));
    for (name, value) in &given {
        let value = if keeps(value) { stored.get(name).copied() } else { Some(*value) };
        if let Some(value) = value {
            let separator = if merged.is_empty() { '{' } else { ',' };
            merged.push(separator);
            merged.push_str(&serde_json::json!(name).to_string());
            merged.push(':');
            merged.push_str(value.get());
        }
    }
    merged.push('}');
    Some(merged)
}

#[cfg(test)]
mod tests {
    use super::merge;

    fn of(given: &str) -> Option<String> {
        merge(given, br#"{"id":"a","secret":"old","more":{"x":1}}"#).map(|merged| merged.to_string())
    }

    #[test]
    fn masked_fields_stay() {
        assert_eq!(
            of(r#"{"id":"b","secret":"••••","more":2}"#).as_deref(),
            Some(r#"{"id":"b","more":2,"secret":"old"}"#)
        );
        assert_eq!(of(r#"{"id":"b","other":"••••"}"#).as_deref(), Some(r#"{"id":"b"}"#));
        assert_eq!(of(r#"{"id":"b"}"#).as_deref(), Some(r#"{"id":"b"}"#));
        assert_eq!(of("key").as_deref(), Some("key"));
    }

    #[test]
    fn nothing_typed_is_nothing_to_do() {
        assert_eq!(of(r#"{"id":"••••","secret":"••••"}"#), None);
        assert_eq!(of("hf_••••1234"), None);
    }
}
