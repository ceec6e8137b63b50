//! Commands for auditors: what happened, whether the log of it still is what it was, and copies of it for others.
//!
//! What must stay true: nothing that verifies believes the server. A log is believed for the hashes and the signature that it comes
//! with, by a public key that was kept elsewhere, and against checkpoints that were kept elsewhere.
//!
//! | module | what it knows |
//! |---|---|
//! | [`tail`], [`search`], [`event`] | events, as an auditor looks for them |
//! | [`export`], [`tile_file`] | the log as files: C2SP's tlog-tiles |
//! | [`verify`], [`walk`], [`source`] | the log against its signature and against pins |
//! | [`pin`], [`pins`] | checkpoints, kept where nobody who rules the database can change them |
//! | [`key`] | public keys that are trusted |
//! | [`finding`] | what is wrong |
//! | [`when`](mod@when) | times and spans as people give them |
//! | [`written`] | files that are there as a whole or not at all |

mod event;
mod export;
mod finding;
mod key;
mod pin;
mod pins;
mod search;
mod source;
mod tail;
mod tile_file;
mod verify;
mod walk;
mod when;
mod written;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::Screen;

/// Read, verify, pin and export the audit
#[derive(Debug, Args)]
pub struct Audit {
    /// What is done.
    #[command(subcommand)]
    command: Command,
}

/// Each command describes itself.
#[derive(Debug, Subcommand)]
#[allow(
    clippy::missing_docs_in_private_items,
    reason = "clap would show them in place of the command's own words"
)]
enum Command {
    Tail(tail::Tail),
    Search(search::Search),
    Verify(verify::Verify),
    Pin(pin::Pin),
    Export(export::Export),
}

impl Audit {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        match self.command {
            Command::Tail(tail) => tail.run(connection, screen),
            Command::Search(search) => search.run(connection, screen),
            Command::Verify(verify) => verify.run(connection, screen),
            Command::Pin(pin) => pin.run(connection, screen),
            Command::Export(export) => export.run(connection, screen),
        }
    }
}
