//! The command at a terminal: a pseudo-terminal of its own, on which a test types and reads.

#![allow(clippy::expect_used, clippy::panic, missing_docs)]

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command and the other end of its terminal.
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    /// Ends once nobody has the other end open, and all of it is read.
    reader: JoinHandle<()>,
}

impl Terminal {
    /// Starts a command that has a terminal for its input, output and errors, and for `/dev/tty`.
    pub fn start(command: &Command) -> Self {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("text");
        let slave = OpenOptions::new().read(true).write(true).open(name).expect("its other end");
        let end = || slave.try_clone().expect("a copy");
        // It begins a session of its own with this terminal, which only the child itself may do.
        let mut session = Command::new("setsid");
        session.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            session.env(name, value.unwrap_or_default());
        }
        let child = session.stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts");
        let keyboard = File::from(master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut shown, written) = (keyboard.try_clone().expect("a copy"), Arc::clone(&screen));
        drop((slave, session));
        let reader = thread::spawn(move || {
            let mut piece = [0; 4096];
            // Reading fails once nobody has the other end open.
            while let Ok(length @ 1..) = shown.read(&mut piece) {
                written.lock().expect("whole").extend_from_slice(&piece[..length]);
            }
        });
        Self { child, keyboard, screen, reader }
    }

    /// All that was shown until now.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().expect("whole")).into_owned()
    }

    /// Waits until this text is shown.
    pub fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        while !self.shown().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "{text} is not shown: {}", self.shown());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Types text as it is.
    pub fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("typed");
    }

    /// Waits until it ends, and gives all that was shown.
    pub fn end(mut self) -> (ExitStatus, String) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("known") {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {}", self.shown());
            thread::sleep(Duration::from_millis(20));
        };
        // What it wrote last may still be on its way.
        while !self.reader.is_finished() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        let shown = self.shown();
        (status, shown)
    }
}
