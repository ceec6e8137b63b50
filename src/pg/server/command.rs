//! Running a command with a time limit, for the workers that load the keyring and ask for keys of organisations. No backend of a
//! user ever does.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hftok_core::keyring::MAX_TEXT;
use hftok_core::keyring_state::CommandError;
use zeroize::Zeroizing;

/// Runs a command by the shell and gives what it prints. An argument follows the command, and the shell reads nothing in it. Its error
/// output goes nowhere, because it may quote what it failed on. When time is up, or `give_up` says so, it is killed with everything that
/// it started.
pub fn output(
    command: &str,
    argument: Option<&str>,
    limit: Duration,
    mut give_up: impl FnMut() -> bool,
) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let mut shell = Command::new("/bin/sh");
    match argument {
        Some(argument) => shell.args(["-c", &format!("{command} \"$@\""), "hftok", argument]),
        None => shell.args(["-c", command]),
    };
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: between fork and exec only calls that are safe there: a group of its own, and the signals that
    // Postgres blocks and ignores made ordinary again.
    unsafe {
        shell.pre_exec(|| {
            libc::setpgid(0, 0);
            // The shell ends with the worker, however that ends.
            #[cfg(target_os = "linux")]
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            let mut none = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            for signal in
                [libc::SIGPIPE, libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGCHLD, libc::SIGUSR2]
            {
                libc::signal(signal, libc::SIG_DFL);
            }
            Ok(())
        });
    }
    let mut group = Group { shell: shell.spawn().map_err(|_| CommandError::NotStarted)?, is_over: false };
    let end = Instant::now() + limit;
    let output = group.read(end, &mut give_up)?;
    while !group.has_ended() {
        over(end, &mut give_up)?;
        std::thread::sleep(SLICE);
    }
    let status = group.end().map_err(|_| CommandError::NotStarted)?;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(output),
        (Some(code), _) => Err(CommandError::Status(code)),
        (None, signal) => Err(CommandError::Signal(signal.unwrap_or_default())),
    }
}

/// The time between two looks at the limit.
const SLICE: Duration = Duration::from_millis(20);

/// A command ends at its time, or as soon as nobody wants its answer.
fn over(end: Instant, give_up: &mut impl FnMut() -> bool) -> Result<(), CommandError> {
    if give_up() {
        return Err(CommandError::Interrupted);
    }
    if Instant::now() >= end { Err(CommandError::TimedOut) } else { Ok(()) }
}

/// A command and what it started: all of it ends when this is dropped.
struct Group {
    /// The first process of the group.
    shell: Child,
    /// Whether it was waited for: its id may be another's by now.
    is_over: bool,
}

impl Group {
    /// Whether the shell has ended. It is not waited for, so its id still means it and its group.
    fn has_ended(&self) -> bool {
        // SAFETY: asks about a child of ours; an all-zero answer means that it still runs.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            libc::waitid(libc::P_PID, self.shell.id(), &raw mut info, flags) != 0 || info.si_pid() != 0
        }
    }

    /// Kills whatever is left of the group, and only then waits for the shell.
    fn end(&mut self) -> std::io::Result<ExitStatus> {
        if let Ok(group) = i32::try_from(self.shell.id())
            && !self.is_over
        {
            self.is_over = true;
            // SAFETY: the shell has not been waited for, so its id, which is also its group's, still means it.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
        self.shell.wait()
    }

    /// The command's output, up to the size of a keyring.
    fn read(
        &mut self,
        end: Instant,
        give_up: &mut impl FnMut() -> bool,
    ) -> Result<Zeroizing<Vec<u8>>, CommandError> {
        // Whole from the start: a buffer that grows leaves what it held behind.
        let mut output = Zeroizing::new(vec![0; MAX_TEXT + 1]);
        let mut len = 0;
        let mut pipe = self.shell.stdout.take().ok_or(CommandError::NotStarted)?;
        loop {
            let mut poll = libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one valid entry, whose descriptor `pipe` keeps open.
            let ready = unsafe { libc::poll(&raw mut poll, 1, 20) };
            if ready > 0 {
                match pipe.read(&mut output[len..]) {
                    Ok(0) => break,
                    Ok(more) => len += more,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => return Err(CommandError::NotStarted),
                }
                if len > MAX_TEXT {
                    return Err(CommandError::TooMuch);
                }
            }
            over(end, give_up)?;
        }
        output.truncate(len);
        Ok(output)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
