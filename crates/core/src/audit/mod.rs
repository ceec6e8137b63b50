//! The audit: a record of every use, change and refusal, made so that nobody can rewrite it.
//!
//! | module | what it knows |
//! |---|---|
//! | [`event`] | one event |
//! | [`record`], [`fields`] | the bytes it becomes |
//! | [`leaf`] | what it is hashed as |
//! | [`sha`] | SHA-256 of short messages |
//! | [`tree`] | the Merkle tree over all leaves, and proofs by it |
//! | [`bundle`], [`filter`] | many events in one row, and finding the rows that may hold one |
//! | [`wanted`] | which events of a row are looked for |
//! | [`checkpoint`] | the signed text that says how large the log is, and its root |
//! | [`tile`] | the files in which the log is handed out |
//! | [`proof`] | texts that prove one event, or the growth of the log |
//! | [`mac`] | keyed hashes over what lies in tables |
//! | [`state`] | the hash over what a secret is, beside its value |
//! | [`vouch`] | marks on rows that decide who gets a value |
//! | [`usage`] | what a backend reports of its use of a credential |
//! | [`uses`] | uses of secrets, until they are counted |
//! | [`use_block`] | the counts of neighbouring secrets, which lie in one row |
//! | [`lane`] | the queue of one database |
//! | [`queue`] | where events wait until they are written: slots, shares, merging |

pub mod bundle;
pub mod checkpoint;
pub mod event;
mod fields;
pub mod filter;
pub mod lane;
pub mod leaf;
pub mod mac;
pub mod proof;
pub mod queue;
pub mod record;
mod sha;
pub mod state;
pub mod tally;
pub mod tile;
pub mod tree;
pub mod usage;
pub mod use_block;
pub mod uses;
pub mod vouch;
pub mod wanted;
