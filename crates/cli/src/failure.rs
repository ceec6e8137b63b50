//! Every way to fail: what happened, what to do about it, and the exit code.
//!
//! What must stay true: no variant holds a value. What a server says of an error is hftok's or Postgres' own text, and hftok
//! names objects, never values.

use std::io;
use std::process::ExitCode;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The line asks for what is not possible. Clap's own errors have the same code.
    #[error("{0}")]
    Usage(String),
    /// There is no way to the server, or it broke off.
    #[error("cannot reach {target}: {reason}")]
    Unreachable {
        /// The server, without a password.
        target: String,
        /// What was tried, and what came back.
        reason: String,
    },
    /// The server answered with an error.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The server answered with something else than its version of hftok promises.
    #[error("{function} answered in an unknown form: is this command as old as the extension?")]
    Answer {
        /// The function or view.
        function: &'static str,
    },
    /// A provider does not take a credential.
    #[error("{what}")]
    Credential {
        /// The credential, its level, and the provider's word.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// There is no such object.
    #[error("there is no {0}")]
    Absent(String),
    /// Somebody stopped it by ^C or SIGTERM.
    #[error("stopped: {0}")]
    Stopped(String),
    /// An object is not fit for what is to be done with it.
    #[error("{object}: {fault}")]
    Unfit {
        /// The object.
        object: String,
        /// What is wrong.
        fault: String,
        /// What mends it.
        remedy: String,
    },
    /// A file or a stream failed.
    #[error("{what}: {source}")]
    Io {
        /// The object, and what was done to it.
        what: String,
        /// The system's word.
        source: io::Error,
    },
}

/// An error of the server.
#[derive(Debug, Default)]
pub struct Refusal {
    /// SQLSTATE.
    pub code: String,
    /// What happened.
    pub message: String,
    /// The object, or JSON.
    pub detail: Option<String>,
    /// The remedy.
    pub hint: Option<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Failure {
    /// A stream or a file failed while `what` was done.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }

    /// 2: the line is wrong. 3: refused. 4: nobody there, or sealed. 130: stopped, as a shell has it. 1: anything else.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Refused(refusal) if refusal.code.starts_with("53HF") => 4,
            Self::Refused(_) => 3,
            Self::Unreachable { .. } => 4,
            Self::Stopped(_) => 130,
            Self::Absent(_)
            | Self::Credential { .. }
            | Self::Answer { .. }
            | Self::Unfit { .. }
            | Self::Io { .. } => 1,
        })
    }

    /// SQLSTATE, where the server refused.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => Some(&refusal.code),
            _ => None,
        }
    }
}
