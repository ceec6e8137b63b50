//! How a value comes in: by a prompt that does not show it, by standard input, or by a file. Never by an argument, which `ps`
//! and the shell's history show.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::PathBuf;

use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::progress::Interrupt;

/// More than any credential has.
const LARGEST: u64 = 1024 * 1024;

/// Where the value is.
#[derive(Debug, Args)]
pub struct ValueOptions {
    /// Read the value from this file; - is standard input
    #[arg(long = "value-file", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl ValueOptions {
    /// Whether somebody at a terminal is asked for the value.
    pub fn is_asked_for(&self) -> bool {
        self.file.is_none() && io::stdin().is_terminal()
    }

    /// The value, without the line end after it. A terminal is asked; anything else on standard input is read.
    pub fn read(&self, prompt: &str) -> Result<Zeroizing<String>, Failure> {
        let value = match &self.file {
            Some(path) if path.as_os_str() != "-" => {
                let what = path.display().to_string();
                whole(File::open(path).map_err(Failure::io(what.clone()))?, &what)?
            }
            None if io::stdin().is_terminal() => asked(prompt)?,
            _ => whole(io::stdin().lock(), "standard input")?,
        };
        if value.is_empty() {
            return Err(Failure::Usage("the value is empty".to_owned()));
        }
        Ok(value)
    }
}

/// What somebody types at the terminal, without showing it.
pub fn asked(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    // ^C comes as a signal, which must not end us before the terminal is as it was.
    let _interrupt = Interrupt::watch()?;
    let _quiet = Quiet::begin().map_err(Failure::io("the terminal"))?;
    match rpassword::prompt_password(prompt) {
        Ok(typed) => Ok(Zeroizing::new(typed)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            Err(Failure::Stopped("nothing was typed to its end".to_owned()))
        }
        Err(error) => Err(Failure::io("the terminal")(error)),
    }
}

/// A terminal that shows nothing of what is typed, from before the prompt on: whoever sees the prompt may type at once.
struct Quiet {
    /// The terminal.
    terminal: File,
    /// As it was.
    before: Termios,
}

impl Quiet {
    /// From now on, until this is dropped.
    fn begin() -> io::Result<Self> {
        let terminal = File::open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&terminal, OptionalActions::Now, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// All of a stream as text, in one buffer that does not move while it grows: what moves leaves a copy behind.
pub fn whole(stream: impl Read, what: &str) -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let read = stream.take(LARGEST + 1).read_to_end(&mut bytes).map_err(Failure::io(what))?;
    if read as u64 > LARGEST {
        return Err(Failure::Usage(format!("{what} holds more than {LARGEST} bytes")));
    }
    let text = str::from_utf8(&bytes).map_err(|_| Failure::Usage(format!("{what} is not text")))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
