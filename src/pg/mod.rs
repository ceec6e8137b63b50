//! Postgres behind small safe types: the only room of the house where `unsafe` lives.
//!
//! Two rules hold everywhere in it. A Postgres error never jumps over Rust frames that own something: every call
//! goes through pgrx's bindings, which turn it into an unwinding, and [`entry`] turns that back into an error at the
//! very edge. And nothing here decides anything about secrets.
#![allow(unsafe_code)]

pub mod acl;
pub mod append;
pub mod audit_queue;
pub mod audit_wait;
mod bare;
pub mod caller;
pub mod command;
pub mod composite;
mod direct;
pub mod entry;
pub mod gateway;
pub mod guarded;
pub mod guc;
pub mod guesses;
pub mod init;
pub mod json;
pub mod key_pages;
pub mod lock;
mod mapping;
pub mod memory;
pub mod owner;
pub mod raise;
pub mod relations;
pub mod request;
pub mod roles;
pub mod row_set;
pub mod scan;
pub mod server_log;
pub mod session;
pub mod shortcuts;
pub mod snapshot;
pub mod sql;
pub mod standby;
pub mod statement;
pub mod strangers;
pub mod table_owner;
pub mod texts;
pub mod transaction;
pub mod trigger;
pub mod wait;
pub mod worker;
