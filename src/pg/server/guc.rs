//! Settings with a fixed choice of words.

use pgrx::PostgresGucEnum;

/// When a value is handed out: as soon as its event is accepted, or only once that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
pub enum AuditMode {
    /// Events are on disk soon.
    #[name = c"async"]
    Async,
    /// Answers wait for their events.
    #[name = c"sync"]
    Sync,
}

/// The calls for which the backend must name somebody, and whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PostgresGucEnum)]
pub enum RequireUser {
    /// A user for integrations.
    #[name = c"integrations"]
    Integrations,
    /// A user, an organisation or the levels for walks as well.
    #[name = c"always"]
    Always,
    /// Nobody.
    #[name = c"never"]
    Never,
}
