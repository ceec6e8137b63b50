//! Parameters, parsed once.

use hftok_core::binding::Binding;
use hftok_core::plaintext::PlaintextRef;
use hftok_core::walk::is_host_pattern;
use pgrx::datum::{Array, Uuid};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::pg::call::json::Jsonb;
use crate::pg::who::request;
use crate::settings;
use crate::store::slots;

/// The first step of every function that takes or gives plaintext.
pub fn admit_plaintext() -> Result<(), Error> {
    request::refuse_get()
}

/// A parameter that must be given.
pub fn required<T>(value: Option<T>, complaint: &'static str) -> Result<T, Error> {
    value.ok_or(Error::BadInput(complaint))
}

/// A secret that is to be stored.
pub fn secret<'a>(text: &'a str) -> Result<PlaintextRef<'a>, Error> {
    let most = settings::max_secret_size();
    if text.len() > most {
        Err(Error::TooLarge { what: "A secret", most })
    } else {
        Ok(PlaintextRef::new(text))
    }
}

/// A name, short enough for a message to hold it.
pub fn name(text: Option<&str>) -> Result<&str, Error> {
    limited(text, 1024, "a name may have 1024 bytes at most")
}

/// A short text that is kept with a secret: a label, a model.
pub fn short<'a>(text: Option<&'a str>, complaint: &'static str) -> Result<Option<&'a str>, Error> {
    text.map(|text| limited(Some(text), 1024, complaint)).transpose()
}

/// The name of one of several keys that an owner has for a use; empty for the usual one.
pub fn slot(text: Option<&str>) -> Result<&str, Error> {
    let slot = limited(text.or(Some("")), 64, "p_slot may have 64 bytes at most")?;
    if slot.trim() != slot || slot.chars().any(char::is_control) {
        return Err(Error::BadInput(
            "p_slot must not begin or end with white space, nor have control characters",
        ));
    }
    Ok(slot)
}

/// The place of a key among those that its owner has for a use.
pub fn position(given: Option<i32>) -> Result<Option<i32>, Error> {
    match given {
        Some(place) if !(0..=slots::LAST).contains(&place) => {
            Err(Error::BadInput("p_position must be between 0 and 1000000"))
        }
        given => Ok(given),
    }
}

/// Whether a provider that does not exist is taken for one without credentials.
pub fn takes_unknown(word: Option<&str>) -> Result<bool, Error> {
    match word {
        None | Some("" | "error") => Ok(false),
        Some("none") => Ok(true),
        Some(_) => Err(Error::BadInput("p_unknown must be error or none")),
    }
}

/// JSON of 65536 bytes at most. `what` begins the sentence that says so.
pub fn short_json(given: Option<Jsonb>, what: &'static str) -> Result<Option<Jsonb>, Error> {
    const MOST: usize = 64 * 1024;
    match given {
        Some(given) if given.length() > MOST => Err(Error::TooLarge { what, most: MOST }),
        given => Ok(given),
    }
}

/// A list of short texts, none of them null.
pub fn texts(list: Option<Array<'_, &str>>) -> Result<Option<Vec<String>>, Error> {
    let Some(list) = list else { return Ok(None) };
    if list.len() > 1000 || list.iter().flatten().map(str::len).sum::<usize>() > 64 * 1024 {
        return Err(Error::BadInput("a list may have 1000 members and 65536 bytes at most"));
    }
    let one =
        |text: Option<&str>| text.map(str::to_owned).ok_or(Error::BadInput("a list must not contain null"));
    list.iter().map(one).collect::<Result<_, _>>().map(Some)
}

/// A list of hosts that a credential may be sent to.
pub fn hosts(list: Option<Array<'_, &str>>) -> Result<Option<Vec<String>>, Error> {
    let list = texts(list)?;
    if list.iter().flatten().all(|host| is_host_pattern(host)) {
        return Ok(list);
    }
    Err(Error::BadInput(
        "allowed_hosts has a host name that is none: give names without scheme, port and path",
    ))
}

/// Text as a JSON string, in memory that is wiped and large enough from the start.
pub fn json_string(text: &str) -> Result<Zeroizing<String>, Error> {
    let mut json = Zeroizing::new(String::new());
    json.try_reserve_exact(text.len() * 6 + 2).map_err(|_| Error::NoMemory)?;
    json.push('"');
    for letter in text.chars() {
        match letter {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            letter if letter.is_control() => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    json.push_str(&format!("\\u{unit:04x}"));
                }
            }
            letter => json.push(letter),
        }
    }
    json.push('"');
    Ok(json)
}

/// A description.
pub fn description(text: Option<&str>) -> Result<Option<&str>, Error> {
    text.map(|text| limited(Some(text), 64 * 1024, "a description may have 65536 bytes at most")).transpose()
}

/// A text that may be absent, but not be longer than is stored.
fn limited<'a>(text: Option<&'a str>, most: usize, complaint: &'static str) -> Result<&'a str, Error> {
    let text = text.unwrap_or_default();
    if text.len() > most { Err(Error::BadInput(complaint)) } else { Ok(text) }
}

/// A parameter that is part of the interface, but of a feature that doesn't exist yet: refused rather than ignored.
pub fn reserved<T>(value: Option<T>, complaint: &'static str) -> Result<(), Error> {
    if value.is_some() { Err(Error::BadInput(complaint)) } else { Ok(()) }
}

/// The key under which a secret with this binding is found. Only for bindings that are an address of their own.
pub fn binding_key(binding: &Binding<'_>) -> Uuid {
    // The id counts only for a secret that has no address.
    Uuid::from_bytes(binding.key(&[0; 16]))
}
