//! The identities that a database had: its own, and those of the databases that it was copied from.

use hftok_core::identity::Identity;

use super::bundles::Bundle;
use crate::error::Error;
use crate::keys::{data_keys, identity};

/// The identities that the database had, one after the other.
pub struct Eras {
    /// Each identity, with the event after which it begins.
    identities: Vec<(i64, Identity)>,
    /// The identity that a database without a log of its own continues.
    pub continued: Option<String>,
    /// The random id of the newest one.
    pub generation: Option<[u8; 16]>,
    /// The name of the log.
    pub origin: String,
}

impl Eras {
    /// Reads the identities from the stored generations. Fails in a copy: it has no key to verify with.
    pub fn known() -> Result<Self, Error> {
        // Before the first key there is nothing that could have been written.
        if data_keys::existing_audit_key()?.is_none() && identity::stored()?.is_none() {
            return Ok(Self {
                identities: Vec::new(),
                continued: None,
                generation: None,
                origin: String::new(),
            });
        }
        let home = identity::home()?;
        home.refuse_copy()?;
        let told: Vec<String> = home
            .lineage()
            .former()
            .map(|(former, last)| format!("up to event {last} it is that of {}", identity::place(former)))
            .collect();
        let continued = (!told.is_empty()).then(|| told.join("; "));
        Ok(Self {
            identities: home.lineage().identities(),
            continued,
            generation: Some(home.generation()),
            origin: home.origin(),
        })
    }

    /// The identity under which an event was written.
    pub fn at(&self, number: i64) -> Option<Identity> {
        self.identities.iter().rev().find(|(after, _)| *after < number).map(|(_, identity)| *identity)
    }

    /// Whether a bundle was written here, by the database that this one was then.
    pub fn have_made(&self, bundle: &Bundle) -> Result<bool, Error> {
        let (Some((mac, sealed)), Some(identity)) = (bundle.sealed(), self.at(bundle.last)) else {
            return Ok(false);
        };
        data_keys::was_made(&mac, |key| key.under(identity).bundle(&sealed))
    }

    /// The first event of the newest generation, which must be there: a generation that continues another begins with the event
    /// that says so. The generations are authentic if the keys unwrap, so nobody can cut off more than the events after it.
    pub fn first_own(&self) -> i64 {
        match self.identities.as_slice() {
            [_, .., (after, _)] => after + 1,
            _ => 0,
        }
    }
}
