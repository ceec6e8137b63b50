//! `--refresh` and `--mask`: hftok stays, and the command is its child.
//!
//! What must stay true: signals, stops and the end go through as if hftok were not there; a signal that the terminal sent is
//! not sent twice; the command is restarted only when its environment is another one.

use std::io::{self, IsTerminal as _};
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_current_process_group, kill_process,
    kill_process_group, wait,
};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use super::inside::pid;
use super::output::{self, Screens};
use super::refresh::Means;
use super::terminal::Terminal;
use super::variables::Variables;
use super::{Run, ending, place, refresh};
use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::process;
use crate::screen::Screen;

/// What the command is told, and we are.
const HEARD: [i32; 9] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD, SIGCONT, SIGWINCH];
/// The pause after which hftok is asked once more, when it could not be asked.
const AGAIN: Duration = Duration::from_secs(15);

/// What happens while we wait.
pub enum Event {
    /// A signal, and whether the terminal sent it, to the command as well.
    Signal(i32, bool),
    /// The answer may have changed.
    Changed,
    /// A way of output has ended.
    Ended,
}

/// The command that runs, and us around it.
struct Supervisor<'a> {
    /// What was asked for.
    run: &'a Run,
    /// Where hftok is.
    connection: &'a ConnectionOptions,
    /// Words.
    screen: &'a Screen,
    /// Our terminal, where the command has one of its own.
    terminal: Option<Terminal>,
    /// Whether the command shares our group, and hears what the terminal sends.
    shares_group: bool,
    /// Terminals of our size.
    screens: Screens,
    /// Ways of output that have not ended.
    ways: usize,
    /// For those who tell us.
    events: Sender<Event>,
    /// What the command has.
    variables: Variables,
    /// The command.
    child: Pid,
    /// When it is killed, so that it can be started again.
    restart: Option<Instant>,
    /// When hftok is asked again.
    ask: Option<Instant>,
}

/// Starts the command, and ends as it does.
pub fn run(run: &Run, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
    let (events, happens) = channel();
    // Before anything is asked: what changes later is heard of.
    if run.refresh.is_some() {
        refresh::begin(run, connection, events.clone())?;
    }
    let variables = run.prepared(connection, screen)?;
    hear(events.clone()).map_err(Failure::io("signals"))?;
    let terminal = if run.mask { Terminal::ours().map_err(Failure::io("the terminal"))? } else { None };
    let has_terminal = io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();
    let mut supervisor = Supervisor {
        shares_group: terminal.is_none() && has_terminal,
        child: getpid(),
        screens: Screens::default(),
        ways: 0,
        restart: None,
        ask: None,
        run,
        connection,
        screen,
        terminal,
        events,
        variables,
    };
    if let Some(code) = supervisor.start()? {
        return Ok(code);
    }
    supervisor.follow(&happens)
}

/// Sends signals as events, from a thread of its own.
fn hear(events: Sender<Event>) -> io::Result<()> {
    let mut signals = SignalsInfo::<WithOrigin>::new(HEARD)?;
    std::thread::spawn(move || {
        for origin in &mut signals {
            let by_terminal = matches!(origin.cause, Cause::Kernel);
            if events.send(Event::Signal(origin.signal, by_terminal)).is_err() {
                break;
            }
        }
    });
    Ok(())
}

impl Supervisor<'_> {
    /// Starts the command; answers an exit code where that failed.
    fn start(&mut self) -> Result<Option<ExitCode>, Failure> {
        let mut command = self.run.command(&self.variables)?;
        self.screens = Screens::default();
        let started = process::with_cores_as_before(|| match &self.terminal {
            Some(terminal) => terminal.start(command, &mut self.screens),
            None => {
                if !self.shares_group {
                    command.process_group(0);
                }
                let outlets =
                    if self.run.mask { output::lead(&mut command, &mut self.screens)? } else { Vec::new() };
                command.spawn().map(|child| (child.id(), outlets))
            }
        });
        let (number, outlets) = match started {
            Ok(started) => started,
            Err(error) => {
                let name = self.run.command.first().map(std::ffi::OsString::as_os_str).unwrap_or_default();
                return Ok(Some(place::told(name, &error, self.screen)));
            }
        };
        self.child = pid(number).unwrap_or_else(getpid);
        let values = self.variables.secrets();
        self.ways += outlets.len();
        for outlet in outlets {
            let events = self.events.clone();
            outlet.pass_on(&values, move || drop(events.send(Event::Ended)));
        }
        Ok(None)
    }

    /// Waits for what happens, until the command has ended.
    fn follow(&mut self, happens: &Receiver<Event>) -> Result<ExitCode, Failure> {
        loop {
            let ended = match self.next(happens) {
                Some(Event::Signal(SIGCHLD, _)) => self.reap()?,
                Some(Event::Signal(signal, by_terminal)) => {
                    self.heard(signal, by_terminal);
                    None
                }
                Some(Event::Changed) => {
                    self.refresh()?;
                    None
                }
                Some(Event::Ended) => {
                    self.ways = self.ways.saturating_sub(1);
                    None
                }
                None => {
                    self.times()?;
                    None
                }
            };
            if let Some(status) = ended {
                self.drain(happens);
                // Before a signal ends us as well.
                self.terminal = None;
                return Ok(ending(status));
            }
        }
    }

    /// The next event; none when it is time for something.
    fn next(&self, happens: &Receiver<Event>) -> Option<Event> {
        match [self.restart, self.ask].into_iter().flatten().min() {
            None => happens.recv().ok(),
            Some(then) => happens.recv_timeout(then.saturating_duration_since(Instant::now())).ok(),
        }
    }

    /// What it is time for.
    fn times(&mut self) -> Result<(), Failure> {
        let now = Instant::now();
        if self.restart.is_some_and(|then| then <= now) {
            self.screen.note("hftok: the command does not end, and is killed");
            self.restart = Some(now + Duration::from_secs(3600));
            self.kill(Signal::KILL);
        }
        if self.ask.is_some_and(|then| then <= now) {
            self.ask = None;
            self.refresh()?;
        }
        Ok(())
    }

    /// What became of children; the status of the command if it has ended for good.
    fn reap(&mut self) -> Result<Option<WaitStatus>, Failure> {
        // As the first process of a container we are left orphans to bury.
        while let Ok(Some((process, status))) = wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            if process != self.child {
                continue;
            }
            if status.stopped() {
                self.stopped();
            } else if self.restart.take().is_some() {
                // Where it cannot be started again it has ended as it was told to.
                if self.start()?.is_some() {
                    return Ok(Some(status));
                }
            } else {
                return Ok(Some(status));
            }
        }
        Ok(None)
    }

    /// The command was stopped: so are we, until somebody continues us.
    fn stopped(&self) {
        match &self.terminal {
            Some(terminal) => {
                terminal.leave();
                let _ = kill_current_process_group(Signal::TSTP);
                terminal.enter();
                self.screens.resize();
            }
            // Whoever continued it meanwhile wants it to run.
            None if !is_stopped(self.child) => return,
            None => drop(kill_process(getpid(), Signal::STOP)),
        }
        self.kill(Signal::CONT);
    }

    /// Passes a signal on.
    fn heard(&mut self, signal: i32, by_terminal: bool) {
        match signal {
            SIGWINCH => self.screens.resize(),
            SIGCONT => {
                if let Some(terminal) = &self.terminal {
                    terminal.enter();
                    self.screens.resize();
                }
                return;
            }
            // Whoever ends us wants no restart.
            SIGHUP | SIGINT | SIGQUIT | SIGTERM => self.restart = None,
            _ => {}
        }
        let is_there_already = by_terminal && self.shares_group;
        if let Some(signal) = Signal::from_named_raw(signal).filter(|_| !is_there_already) {
            self.kill(signal);
        }
    }

    /// Sends the command a signal, and those that it started where they are in a group of their own.
    fn kill(&self, signal: Signal) {
        let _ = match &self.terminal {
            Some(terminal) if signal == Signal::KILL => {
                let group = terminal.foreground();
                let _ = group.map(|group| kill_process_group(group, signal));
                kill_process(self.child, signal)
            }
            None if !self.shares_group => kill_process_group(self.child, signal),
            _ => kill_process(self.child, signal),
        };
    }

    /// Asks again; a new environment restarts the command, or sends it the signal that was asked for.
    fn refresh(&mut self) -> Result<(), Failure> {
        if self.restart.is_some() {
            // What is about to be started is asked for once more, later.
            self.ask = Some(Instant::now() + Duration::from_secs(1));
            return Ok(());
        }
        let fresh = match self.run.prepared(self.connection, self.screen) {
            Ok(fresh) => fresh,
            Err(failure) => {
                self.screen.failure(&failure);
                self.screen.note("hftok: the command keeps what it has");
                if matches!(failure, Failure::Unreachable { .. }) {
                    self.ask = Some(Instant::now() + AGAIN);
                }
                return Ok(());
            }
        };
        if fresh == self.variables {
            return Ok(());
        }
        self.variables = fresh;
        match self.run.refresh {
            Some(Means::Signal(signal)) => self.kill(signal),
            Some(Means::Restart) | None => {
                self.screen.note("hftok: the credentials have changed, and the command is restarted");
                self.restart = Some(Instant::now() + self.run.grace());
                self.kill(Signal::TERM);
                self.kill(Signal::CONT);
            }
        }
        Ok(())
    }

    /// Waits until all that was printed is passed on. Whoever is impatient ends it.
    fn drain(&mut self, happens: &Receiver<Event>) {
        while self.ways > 0 {
            match happens.recv() {
                Ok(Event::Ended) => self.ways -= 1,
                Ok(Event::Signal(SIGHUP | SIGINT | SIGQUIT | SIGTERM, _)) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

/// Whether a process is stopped right now.
fn is_stopped(process: Pid) -> bool {
    let stat =
        std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
}
