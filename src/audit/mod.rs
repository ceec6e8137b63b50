//! The audit: every use, change and refusal. No rollback takes an event back.
//!
//! ```text
//! reveals, refusals, keys ──> queue in shared memory ──┐
//!                                                      ├── writer ──> the log: a tree over all events
//! changes ──> hftok_private.audit_pending, in the ─────┘
//!             transaction of the change
//! ```
//!
//! - A use is an event at once: its value is handed out when the event is accepted (`async`), or on disk (`sync`), and where the
//!   server's commits wait for standbys, when those have it, too ([`standbys`]).
//! - A change is as durable as itself: its event lies in a table that the writer empties, written in the same transaction.
//!   That outlives a crash between commit and event, works with two-phase commit, and has no limit for a bulk of changes.
//!   What is rolled back is an event too, by way of the queue.
//! - One writer a database ([`writer`]), started by a worker that is always there ([`launcher`]) when there is something
//!   to write. While hftok is sealed there is no key to write with: events go to `audit_pending`, protected by a key of the
//!   server's run, and are written after.
//! - On a standby events are lines of the server's log.

mod action;
pub mod adopt;
mod batch;
mod bounds;
mod bundles;
pub mod changes;
mod checkpoints;
pub mod comparisons;
mod damage;
mod effects;
mod enqueue;
mod eras;
pub mod export;
mod full_tiles;
mod gathered;
pub mod launcher;
mod log;
mod log_walk;
mod nodes;
mod own_events;
pub mod pending;
mod pinned;
pub mod proofs;
pub mod purge;
pub mod reveals;
mod round;
pub mod rows;
mod standbys;
mod tables;
mod trouble;
pub mod usage;
mod use_counts;
pub mod verifier;
pub mod writer;

pub use enqueue::{denied, line, record, refused, refused_in_sql, settle};

/// Kinds of records in the queue.
mod tag {
    use hftok_core::audit::event::Event;

    /// An event.
    pub const EVENT: u8 = 0;
    /// A report of usage.
    pub const USAGE: u8 = 1;
    /// An event, after its length, and the ids of the secrets that it stands for.
    pub const MANY: u8 = 2;

    /// The record of an event.
    pub fn event(event: &Event<'_>) -> Vec<u8> {
        let mut record = Vec::with_capacity(1 + Event::USUAL);
        record.push(EVENT);
        event.encode_into(&mut record);
        record
    }
}
