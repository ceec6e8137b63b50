//! Verifying the log: every event that is stored against the tree, and the tree against the checkpoint that hftok has signed.

use hftok_core::audit::checkpoint::Note;
use hftok_core::audit::tree::TILE;

use super::checkpoints::{self, StoredCheckpoint};
use super::eras::Eras;
use super::log_walk::Walk;
use super::pinned::Bad;
use super::{bounds, pinned, rows};
use crate::error::Error;

/// The outcome of a verification.
#[derive(Default)]
pub struct Verdict {
    /// Events that fit.
    pub checked: i64,
    /// Number of these that lay in a table without a protection that fits.
    pub unprotected: i64,
    /// The first event that does not fit, with what is wrong.
    pub first_bad: Option<Bad>,
    /// The database whose log it was and up to which event, where this one continues another database's.
    pub continued: Option<String>,
}

/// Verifies the events from one number to another, and that the log continues the head that was kept elsewhere.
pub fn verify(from: Option<i64>, to: Option<i64>, pinned: Option<&Note>) -> Result<Verdict, Error> {
    // A purge that commits meanwhile moves the beginning: then it is verified from there.
    for _ in 0..PURGES_MAX {
        let begins = bounds::first()?;
        let verdict = verify_once(from, to, pinned)?;
        if verdict.first_bad.is_none() || bounds::first()? == begins {
            return Ok(verdict);
        }
    }
    Err(Error::Internal("the audit is purged again and again"))
}

/// Verifies once.
fn verify_once(from: Option<i64>, to: Option<i64>, pinned: Option<&Note>) -> Result<Verdict, Error> {
    let eras = Eras::known()?;
    let mut verdict = Verdict { continued: eras.continued.clone(), ..Verdict::default() };
    let newest = match end(&eras)? {
        Ok(newest) => newest,
        Err(bad) => {
            let is_cut = pinned.filter(|pinned| pinned.checkpoint.size > 0);
            verdict.first_bad =
                bad.or_else(|| is_cut.map(|pinned| pinned::cut_off(0, pinned.checkpoint.size)));
            return Ok(verdict);
        }
    };
    let begin = match beginning()? {
        Ok(begin) => begin,
        Err(bad) => {
            verdict.first_bad = Some(bad);
            return Ok(verdict);
        }
    };
    let size = newest.size.cast_signed();
    let range = (from.unwrap_or(begin).max(begin), to.unwrap_or(size).min(size));
    let mut walk = Walk::begin(eras, begin, range);
    walk.run(&newest)?;
    (verdict.checked, verdict.unprotected, verdict.first_bad) = (walk.checked, walk.unprotected, walk.bad);
    if let (None, Some(head)) = (&verdict.first_bad, pinned) {
        verdict.first_bad = pinned::against(head, &newest)?;
    }
    Ok(verdict)
}

/// The newest checkpoint, if hftok has signed it and the events that are there are as many as it says. Where nothing was ever written
/// there is neither a checkpoint nor anything wrong.
fn end(eras: &Eras) -> Result<Result<StoredCheckpoint, Option<Bad>>, Error> {
    // Asked for first: what was committed before is seen after.
    let known = eras.generation.as_ref().map_or(0, checkpoints::known_size).cast_signed();
    let (newest, last) = StoredCheckpoint::newest_and_last()?;
    let Some(newest) = newest else {
        let cut = (known > 0).then(|| (1, format!("the newest events are missing: there were {known}")));
        return Ok(Err(cut.or_else(|| (last > 0).then(|| (1, "there is no checkpoint".into())))));
    };
    let size = newest.size.cast_signed();
    Ok(if size < eras.first_own() {
        Err(Some((size + 1, "the newest events are missing, with that of adopt_database()".into())))
    } else if size < known {
        Err(Some((size + 1, format!("the newest events are missing: there were {known}"))))
    } else if last > size {
        Err(Some((size + 1, "it was not written here: the newest checkpoint does not cover it".into())))
    } else if last < size {
        Err(Some((last + 1, format!("the newest events are missing: there were {size}"))))
    } else if !newest.is_signed(&eras.origin)? {
        Err(Some((size, "the newest checkpoint was not signed by hftok".into())))
    } else {
        Ok(newest)
    })
}

/// The first event that is there. Whole tiles before it may have been purged, if the audit says so.
fn beginning() -> Result<Result<i64, Bad>, Error> {
    if let Some(number) = bounds::below_one()? {
        return Ok(Err((number, "it was put out of the way, or inserted, before the beginning".into())));
    }
    let begin = bounds::first()?.unwrap_or(1);
    let purged = begin - 1;
    let is_whole = purged.cast_unsigned().is_multiple_of(TILE);
    if purged > 0 && (!is_whole || !rows::is_purge_told(purged)?) {
        return Ok(Err((purged, "it and all before it are missing, and the audit tells of no purge".into())));
    }
    Ok(Ok(begin))
}

/// Purges that a verification begins anew for.
const PURGES_MAX: usize = 100;
