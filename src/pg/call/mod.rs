//! A call from SQL: its arguments, its answer, and the error that it ends with.

pub mod composite;
pub mod entry;
pub mod guarded;
pub mod init;
pub mod json;
pub mod plaintext;
pub mod raise;
pub mod statement;
pub mod trigger;
