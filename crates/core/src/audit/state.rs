//! The state of a secret, as the audit vouches for it: all that decides what becomes of the secret, but for its value, which
//! is bound to the version.
//!
//! What must stay true: `hftok_private.state_of()` in SQL hashes the same bytes. `verify()` compares the hash of an event
//! with that of the row, so that a difference is called tampering.

use sha2::{Digest, Sha256};

use crate::binding::BindingKey;

/// The columns that are hashed.
#[derive(Debug, Clone, Copy)]
pub struct SecretState<'a> {
    /// The key of its binding.
    pub binding_key: BindingKey,
    /// The version that is current.
    pub version: i32,
    /// The first version that is kept.
    pub oldest_version: i32,
    /// Its place among the keys of one owner for one use.
    pub position: i32,
    /// Whether it may be used.
    pub is_enabled: bool,
    /// When it ends, in microseconds since 2000-01-01 UTC.
    pub expires_at: Option<i64>,
    /// The word for whether the walk goes on when it cannot be used.
    pub on_unusable: &'a str,
    /// The hosts it may be sent to.
    pub allowed_hosts: Option<&'a [String]>,
    /// The verdict of its provider.
    pub verdict: Option<&'a str>,
    /// The name that its owner gave it.
    pub label: &'a str,
    /// Free text.
    pub description: &'a str,
}

impl SecretState<'_> {
    /// The hash; `None` where a text has no form in JSON, which none has.
    pub fn digest(&self) -> Option<[u8; 32]> {
        let quoted = |text: &str| serde_json::to_string(text).ok();
        let or_null = |text: Option<String>| text.unwrap_or_else(|| "null".to_owned());
        let hosts = match self.allowed_hosts {
            None => None,
            Some(hosts) => {
                let hosts: Option<Vec<_>> = hosts.iter().map(|host| quoted(host)).collect();
                Some(format!("[{}]", hosts?.join(", ")))
            }
        };
        let texts = [
            quoted(self.on_unusable)?,
            or_null(hosts),
            or_null(self.verdict.and_then(quoted)),
            quoted(self.label)?,
            quoted(self.description)?,
        ];
        let end = self.expires_at.map(i64::to_be_bytes);
        let hash = Sha256::new()
            .chain_update(self.binding_key)
            .chain_update(self.version.to_be_bytes())
            .chain_update(self.oldest_version.to_be_bytes())
            .chain_update(self.position.to_be_bytes())
            .chain_update([u8::from(self.is_enabled)])
            .chain_update(end.as_ref().map_or(&[][..], |end| &end[..]))
            .chain_update(b"[")
            .chain_update(texts.join(", "))
            .chain_update(b"]");
        Some(hash.finalize().into())
    }
}
