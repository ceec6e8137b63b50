//! What of the keyring has been used since the server's start. A keyring that lacks it would make every database that
//! needs it unreadable, and perhaps the pages hold the last copy: it replaces nothing unless an operator insists.

use hftok_core::identity::Installation;
use hftok_core::keyring::{Keyring, MAX_ROOT_KEYS};
use hftok_core::root_key::{RootFingerprint, RootKeyId};

use super::state::Reason;

/// Plain memory: it lies in shared memory.
#[derive(Clone, Copy)]
pub struct InUse {
    /// One for each root key that a loaded keyring had.
    roots: [Option<(RootKeyId, RootFingerprint)>; MAX_ROOT_KEYS],
    /// The name that the keyring gave this installation; None before one was loaded.
    installation: Option<Installation>,
}

impl InUse {
    /// Nothing was used.
    pub const NOTHING: Self = Self { roots: [None; MAX_ROOT_KEYS], installation: None };

    /// Notes that a root key unwrapped something, in a database of this installation.
    pub fn note(&mut self, id: RootKeyId, fingerprint: RootFingerprint, installation: &Installation) {
        self.installation = Some(*installation);
        let noted = Some((id, fingerprint));
        // As many as a keyring can hold: another keyring replaces the one in use only where all of them go on or are forgotten.
        let place = self.roots.iter_mut().find(|place| place.is_none() || **place == noted);
        if let Some(place) = place {
            *place = noted;
        }
    }

    /// What speaks against a keyring in place of the one in use.
    pub fn objection(&self, keyring: &Keyring) -> Option<Reason> {
        let is_lost = |(id, fingerprint): &(RootKeyId, RootFingerprint)| {
            keyring.find(*id).is_none_or(|key| key.fingerprint() != *fingerprint)
        };
        if let Some((id, fingerprint)) = self.roots.iter().flatten().find(|root| is_lost(root)) {
            let is_changed = keyring.find(*id).is_some();
            return Some(Reason::RootInUse { id: *id, fingerprint: *fingerprint, is_changed });
        }
        self.installation.filter(|name| name != keyring.installation()).map(Reason::NameInUse)
    }
}
