//! The command line: what every command has, and which room answers to it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::people;
use crate::screen::Screen;

/// Credentials out of hftok, the vault inside your Postgres.
#[derive(Debug, Parser)]
#[command(name = "hftok", version, propagate_version = true, disable_help_subcommand = true)]
pub struct Line {
    /// Print JSON instead of text for people
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(people::list::List),
}

/// Carries the line out; whatever fails is told on standard error.
pub fn run(line: Line) -> ExitCode {
    let screen = Screen::of_process(line.json);
    match answer(line, &screen) {
        Ok(code) => code,
        Err(failure) => {
            screen.failure(&failure);
            failure.exit_code()
        }
    }
}

fn answer(line: Line, screen: &Screen) -> Result<ExitCode, Failure> {
    match line.command {
        Command::List(list) => list.run(&line.connection, screen),
    }
}
