//! hftok: a vault for third-party API credentials inside Postgres. This file is the map.
//!
//! | room | what is in it |
//! |---|---|
//! | [`api`] | one file a subject: the functions that SQL can call, each short enough to read as a rule |
//! | [`store`] | rows: secrets and their versions, and what a session knows of them |
//! | [`audit`] | what was done, written where a rollback does not reach |
//! | [`keys`] | the keyring: where it comes from, who loads it, whether hftok is sealed; the data keys it unwraps |
//! | [`pg`] | the only part with `unsafe`, in four rooms: Postgres behind small safe types |
//! | [`error`] | every way to fail, and what a caller sees of it |
//! | [`settings`] | `hftok.*` in postgresql.conf |
//!
//! The rules about secrets are in `crates/core`, which knows nothing of Postgres; tables, views, function
//! declarations and privileges are in `sql/`. Dependencies point one way: `api` -> `store` -> `audit` -> `keys` -> `pg` -> `error`
//! (`tests/tests/rooms.rs`). What a room needs of those above it this file hands in.

mod api;
mod audit;
mod error;
mod keys;
mod pg;
mod settings;
mod store;

pg::call::init::entry_point!(init);

/// Runs when Postgres loads the library. Without preload nothing is defined: settings would outlive their
/// meaning, shared memory cannot be had, and pg_upgrade's load check must pass.
fn init(preloading: bool) {
    hftok_core::trace::clear_registers_by(pg::registers::clear);
    pg::call::entry::tell_refusals(audit::refused);
    pg::call::entry::limit_values(settings::max_secret_size);
    keys::data_keys::tell_made(audit::changes::data_key_made);
    pg::who::gateway::list_by(settings::gateways);
    if preloading {
        settings::init();
        pg::server::key_pages::init();
        pg::server::scarcity::init();
        pg::server::audit_queue::init(settings::audit_queue_size());
        pg::server::audit_wait::init();
        pg::server::guesses::init();
        pg::server::visits::init();
        pg::rows::buckets::init(settings::shortcut_memory());
        pg::rows::absence::init(settings::check_absence);
        pg::server::server_log::tell_denials(audit::denied);
        keys::worker::init();
        audit::launcher::init();
    }
}
