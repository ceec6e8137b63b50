//! Reading a keyring from where the settings say: a file, or else a command; and the keys of an organisation, from the command.
//!
//! What must stay true: the text of a keyring is only ever in a buffer of its full size from the start, which is
//! wiped; a file that others can read is not read.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::Duration;

use hftok_core::keyring::{Keyring, MAX_TEXT};
use hftok_core::keyring_state::Reason;
use hftok_core::org_key::{OrgId, OrgKeyFault, OrgKeys};
use zeroize::Zeroizing;

use crate::pg::server::command;
use crate::settings;

/// The longest that the command may take. `unseal()` waits for two runs of it (`keys/mod.rs`).
pub const LIMIT: Duration = Duration::from_secs(30);

/// Reads the keyring. `give_up` is asked while waiting for a command.
pub fn read(give_up: impl FnMut() -> bool) -> Result<Box<Keyring>, Reason> {
    let text = if let Some(path) = settings::key_file() {
        read_file(&path)?
    } else if let Some(command) = settings::key_command() {
        command::output(&command, None, LIMIT, give_up).map_err(Reason::Command)?
    } else {
        return Err(Reason::NotConfigured);
    };
    Keyring::parse(&text).map_err(Reason::Malformed)
}

/// The longest that it may take to print the key of an organisation: somebody waits for it with a connection.
pub const ORG_LIMIT: Duration = Duration::from_secs(5);

/// Asks the command for the keys of an organisation, whose id follows it as an argument.
pub fn read_of(org: &OrgId, give_up: impl FnMut() -> bool) -> Result<OrgKeys, OrgKeyFault> {
    let command = settings::key_command().ok_or(OrgKeyFault::NoCommand)?;
    // Behind these the argument would be a command of its own.
    if command
        .trim_end_matches([' ', '\t'])
        .ends_with([';', '&', '|', '(', '{', '<', '>', '\n', '\r', '`', '\\'])
    {
        return Err(OrgKeyFault::NoArgument);
    }
    let text =
        command::output(&command, Some(org.as_str()), ORG_LIMIT, give_up).map_err(OrgKeyFault::Command)?;
    OrgKeys::parse(&text, org.as_str()).map_err(OrgKeyFault::Malformed)
}

/// Reads a regular file of limited size, at once or not at all.
fn read_file(path: &str) -> Result<Zeroizing<Vec<u8>>, Reason> {
    let unreadable = |error: std::io::Error| Reason::Unreadable(error.raw_os_error().unwrap_or_default());
    // Opening a pipe would wait for somebody who writes into it.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(Reason::NotAFile);
    }
    if about.mode() & 0o077 != 0 {
        return Err(Reason::TooOpen);
    }
    if about.uid() != 0 && about.uid() != own_user().map_err(unreadable)? {
        return Err(Reason::ForeignOwner);
    }
    // One byte more than is allowed, so that what is longer is refused and not cut.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_TEXT + 1));
    file.take(u64::try_from(MAX_TEXT + 1).unwrap_or(u64::MAX)).read_to_end(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// Whether the key file lies in the data directory, which is the current one: also by a relative path or a link.
pub fn is_in_data_directory() -> bool {
    let Some(path) = settings::key_file() else { return false };
    let Ok(data) = std::fs::canonicalize(".") else { return false };
    let path = data.join(path);
    std::fs::canonicalize(&path).unwrap_or(path).starts_with(data)
}

/// The user that the server runs as owns its data directory, which is the current one.
fn own_user() -> std::io::Result<u32> {
    Ok(std::fs::metadata(".")?.uid())
}
