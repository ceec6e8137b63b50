//! Our terminal, while the command has one of its own: what is typed goes to the command as it is, and its terminal makes of ^C
//! and ^Z what a terminal makes of them.
//!
//! What must stay true: our terminal is as it was whenever we stop or end; in the background we take nothing of what is typed.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pty_process::blocking::{Command as CommandInside, open};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, getpgrp};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use super::inside::pid;
use super::output::{self, Outlet, Screens};

/// How often we look whether we are in the foreground again.
const LOOK: Duration = Duration::from_millis(100);

/// Our terminal.
pub struct Terminal {
    /// As it was.
    before: Termios,
    /// Where what is typed goes.
    typed: Arc<Mutex<Option<Inner>>>,
}

/// The command's terminal.
struct Inner {
    /// Our end of it.
    ours: OwnedFd,
    /// Its first process, which gives it to the command (`inside.rs`).
    first: Option<Pid>,
}

impl Terminal {
    /// Our terminal, if a person sits there: what is typed and what is printed are there.
    pub fn ours() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        let terminal = Self { before: tcgetattr(io::stdin())?, typed: Arc::default() };
        let typed = Arc::clone(&terminal.typed);
        std::thread::spawn(move || pass_typed(&typed));
        Ok(Some(terminal))
    }

    /// Starts a command on a terminal of its own; answers its first process and the way of its output.
    pub fn start(&self, command: Command, screens: &mut Screens) -> io::Result<(u32, Vec<Outlet>)> {
        let (ours, its) = open().map_err(io::Error::other)?;
        tcsetattr(&its, OptionalActions::Now, &self.before)?;
        let ours = OwnedFd::from(ours);
        screens.add(ours.try_clone()?);
        screens.resize();
        let mut outlets = vec![Outlet::to_stdout(ours.try_clone()?)?];
        let mut inside = CommandInside::from(inside(&command));
        if !output::is_one()? {
            let (end, outlet) = output::stderr_way(screens)?;
            inside = inside.stderr(end);
            outlets.push(outlet);
        }
        let child = inside.spawn(its).map_err(io::Error::other)?;
        let inner = Inner { ours, first: pid(child.id()) };
        *self.typed.lock().unwrap_or_else(PoisonError::into_inner) = Some(inner);
        self.enter();
        Ok((child.id(), outlets))
    }

    /// What is typed goes through as it is, while we are in the foreground.
    pub fn enter(&self) {
        if is_foreground() {
            let mut raw = self.before.clone();
            raw.make_raw();
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &raw);
        }
    }

    /// The terminal is as it was.
    pub fn leave(&self) {
        if is_foreground() {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
        }
    }

    /// The processes that have the command's terminal.
    pub fn foreground(&self) -> Option<Pid> {
        let typed = self.typed.lock().unwrap_or_else(PoisonError::into_inner);
        typed.as_ref().and_then(|inner| tcgetpgrp(&inner.ours).ok())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The command behind the process that keeps its terminal (`inside.rs`).
fn inside(command: &Command) -> Command {
    let mut inside = Command::new("/proc/self/exe");
    inside.arg0("hftok").arg(super::inside::NAME).arg("--");
    inside.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => inside.env(name, value),
            None => inside.env_remove(name),
        };
    }
    inside
}

/// Whether what is typed is for us.
fn is_foreground() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// Passes on what is typed, until there is nobody to type.
fn pass_typed(typed: &Mutex<Option<Inner>>) {
    let Ok(input) = io::stdin().as_fd().try_clone_to_owned() else { return };
    let (mut input, mut piece) = (File::from(input), [0; 4096]);
    loop {
        if poll(&mut [PollFd::new(&input, PollFlags::IN)], None).is_err() {
            continue;
        }
        // What is typed before the command has its terminal is for the command, ^C and ^Z as well.
        let is_there = |inner: &Inner| tcgetpgrp(&inner.ours).ok() != inner.first;
        let is_there = typed.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(is_there);
        if !is_there || !is_foreground() {
            std::thread::sleep(LOOK);
            continue;
        }
        let length = match input.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => return,
            Ok(length) => length,
        };
        let terminal = typed.lock().unwrap_or_else(PoisonError::into_inner);
        let terminal = terminal.as_ref().and_then(|inner| inner.ours.try_clone().ok());
        if let (Some(terminal), Some(piece)) = (terminal, piece.get(..length)) {
            let _ = File::from(terminal).write_all(piece);
        }
    }
}
