//! `hftok audit tail`: the newest events, and with -f each further one as it is written.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use super::event::{Event, MANY_MAX, Wanted};
use crate::connection::{ConnectionOptions, Server};
use crate::failure::Failure;
use crate::screen::Screen;

/// Show the newest events, and follow the log
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hftok audit tail
  hftok audit tail -f --kind refusal
  hftok audit tail -f --json | jq -r .action

With --json each event is a line of its own.")]
pub struct Tail {
    /// Which events.
    #[command(flatten)]
    wanted: Wanted,
    /// So many of the newest first
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(i64).range(0..=MANY_MAX))]
    lines: i64,
    /// Go on with each event that is written
    #[arg(short, long)]
    follow: bool,
}

/// The log is asked so often.
const PAUSE: Duration = Duration::from_secs(1);
/// A server that is away is asked no more seldom than this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

impl Tail {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let mut server = connection.open()?;
        // One more than none, so that it is known where the log goes on.
        let newest = self.wanted.newest(&mut server, self.lines.max(1))?;
        let mut last = newest.last().map_or(0, |event| event.id);
        let shown = usize::try_from(self.lines).unwrap_or(usize::MAX).min(newest.len());
        let mut is_read = print(screen, &newest[newest.len() - shown..])?;
        let mut pause = PAUSE;
        while self.follow && is_read {
            sleep(pause);
            match self.wanted.after(&mut server, last) {
                Ok(found) => {
                    pause = PAUSE;
                    last = found.last().map_or(last, |event| event.id);
                    is_read = print(screen, &found)?;
                }
                Err(failure) if is_away(&failure) => {
                    if pause == PAUSE {
                        screen.failure(&failure);
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                    reopen(connection, &mut server);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether a server is not there, or ends, or begins, or is sealed.
fn is_away(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { .. } => true,
        Failure::Refused(refusal) => refusal.code.starts_with("53HF"),
        _ => false,
    }
}

/// Opens a new connection, if that can be had; the old one fails again otherwise.
fn reopen(connection: &ConnectionOptions, server: &mut Server) {
    if let Ok(opened) = connection.open() {
        *server = opened;
    }
}

/// Prints events, a line each. False: nobody reads them any more.
fn print(screen: &Screen, events: &[Event]) -> Result<bool, Failure> {
    for event in events {
        if !screen.line(event, || event.line())? {
            return Ok(false);
        }
    }
    Ok(true)
}
