//! Marks on rows that hold no value, and yet decide who gets one: whoever can write to their table but has no key cannot
//! make a mark that fits.

use super::chain::{AuditKey, Link};
use crate::canonical::Canonical;

impl AuditKey<'_> {
    /// The mark of what an operator said of a provider.
    pub fn registration(&self, provider: &str, said: &str) -> Link {
        self.sign(&Canonical::new("hftok provider").field(provider).field(said).finish())
    }
}
