//! `hftok run`: a command with the credentials that it needs in its environment.
//!
//! What must stay true: a value is in the environment of the child and nowhere else, not in an argument, a word or a file;
//! without `--refresh` and `--mask` the command takes our place, so that signals, terminals and exit codes are its own.

mod check;
mod hub;
pub mod inside;
mod mask;
mod output;
mod place;
mod refresh;
mod runner;
mod source;
mod supervise;
mod terminal;
mod variables;
mod watch;

use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Args;
use rustix::process::WaitStatus;

use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::Screen;
use refresh::Means;
use source::{Source, SourceOptions};
use variables::Variables;
use zeroize::Zeroizing;

/// hftok itself failed, as distinct from the command.
const FAILED: u8 = 125;

/// What `--help` shows below the options.
const EXAMPLES: &str = "\
Examples:
  hftok run -- hf download meta-llama/Llama-3.1-8B
  hftok run --provider huggingface --user alice --check --model org/name -- python serve.py
  hftok run --runner https://runners.internal:8791 --exclusive -- ./worker
  hftok run --refresh --mask --user alice -- python worker.py
  hftok run --no-server --check -- ./worker

The exit code is the command's. 125: hftok failed and started nothing; 126: the command cannot be executed; 127: there is none.";

/// Start a command with credentials in its environment
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    /// Where credentials come from, and whose they are.
    #[command(flatten)]
    source: SourceOptions,
    /// Use hftok's credentials only: one that is in the environment already is removed where hftok gives none
    #[arg(long)]
    exclusive: bool,
    /// Ask the providers first whether they take the credentials; with --model, the Hub whether the model opens. A no starts nothing
    #[arg(long)]
    check: bool,
    /// Restart the command when its credentials change, or send it a signal [restart, HUP, USR1 …]
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "restart")]
    refresh: Option<Means>,
    /// The seconds that a command has to end before it is killed and restarted
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    grace: u32,
    /// Mask the values in what the command prints
    #[arg(long)]
    mask: bool,
    /// Leave PGPASSWORD to the command, which otherwise does not see what opened the vault
    #[arg(long)]
    keep_connection: bool,
    /// Say nothing beside errors
    #[arg(long, short)]
    quiet: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Run {
    /// Carries it out; comes back only where the command did not take our place.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        // Of our own failures the code is one of its own, because any other may be the command's.
        Ok(self.start(connection, screen).unwrap_or_else(|failure| {
            screen.failure(&failure);
            ExitCode::from(FAILED)
        }))
    }

    /// Asks, and starts the command.
    fn start(&self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        if self.mask || self.refresh.is_some() {
            return supervise::run(self, connection, screen);
        }
        let variables = self.prepared(connection, screen)?;
        Ok(place::take(self.command(&variables)?, screen))
    }

    /// The environment of the command, checked if that was asked for.
    fn prepared(&self, connection: &ConnectionOptions, screen: &Screen) -> Result<Variables, Failure> {
        let mut source = Source::open(&self.source, connection)?;
        let variables = self.variables(&mut source, connection)?;
        let checked =
            if self.check { check::all(&variables, &self.source, &mut source)? } else { Vec::new() };
        if !self.quiet {
            variables.words().iter().chain(&checked).for_each(|word| screen.note(&format!("hftok: {word}")));
        }
        Ok(variables)
    }

    /// The time that the command has to end.
    fn grace(&self) -> Duration {
        Duration::from_secs(self.grace.into())
    }

    /// The environment of the command.
    fn variables(&self, source: &mut Source, connection: &ConnectionOptions) -> Result<Variables, Failure> {
        let answer = source.ask(&self.source)?;
        let is_stranger = answer.unknown_to_unset().any(inherited);
        let more = if is_stranger && !self.exclusive { source.groups()? } else { Vec::new() };
        let mut variables = Variables::of(answer, &more, inherited, self.exclusive)?;
        let password = source.is_postgres() && !self.keep_connection && uses_password(connection);
        variables.keep_connection_back(std::env::vars_os().map(|(name, _)| name), password);
        Ok(variables)
    }

    /// The command, ready to be started.
    fn command(&self, variables: &Variables) -> Result<Command, Failure> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Failure::Usage("name the command after --".to_owned()));
        };
        let mut command = Command::new(program);
        command.args(arguments);
        variables.apply(&mut command);
        Ok(command)
    }
}

/// Whether a variable says anything to the command as it stands.
fn inherited(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Whether the password of libpq's environment is what opens the vault.
fn uses_password(connection: &ConnectionOptions) -> bool {
    let given =
        connection.database.clone().or_else(|| std::env::var("HFTOK_DATABASE_URL").ok()).map(Zeroizing::new);
    let has_its_own = given.is_some_and(|text| {
        text.parse().is_ok_and(|config: postgres::Config| config.get_password().is_some())
    });
    inherited("PGPASSWORD") && !has_its_own
}

/// The end of a command, for us to end the same way.
fn ending(status: WaitStatus) -> ExitCode {
    if let Some(signal) = status.terminating_signal() {
        // It ends us, unless the system keeps that signal from its own first process.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    status
        .exit_status()
        .map_or(ExitCode::FAILURE, |code| ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// A name as people write it.
fn shown(name: &OsStr) -> String {
    name.to_string_lossy().escape_debug().to_string()
}
