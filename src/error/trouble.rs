//! Why the audit may refuse an event, and what can be done about it.

/// Why the audit cannot take an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Too many events of this database wait to be written.
    Full,
    /// The server is shutting down, and nobody writes events any more.
    Closed,
    /// It was accepted, but is not on disk in time.
    NotWritten,
    /// It is on disk, but not in time where the server has its commits, too.
    NoStandby,
    /// On a standby it would go to the log, which would swallow it.
    LogTooQuiet,
    /// On a standby nothing can be on disk.
    SyncOnStandby,
    /// On a standby nothing can be counted.
    Standby,
}

impl Trouble {
    /// For the error's detail.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Full => "Events of this database wait to be written, too many or for too long.",
            Self::Closed => "The server is shutting down, and no event is written any more.",
            Self::NotWritten => "The event could not be written in time.",
            Self::NoStandby => "No synchronous standby had the event in time.",
            Self::LogTooQuiet => {
                "On a standby events go to the server log, and its level would swallow them."
            }
            Self::SyncOnStandby => "hftok.audit is sync, and on a standby nothing can be written.",
            Self::Standby => "On a standby nothing can be counted.",
        }
    }

    /// For the error's hint.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Full | Self::NotWritten => {
                "Try again. hftok.status() shows the writer, and the server's log what stops it."
            }
            Self::NoStandby => {
                "Try again. An operator looks at pg_stat_replication, synchronous_standby_names and synchronous_commit."
            }
            Self::Closed => "Try again when the server is back.",
            Self::LogTooQuiet => "An operator lowers log_min_messages.",
            Self::SyncOnStandby | Self::Standby => "Call the primary server.",
        }
    }
}
