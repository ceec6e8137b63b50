//! Postgres behind small safe types: the only part of the house where `unsafe` lives. It has four rooms,
//! and beside them [`registers`], which is the processor's matter.
//!
//! | room | what is in it |
//! |---|---|
//! | [`call`] | a call from SQL: its arguments, its answer, and the error that it ends with |
//! | [`who`] | identities: who calls, what they were granted, and as whom hftok acts for them |
//! | [`rows`] | reading, writing and locking rows, with SQL and without |
//! | [`server`] | processes, transactions, and the memory, log and settings that they share |
//!
//! Two rules hold everywhere in it. A Postgres error never jumps over Rust frames that own something: every call
//! goes through pgrx's bindings, which turn it into an unwinding, and [`call::entry`] turns that back into an error at
//! the very edge. And nothing here decides anything about secrets.
#![allow(unsafe_code)]

mod bare;
pub mod call;
pub mod registers;
pub mod rows;
pub mod server;
pub mod who;
