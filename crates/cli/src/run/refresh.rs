//! What `--refresh` does, and who tells it that something may have changed.

use std::str::FromStr;
use std::sync::mpsc::Sender;

use rustix::process::Signal;

use super::Run;
use super::runner::Runner;
use super::supervise::Event;
use super::watch::{self, Watch};
use crate::connection::ConnectionOptions;
use crate::failure::Failure;

/// What becomes of the command when its environment would be another one.
#[derive(Debug, Clone, Copy)]
pub enum Means {
    /// It is ended and started again.
    Restart,
    /// It gets a signal, and asks by itself.
    Signal(Signal),
}

impl FromStr for Means {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let name = word.trim_start_matches("SIG");
        Ok(match name {
            "restart" => Self::Restart,
            "HUP" => Self::Signal(Signal::HUP),
            "INT" => Self::Signal(Signal::INT),
            "TERM" => Self::Signal(Signal::TERM),
            "USR1" => Self::Signal(Signal::USR1),
            "USR2" => Self::Signal(Signal::USR2),
            "WINCH" => Self::Signal(Signal::WINCH),
            _ => return Err("restart, or one of HUP, INT, TERM, USR1, USR2, WINCH".to_owned()),
        })
    }
}

/// Listens from now on, in a thread of its own.
pub fn begin(run: &Run, connection: &ConnectionOptions, events: Sender<Event>) -> Result<(), Failure> {
    // Nobody waits for the end of the thread: it ends with us.
    let changed = move || drop(events.send(Event::Changed));
    let (connection, options) = (connection.clone(), run.source.clone());
    if options.no_server {
        return Err(Failure::Usage(
            "without a server there is nothing to learn: leave --refresh or --no-server out".to_owned(),
        ));
    }
    if let Some(address) = options.runner() {
        let runner = Runner::open(address, &options.runner)?;
        let events = runner.events()?;
        std::thread::spawn(move || runner.follow(events, changed));
    } else {
        let watch = Watch::open(&connection, &options)?;
        std::thread::spawn(move || watch::forever(watch, &connection, &options, changed));
    }
    Ok(())
}
