//! A report of a backend about its use of a credential, as it waits in the queue.

use super::fields::{Reader, put};

/// A use of a credential, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage<'a> {
    /// When, in microseconds since 2000-01-01 UTC.
    pub at: i64,
    /// The credential.
    pub secret_id: [u8; 16],
    /// The kind of owner it has.
    pub scope: &'a str,
    /// The id of the owner.
    pub owner: &'a str,
    /// The provider.
    pub provider: &'a str,
    /// Requests.
    pub requests: i64,
    /// Tokens, seconds, or whatever the provider counts.
    pub units: i64,
    /// A decimal number.
    pub cost: &'a str,
    /// The currency of the cost.
    pub currency: &'a str,
}

impl<'a> Usage<'a> {
    /// The bytes of it.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        for number in [self.at, self.requests, self.units] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.secret_id);
        for text in [self.scope, self.owner, self.provider, self.cost, self.currency] {
            put(&mut bytes, Some(text.as_bytes()));
        }
        bytes
    }

    /// The report in these bytes; `None` when there is none.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let at = i64::from_be_bytes(*rest.take::<8>()?);
        let requests = i64::from_be_bytes(*rest.take::<8>()?);
        let units = i64::from_be_bytes(*rest.take::<8>()?);
        let secret_id = *rest.take::<16>()?;
        let usage = Self {
            at,
            secret_id,
            requests,
            units,
            scope: rest.text()??,
            owner: rest.text()??,
            provider: rest.text()??,
            cost: rest.text()??,
            currency: rest.text()??,
        };
        rest.0.is_empty().then_some(usage)
    }
}
