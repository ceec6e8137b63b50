//! Texts that lie deeper in a document than its members: an integration may have any object.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// The texts within the members of a document that are lists or objects; none, if it is no JSON.
pub fn texts(document: &str) -> Vec<Zeroizing<String>> {
    let mut texts = Vec::new();
    let mut reader = serde_json::Deserializer::from_str(document);
    // Whoever calls it has read it before. What was found up to a fault counts.
    let _ = Deeper { texts: &mut texts, depth: 0 }.deserialize(&mut reader);
    texts
}

/// A part of a document.
struct Deeper<'a> {
    /// What was found.
    texts: &'a mut Vec<Zeroizing<String>>,
    /// How many lists and objects it lies in.
    depth: usize,
}

impl Deeper<'_> {
    /// A part of this one.
    fn part(&mut self) -> Deeper<'_> {
        Deeper { texts: self.texts, depth: self.depth + 1 }
    }
}

impl<'de> DeserializeSeed<'de> for Deeper<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Deeper<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        // Members themselves have names, by which providers say whether they are secret.
        if self.depth > 1 {
            self.texts.push(Zeroizing::new(text.to_owned()));
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(self.part())?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(self.part())?;
        }
        Ok(())
    }
}
