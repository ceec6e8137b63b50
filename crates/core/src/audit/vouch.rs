//! Marks on rows that hold no value, and yet decide who gets one: whoever can write to their table but has no key cannot
//! make a mark that fits.

use super::mac::{AuditKey, Mac};
use crate::canonical::Canonical;

impl AuditKey<'_> {
    /// The mark of what an operator said of a provider.
    pub fn registration(&self, provider: &str, said: &str) -> Mac {
        self.sign(Canonical::new("hftok provider").field(provider).field(said))
    }

    /// The mark of a runner token: its hash, and everything that says what it stands for.
    pub fn runner_token(&self, id: &[u8; 16], hash: &[u8], stands_for: &str) -> Mac {
        self.sign(Canonical::new("hftok runner token").fixed(id).field(hash).field(stands_for))
    }

    /// The mark of when a version of a secret was replaced, in microseconds since 2000-01-01 UTC. The value cannot be bound to
    /// it: it was sealed before, and is not opened for being replaced.
    pub fn superseded(&self, secret: &[u8; 16], version: i32, at: i64) -> Mac {
        let version = version.unsigned_abs();
        self.sign(Canonical::new("hftok superseded").fixed(secret).u32(version).i64(at))
    }
}
