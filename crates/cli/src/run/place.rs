//! The command takes our place: from then on nothing of hftok is between it and whoever started us.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use super::shown;
use crate::process;
use crate::screen::Screen;

/// There is such a file, and it cannot be executed.
const NOT_EXECUTABLE: u8 = 126;
/// There is none.
const NOT_FOUND: u8 = 127;

/// Becomes the command. Comes back only where that failed.
pub fn take(mut command: Command, screen: &Screen) -> ExitCode {
    let error = process::with_cores_as_before(|| command.exec());
    failed(&command, &error, screen)
}

/// What is told of a command that did not start, and its exit code: those of a shell.
pub fn failed(command: &Command, error: &io::Error, screen: &Screen) -> ExitCode {
    told(command.get_program(), error, screen)
}

/// The same, of a command's name.
pub fn told(name: &OsStr, error: &io::Error, screen: &Screen) -> ExitCode {
    screen.note(&format!("hftok: cannot run {}: {error}", shown(name)));
    ExitCode::from(if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE })
}
