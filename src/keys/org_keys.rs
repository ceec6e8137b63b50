//! Data keys of organisations: given to one on request, shut by its owners, destroyed with it.
//!
//! What must stay true: whatever is saved for an organisation that has a key of its own is sealed with that one; a key that is shut or
//! destroyed is neither unwrapped nor kept unwrapped from the commit on.

use std::cell::RefCell;
use std::collections::BTreeMap;

use hftok_core::data_key::{DataKeyId, Purpose, ValueKey};

use crate::error::Error;
use crate::keys::wrapped_keys::{self, Ids};
use crate::keys::{data_keys, identity, org_wraps, roots};
use crate::pg::rows::declared::statement;
use crate::pg::rows::relations::Matter;
use crate::pg::rows::remembered::Remembered;
use crate::pg::rows::sql::Run;
use crate::pg::server::key_pages;
use crate::pg::server::transaction::{self, End, Listener};
use crate::pg::who::session::database;

/// The organisations that a session knows the keys of at most.
const KNOWN_MAX: usize = 10_000;

thread_local! {
    static OF_ORGS: Remembered<OfOrgs> = const { Remembered::new(Matter::OrgKeys, &[c"data_keys"]) };
    // Keys that are shut or destroyed by the transaction that is running.
    static ENDING: RefCell<Vec<DataKeyId>> = const { RefCell::new(Vec::new()) };
}

/// The keys of organisations, as far as this session has asked.
struct OfOrgs {
    /// Whether any organisation has one: in most databases none has.
    are_any: bool,
    /// The active key of each that was asked for, if it has one.
    known: RefCell<BTreeMap<String, Option<DataKeyId>>>,
}

/// Seals with the key of an organisation, if it has one of its own, else with that of the installation.
pub fn sealing<R>(
    org: Option<&str>,
    seal: impl FnOnce(ValueKey<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    data_keys::hold()?;
    match org.map(active).transpose()?.flatten() {
        Some(own) => data_keys::sealing_with(own, seal),
        None => data_keys::sealing(seal),
    }
}

/// The active key of an organisation, if it has one of its own.
fn active(org: &str) -> Result<Option<DataKeyId>, Error> {
    let look = |_: &[_]| {
        let are_any = ASK_ANY.read_single(&[], |row| row.next())?;
        Ok(OfOrgs { are_any, known: RefCell::default() })
    };
    let of_orgs = OF_ORGS.with(|of_orgs| of_orgs.now(look))?;
    if !of_orgs.are_any {
        return Ok(None);
    }
    if let Some(known) = of_orgs.known.borrow().get(org) {
        return Ok(*known);
    }
    let found = FIND_ACTIVE.with_ids(&[org.into()])?.first().copied();
    let mut known = of_orgs.known.borrow_mut();
    if known.len() >= KNOWN_MAX {
        known.clear();
    }
    known.insert(org.to_owned(), found);
    Ok(found)
}

/// Keeps others from making keys. Comes before the organisation is locked: whoever gives keys to several takes turns with others here,
/// and waits for none of them there.
pub fn begin() -> Result<(), Error> {
    // Whatever else is sealed needs these, and whoever makes them locks what is locked here.
    data_keys::make_for_values()?;
    data_keys::lock()
}

/// What came of giving a key to an organisation.
pub enum Given {
    /// It has a new one.
    New(DataKeyId),
    /// It had one.
    Had {
        /// Whether a key that the organisation holds wraps it.
        is_by_org: bool,
    },
}

/// Gives an organisation a key of its own, unless it has one; on request one that a key wraps which the organisation holds. The caller
/// has begun, has locked the organisation, and seals its values anew.
pub fn give(org: &str, is_by_org: bool) -> Result<Given, Error> {
    if is_by_org {
        org_wraps::admit(org)?;
    }
    if let Some(id) = FIND_ACTIVE.with_ids(&[org.into()])?.first() {
        return Ok(Given::Had { is_by_org: wrapped_keys::stored(*id)?.is_by_org });
    }
    let home = identity::home()?;
    home.refuse_copy()?;
    let id = wrapped_keys::draw(Purpose::Values, org, is_by_org, &home.identity())?;
    data_keys::made(Purpose::Values, id)?;
    Ok(Given::New(id))
}

/// Shuts the keys of an organisation, or opens them again; `false` when it has none.
pub fn set_shut(org: &str, is_shut: bool) -> Result<bool, Error> {
    end_with(of_all(|| SET_SHUT.write(&[org.into(), is_shut.into()], |row| row.next::<i32>()))?);
    Ok(!FIND_ANY.with_ids(&[org.into()])?.is_empty())
}

/// Changes keys until there is none left to change: a rotation that is being committed leaves another one, and whoever waited for it
/// has not seen that.
fn of_all(change: impl Fn() -> Result<Vec<i32>, Error>) -> Result<Vec<i32>, Error> {
    let mut all = Vec::new();
    loop {
        let changed = change()?;
        if changed.is_empty() {
            return Ok(all);
        }
        all.extend(changed);
    }
}

/// Destroys the keys of an organisation; `false` when it has none. Backups have them still, wrapped.
pub fn destroy(org: &str) -> Result<bool, Error> {
    // Most have none: the table of keys is locked for those alone that have.
    if FIND_ANY.with_ids(&[org.into()])?.is_empty() {
        return Ok(false);
    }
    let destroyed = of_all(|| DESTROY.write(&[org.into()], |row| row.next::<i32>()))?;
    if destroyed.is_empty() {
        return Ok(false);
    }
    end_with(destroyed);
    END_ROTATIONS.execute(&[org.into()])?;
    roots::note()?;
    Ok(true)
}

/// Has keys wiped once the transaction is committed. Other sessions, and those of standbys, forget them by themselves; but some may
/// not come back for long.
fn end_with(ids: Vec<i32>) {
    ENDING.with_borrow_mut(|ending| ending.extend(ids.into_iter().filter_map(DataKeyId::new)));
    transaction::tell(Listener::OrgKeys, ended);
}

/// Told at the end of every transaction, and of every part of one. A key that is wiped for nothing is unwrapped again.
fn ended(end: End) {
    if matches!(end, End::PartKept(_) | End::PartRolledBack(_)) {
        return;
    }
    let ending = ENDING.take();
    if end == End::Committed && !ending.is_empty() {
        key_pages::change(|_, pages| pages.retain(database(), |key| !ending.contains(&key.id())));
    }
}

statement! {
    /// Also one that is shut: as long as it is, nothing is sealed for its organisation.
    ASK_ANY() =
        "SELECT EXISTS (SELECT FROM hftok_private.data_keys k
            WHERE k.purpose = 'values' AND k.org_id > '' AND k.state = 'active')";

    /// The key that an organisation's values are sealed with.
    FIND_ACTIVE(TEXT) =
        "SELECT k.id FROM hftok_private.data_keys k
        WHERE k.purpose = 'values' AND k.org_id = $1 AND k.state = 'active'";

    /// Any key that an organisation has.
    FIND_ANY(TEXT) =
        "SELECT k.id FROM hftok_private.data_keys k
        WHERE k.org_id = $1 AND k.org_id <> '' AND k.state <> 'destroyed' LIMIT 1";

    /// Those that were rotated too: they still open values. The first time counts.
    SET_SHUT(TEXT, BOOL) =
        "UPDATE hftok_private.data_keys k
        SET shut_at = CASE WHEN $2 THEN pg_catalog.clock_timestamp() END
        WHERE k.purpose = 'values' AND k.org_id = $1 AND k.org_id <> '' AND k.state <> 'destroyed'
        AND (k.shut_at IS NOT NULL) <> $2 RETURNING k.id";

    /// The rows stay, so that their ids are never given again.
    DESTROY(TEXT) =
        "UPDATE hftok_private.data_keys k SET state = 'destroyed', wrapped = NULL, shut_at = NULL
        WHERE k.purpose = 'values' AND k.org_id = $1 AND k.org_id <> '' AND k.state <> 'destroyed' RETURNING k.id";

    /// Nothing is left that could be sealed anew.
    END_ROTATIONS(TEXT) =
        "UPDATE hftok_private.rotations r SET finished_at = pg_catalog.clock_timestamp(), waits_for = NULL, holders = NULL, horizon = NULL
        WHERE r.org_id = $1 AND r.org_id <> '' AND r.finished_at IS NULL";
}
