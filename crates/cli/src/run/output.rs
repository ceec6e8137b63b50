//! What the command prints, on its way through the masks.
//!
//! What must stay true: where standard output is a terminal the command sees one too, as wide and as high; where both streams
//! are one, they stay one, so that what is printed is in the order in which it was printed; who stops reading is told on.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::fstat;
use rustix::termios::{OptionalActions, OutputModes, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use zeroize::Zeroizing;

use super::mask::{Masker, Values};

/// The time after which a short beginning of a value is shown, if nothing follows it.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// What is read at once.
const PIECE: usize = 64 * 1024;

/// One way that output takes: from the command to us, and from us to where it belongs.
pub struct Outlet {
    /// Our end.
    source: OwnedFd,
    /// Where it belongs.
    target: File,
}

/// Terminals that have the size of ours.
#[derive(Default)]
pub struct Screens(Vec<OwnedFd>);

impl Screens {
    /// Gives them the size of ours.
    pub fn resize(&self) {
        if let Ok(size) = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stderr())) {
            // One whose command has ended needs none.
            for screen in &self.0 {
                let _ = tcsetwinsize(screen, size);
            }
        }
    }

    /// One more.
    pub fn add(&mut self, screen: OwnedFd) {
        self.0.push(screen);
    }
}

impl Outlet {
    /// From an end of ours to standard output.
    pub fn to_stdout(source: OwnedFd) -> io::Result<Self> {
        Ok(Self { source, target: File::from(io::stdout().as_fd().try_clone_to_owned()?) })
    }

    /// Passes on all that comes, masked, in a thread of its own, and calls `done` at its end.
    pub fn pass_on(self, values: &Values, done: impl FnOnce() + Send + 'static) {
        let mut masker = Masker::new(values);
        std::thread::spawn(move || {
            // Where nobody reads any more our end is closed, and the command hears of it as it would without us.
            let _ = self.pass(&mut masker);
            drop(self);
            done();
        });
    }

    /// Passes on all that comes.
    fn pass(&self, masker: &mut Masker) -> io::Result<()> {
        let (mut source, mut target) = (File::from(self.source.try_clone()?), &self.target);
        let mut piece = Zeroizing::new(vec![0; PIECE]);
        let mut out = Vec::with_capacity(2 * PIECE);
        loop {
            if masker.waits() && poll(&mut [PollFd::new(&source, PollFlags::IN)], Some(&PAUSE)) == Ok(0) {
                masker.pause(&mut out);
            } else {
                match source.read(&mut piece) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    // A terminal that its last command has left answers with an error.
                    Ok(0) | Err(_) => break,
                    Ok(length) => masker.read(piece.get(..length).unwrap_or_default(), &mut out),
                }
            }
            target.write_all(&out)?;
            out.clear();
        }
        masker.finish(&mut out);
        target.write_all(&out)
    }
}

/// Leads both streams of a command to us.
pub fn lead(command: &mut Command, screens: &mut Screens) -> io::Result<Vec<Outlet>> {
    let (source, end) = way(io::stdout().is_terminal(), screens)?;
    let mut outlets = vec![Outlet::to_stdout(source)?];
    if is_one()? {
        command.stderr(Stdio::from(end.try_clone()?));
    } else {
        let (end, outlet) = stderr_way(screens)?;
        command.stderr(end);
        outlets.push(outlet);
    }
    command.stdout(Stdio::from(end));
    Ok(outlets)
}

/// A way for standard error: the command's end, and ours.
pub fn stderr_way(screens: &mut Screens) -> io::Result<(Stdio, Outlet)> {
    let (source, end) = way(io::stderr().is_terminal(), screens)?;
    let target = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    Ok((Stdio::from(end), Outlet { source, target }))
}

/// Whether standard output and standard error are one stream.
pub fn is_one() -> io::Result<bool> {
    let (out, err) = (fstat(io::stdout())?, fstat(io::stderr())?);
    Ok((out.st_dev, out.st_ino) == (err.st_dev, err.st_ino))
}

/// A pipe or, for a terminal, a terminal: our end and that of the command.
fn way(is_terminal: bool, screens: &mut Screens) -> io::Result<(OwnedFd, OwnedFd)> {
    if !is_terminal {
        let (source, end) = io::pipe()?;
        return Ok((source.into(), end.into()));
    }
    let (ours, end) = pty_process::blocking::open().map_err(io::Error::other)?;
    // Line ends are made by the terminal that it ends up on.
    let mut attributes = tcgetattr(&end)?;
    attributes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&end, OptionalActions::Now, &attributes)?;
    let ours = OwnedFd::from(ours);
    screens.add(ours.try_clone()?);
    screens.resize();
    Ok((ours, end.as_fd().try_clone_to_owned()?))
}
