//! Workers on a private network: tokens for them, a server that gives them their environment and tells them when it changes, and
//! a client that pushes it to a control plane.
//!
//! What must stay true: a worker gets what its token stands for and nothing else; whoever has no token learns whether the
//! installation has a credential, and no more.

mod listening;
mod push;
mod serve;
mod token;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::Screen;

/// Give workers their credentials: tokens, a server, a push
#[derive(Debug, Args)]
pub struct Runner {
    /// What is to be done.
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
    Token(token::Token),
    Serve(serve::Serve),
    Push(push::Push),
}

impl Runner {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        match self.command {
            Command::Token(token) => token.run(connection, screen),
            Command::Serve(serve) => serve.run(connection, screen),
            Command::Push(push) => push.run(connection, screen),
        }
    }
}
