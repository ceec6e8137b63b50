//! The command line: what every command has, and which room answers to it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::run as running;
use crate::screen::Screen;
use crate::{audit, doctor, keys, manual, moving_in, offline, people, runner};

/// Credentials out of hftok, the vault inside your Postgres.
#[derive(Debug, Parser)]
#[command(name = "hftok", version, propagate_version = true, disable_help_subcommand = true)]
pub struct Line {
    /// Print JSON instead of text for people
    #[arg(long, global = true)]
    json: bool,
    /// Where hftok is.
    #[command(flatten)]
    connection: ConnectionOptions,
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
#[allow(clippy::large_enum_variant, reason = "there is one, of the line that was given")]
enum Command {
    Set(people::set::Set),
    List(people::list::List),
    Delete(people::delete::Delete),
    Enable(people::switch::Enable),
    Disable(people::switch::Disable),
    Explain(people::explain::Explain),
    History(people::history::History),
    Restore(people::history::Restore),
    Import(moving_in::Import),
    Run(running::Run),
    RunInside(running::inside::Inside),
    Runner(runner::Runner),
    Keygen(keys::keygen::Keygen),
    Keyring(keys::keyring::KeyringOf),
    Rotate(keys::rotate::Rotate),
    Doctor(doctor::Doctor),
    Audit(audit::Audit),
    Export(offline::export::Export),
    Copy(offline::copy::Copy),
    Open(offline::open::Open),
    KeysFor(offline::keys_for::KeysFor),
    Completions(manual::completions::Completions),
    Man(manual::man::Man),
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

/// The command that the line names.
fn answer(line: Line, screen: &Screen) -> Result<ExitCode, Failure> {
    match line.command {
        Command::Set(set) => set.run(&line.connection, screen),
        Command::List(list) => list.run(&line.connection, screen),
        Command::Delete(delete) => delete.run(&line.connection, screen),
        Command::Enable(enable) => enable.run(&line.connection, screen),
        Command::Disable(disable) => disable.run(&line.connection, screen),
        Command::Explain(explain) => explain.run(&line.connection, screen),
        Command::History(history) => history.run(&line.connection, screen),
        Command::Restore(restore) => restore.run(&line.connection, screen),
        Command::Import(import) => import.run(&line.connection, screen),
        Command::RunInside(inside) => inside.run(screen),
        Command::Run(run) => run.run(&line.connection, screen),
        Command::Runner(runner) => runner.run(&line.connection, screen),
        Command::Keygen(keygen) => keygen.run(screen),
        Command::Keyring(keyring) => keyring.run(&line.connection, screen),
        Command::Rotate(rotate) => rotate.run(&line.connection, screen),
        Command::Doctor(doctor) => doctor.run(&line.connection, screen),
        Command::Audit(audit) => audit.run(&line.connection, screen),
        Command::Export(export) => export.run(&line.connection, screen),
        Command::Copy(copy) => copy.run(line.connection, screen),
        Command::Open(open) => open.run(screen),
        Command::KeysFor(keys_for) => keys_for.run(screen),
        Command::Completions(completions) => completions.run(screen),
        Command::Man(man) => man.run(screen),
    }
}
