//! What is wrong with a log, or with the pins that it is held against.

use serde::Serialize;

/// The sort of a finding, as a monitor asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Events that a pin has are missing at the newest end.
    CutOff,
    /// Events, or hashes over them, are not those that were signed.
    Replaced,
    /// The same key has signed two logs that differ.
    Forked,
    /// Events are missing, and no purge tells of them.
    Missing,
    /// A checkpoint is not signed by a key that is trusted.
    NotSigned,
    /// hftok itself found damage there, and went on.
    Damaged,
    /// A pin is older than it may be, or there is none.
    PinMissing,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its sort.
    pub finding: Sort,
    /// The first event that it is about.
    pub event: Option<u64>,
    /// The pin that shows it.
    pub pin: Option<String>,
    /// What is wrong, for people.
    pub what: String,
}

impl Finding {
    /// A finding about events from this one on.
    pub fn at(finding: Sort, event: u64, what: impl Into<String>) -> Self {
        Self { finding, event: Some(event), pin: None, what: what.into() }
    }

    /// A finding about no event.
    pub fn new(finding: Sort, what: impl Into<String>) -> Self {
        Self { finding, event: None, pin: None, what: what.into() }
    }

    /// With the pin that shows it.
    pub fn by(mut self, pin: &str) -> Self {
        self.pin = Some(pin.to_owned());
        self
    }
}

/// Findings as lines for people.
pub fn lines(findings: &[Finding]) -> String {
    findings.iter().map(|found| format!("NOT OK: {}\n", found.what)).collect()
}

/// "event 7", or "events 7 to 9".
pub fn events(first: u64, last: u64) -> String {
    if first >= last { format!("event {first}") } else { format!("events {first} to {last}") }
}
