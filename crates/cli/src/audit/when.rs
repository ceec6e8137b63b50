//! Times and spans as people give them: `1h`, `90d`, or a time as Postgres reads it.

use std::time::{Duration, SystemTime};

/// Reads a span: `90s`, `15m`, `1h`, `1h 30m`, `7d`.
pub fn span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if span < Duration::from_secs(1) { Err("at least a second".to_owned()) } else { Ok(span) }
}

/// Reads a time: a span is so long ago; anything else is left to Postgres.
pub fn time(text: &str) -> Result<String, String> {
    let ago = humantime::parse_duration(text).ok().and_then(|span| SystemTime::now().checked_sub(span));
    Ok(ago.map_or_else(|| text.to_owned(), |time| humantime::format_rfc3339_micros(time).to_string()))
}

/// Reads a time of our own: a span is so long ago; else `2026-11-30T08:00:00Z`.
pub fn own_time(text: &str) -> Result<SystemTime, String> {
    if let Ok(span) = humantime::parse_duration(text) {
        return SystemTime::now().checked_sub(span).ok_or_else(|| "too long ago".to_owned());
    }
    humantime::parse_rfc3339_weak(text).map_err(|error| error.to_string())
}

/// A time for people and machines, to the second: `2026-11-30T08:00:00Z`.
pub fn stamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// A span for people, to the second.
pub fn told(span: Duration) -> String {
    humantime::format_duration(Duration::from_secs(span.as_secs())).to_string()
}
