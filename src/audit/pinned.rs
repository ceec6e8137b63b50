//! Heads that somebody kept outside the database.

use hftok_core::audit::checkpoint::Note;
use hftok_core::audit::tree::root_at;

use super::checkpoints::StoredCheckpoint;
use super::nodes::{Lost, Nodes};
use crate::error::Error;
use crate::keys::{data_keys, identity};

/// An event that does not fit, with what is wrong.
pub type Bad = (i64, String);

/// Whether the log continues a head that was kept elsewhere.
pub fn against(pinned: &Note, newest: &StoredCheckpoint) -> Result<Option<Bad>, Error> {
    let (size, root) = (pinned.checkpoint.size, pinned.checkpoint.root);
    let number = i64::try_from(size).unwrap_or(i64::MAX);
    if !is_own(pinned)? {
        return Ok(Some((number, "the pinned head was not signed by this database".into())));
    }
    if size > newest.size {
        return Ok(Some(cut_off(newest.size, size)));
    }
    let mut nodes = Nodes::default();
    let what = match Lost::or_none(root_at(size, |node| nodes.hash(node)))? {
        Some(found) if found == root => return Ok(None),
        Some(_) => "the events up to it are not those of the pinned head",
        None => "the hashes that the pinned head needs are missing",
    };
    Ok(Some((number, what.into())))
}

/// A log that is shorter than a head that was kept elsewhere.
pub fn cut_off(size: u64, pinned: u64) -> Bad {
    (size.cast_signed() + 1, format!("the newest events are missing: the pinned head is event {pinned}"))
}

/// Whether a note was signed by this database, under any name that its log had.
pub fn is_own(note: &Note) -> Result<bool, Error> {
    for origin in identity::home()?.origins() {
        for key in data_keys::checkpoint_keys()? {
            if data_keys::known_verifier(key, &origin)?.is_some_and(|key| note.is_signed_by(&key)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
