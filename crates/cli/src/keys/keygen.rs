//! `hftok keygen`: a keyring with a first key.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hftok_core::keyring::Keyring;
use rustix::process::getuid;
use serde::Serialize;
use zeroize::Zeroizing;

use super::account::Account;
use super::place::{Place, put};
use super::{drawn, naming};
use crate::failure::Failure;
use crate::screen::Screen;

/// Make a keyring with a new root key
///
/// The file is readable by its owner alone, and is never overwritten. Whoever loses it loses every value: copy it to another
/// place before anything is saved.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hftok keygen /etc/hftok/keyring --owner postgres --installation prod\n  hftok keygen ./keyring"
)]
pub struct Keygen {
    /// The file, which must not exist
    file: PathBuf,
    /// The account that the server runs as: a name, UID or UID:GID [default: who calls]
    #[arg(long, value_name = "USER")]
    owner: Option<Account>,
    /// The name of this installation, another on each server [default: a random one]
    #[arg(long, value_name = "NAME", value_parser = naming::installation)]
    installation: Option<String>,
}

/// What was made, without the key.
#[derive(Serialize)]
struct Made {
    /// Where it is.
    file: String,
    /// The name in it.
    installation: String,
    /// The number of its key.
    id: i32,
    /// What the key is recognised by.
    fingerprint: String,
}

impl Keygen {
    /// Carries it out.
    pub fn run(self, screen: &Screen) -> Result<ExitCode, Failure> {
        let installation = match self.installation {
            Some(given) => given,
            None => naming::random()?,
        };
        let key = drawn::key_line(1)?;
        let mut text = Zeroizing::new(Vec::with_capacity(512));
        text.extend_from_slice(format!("installation: {installation}\n").as_bytes());
        text.extend_from_slice(key.as_bytes());
        let file = self.file.display().to_string();
        // Read as the server will: what is written is a keyring.
        let ring = Keyring::parse(&text).map_err(|error| Failure::Unfit {
            object: file.clone(),
            fault: error.to_string(),
            remedy: "This is a fault of the command.".to_owned(),
        })?;
        let fingerprint = ring.primary().map(|key| key.fingerprint().to_string()).unwrap_or_default();
        put(&self.file, &text, self.owner, Place::Empty)?;
        let made = Made { file, installation, id: 1, fingerprint };
        screen.answer(&made, || {
            format!(
                "{}: root key {} ({}) of installation {}\nCopy it to another place now: without it nobody opens anything again.",
                made.file, made.id, made.fingerprint, made.installation
            )
        })?;
        if self.owner.is_none() && getuid().is_root() {
            screen.note("It belongs to root. A server that runs as another account reads it after chown, or by --owner.");
        }
        Ok(ExitCode::SUCCESS)
    }
}
