//! What works without the server that sealed the values: exports in the age format, and dumps with their keyring.
//!
//! What must stay true: a value is on a disk only inside an age file, or where `--reveal` was asked to put it; every file that
//! is written has mode 0600 and appears whole or not at all.

mod age_file;
mod databases;
mod dump;
mod export_lines;
mod files;
mod holdings;
mod keyrings;
mod sealed;
mod target;

pub mod copy;
pub mod export;
pub mod keys_for;
pub mod open;

use crate::failure::Failure;

/// What was given is not what it has to be. Nothing of what it holds is told.
fn unfit(object: impl Into<String>, fault: &str, remedy: &str) -> Failure {
    Failure::Unfit { object: object.into(), fault: fault.to_owned(), remedy: remedy.to_owned() }
}
