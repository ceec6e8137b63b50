//! The server: its processes, their transactions, and the memory, log and settings that they share.

pub(in crate::pg) mod area;
pub mod audit_queue;
pub mod audit_wait;
mod bell;
mod brief_lock;
pub mod command;
pub mod guc;
pub mod guesses;
pub mod key_pages;
pub mod memory;
pub mod scarcity;
pub mod server_log;
pub mod standby;
pub mod transaction;
pub mod visits;
pub mod wait;
pub mod worker;
pub mod worker_transaction;
