//! The first process on a terminal that `--mask` made: it starts the command in a group of its own, in the foreground.
//!
//! Without it the command would be an orphan there, and Linux does not stop orphans by ^Z. What must stay true: whatever
//! becomes of the command becomes of this process, so that whoever started it can tell.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use clap::Args;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, waitpid};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::{ending, place};
use crate::failure::Failure;
use crate::process;
use crate::screen::Screen;

/// Its name on the command line.
pub const NAME: &str = "run-inside";
/// Signals that are the command's, whoever sends them here.
const PASSED_ON: [i32; 7] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2];

/// Start a command on the terminal that this process leads (used by `hftok run --mask`)
#[derive(Debug, Args)]
#[command(name = NAME, hide = true)]
pub struct Inside {
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Inside {
    /// Carries it out.
    pub fn run(self, screen: &Screen) -> Result<ExitCode, Failure> {
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Failure::Usage("name the command after --".to_owned()));
        };
        let mut signals = Signals::new(PASSED_ON).map_err(Failure::io("signals"))?;
        let mut command = Command::new(program);
        command.args(arguments).process_group(0);
        let child = match process::with_cores_as_before(|| command.spawn()) {
            Ok(child) => child,
            Err(error) => return Ok(place::failed(&command, &error, screen)),
        };
        let Some(child) = pid(child.id()) else { return Ok(ExitCode::FAILURE) };
        let _ = tcsetpgrp(io::stdin(), child);
        std::thread::spawn(move || {
            for signal in signals.forever().filter_map(Signal::from_named_raw) {
                let _ = kill_process_group(child, signal);
            }
        });
        wait(child)
    }
}

/// Stops when the command does, and ends as it does.
fn wait(child: Pid) -> Result<ExitCode, Failure> {
    loop {
        let (_, status) = match waitpid(Some(child), WaitOptions::UNTRACED) {
            Ok(Some(waited)) => waited,
            Ok(None) | Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(Failure::io("the command")(error.into())),
        };
        match status.stopping_signal() {
            None => return Ok(ending(status)),
            // It asked for the terminal before it was given to it.
            Some(SIGTTIN | SIGTTOU) if tcgetpgrp(io::stdin()) == Ok(child) => {}
            // SIGSTOP alone stops those who lead a session.
            Some(_) => drop(kill_process(getpid(), Signal::STOP)),
        }
        let _ = kill_process_group(child, Signal::CONT);
    }
}

/// A process by its number.
pub fn pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}
