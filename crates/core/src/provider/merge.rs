//! Credentials that were shown masked, and come back with only some fields typed anew.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::Rejection;
use super::check::{BYTES_MAX, MEMBERS_MAX};
use crate::plaintext::MASK;

/// Whether a text may hold a mask: as it is, or as JSON escapes it.
pub fn may_be_masked(given: &str) -> bool {
    given.contains(MASK) || given.contains("\\u2022")
}

/// The value to be stored: the given object, in which every field that holds the mask is replaced by its stored value.
/// `None` when no field was typed anew.
pub fn merge(given: &str, stored: &[u8]) -> Result<Option<Zeroizing<String>>, Rejection> {
    if given.len() > BYTES_MAX {
        return Err(Rejection::TooLong);
    }
    let stored = std::str::from_utf8(stored).unwrap_or_default();
    let ObjectText(given) = serde_json::from_str(given).map_err(|_| Rejection::Masked)?;
    let ObjectText(stored) = serde_json::from_str(stored).unwrap_or_default();
    let keeps = |value: &RawValue| {
        let text = serde_json::from_str(value.get()).map(Zeroizing::<String>::new);
        text.is_ok_and(|text| text.contains(MASK))
    };
    if given.values().all(|value| keeps(value)) {
        return Ok(None);
    }
    let most: usize =
        given.iter().chain(&stored).map(|(name, value)| name.len() * 6 + value.get().len() + 8).sum();
    // As large as it can get, because a text that grows leaves what it held behind.
    let mut merged = Zeroizing::new(String::new());
    merged.try_reserve_exact(most).map_err(|_| Rejection::NoMemory)?;
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
    Ok(Some(merged))
}

/// The members of a JSON object as they are written.
#[derive(Default)]
struct ObjectText<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for ObjectText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = ObjectText<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ObjectText<'de>, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    members.insert(name, value);
                    if members.len() > MEMBERS_MAX {
                        return Err(A::Error::custom("too many members"));
                    }
                }
                Ok(ObjectText(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::{may_be_masked, merge};
    use crate::provider::Rejection;

    fn of(given: &str) -> Result<Option<String>, Rejection> {
        assert!(may_be_masked(given));
        Ok(merge(given, br#"{"id":"a","secret":"old","more":{"x":1}}"#)?.map(|merged| merged.to_string()))
    }

    #[test]
    fn masked_fields_stay() {
        let merged = Ok(Some(r#"{"id":"b","more":2,"secret":"old"}"#.to_owned()));
        assert_eq!(of(r#"{"id":"b","secret":"••••","more":2}"#), merged);
        assert_eq!(of(r#"{"id":"b","secret":"\u2022\u2022","more":2}"#), merged);
        assert_eq!(of(r#"{"a\"b":"c","other":"••••"}"#), Ok(Some(r#"{"a\"b":"c"}"#.to_owned())));
    }

    #[test]
    fn nothing_typed_is_nothing_to_do_and_a_mask_is_no_key() {
        assert_eq!(of(r#"{"id":"••••","secret":"••••"}"#), Ok(None));
        assert_eq!(of("hf_••••1234"), Err(Rejection::Masked));
    }
}
