//! The audit: a record of every use, change and refusal, made so that nobody can rewrite it.
//!
//! | module | what it knows |
//! |---|---|
//! | [`event`] | one event, and the bytes it becomes |
//! | [`chain`] | how each event is tied to the one before it, and the text that pins the end of the chain |
//! | [`state`] | the hash over what a secret is, beside its value |
//! | [`vouch`] | marks on rows that decide who gets a value |
//! | [`usage`] | what a backend reports of its use of a credential |
//! | [`lane`] | the queue of one database |
//! | [`queue`] | where events wait until they are written: slots, shares, merging |

pub mod chain;
pub mod event;
pub mod lane;
pub mod queue;
pub mod state;
pub mod usage;
pub mod vouch;
