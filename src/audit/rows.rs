//! The chain as rows: finding its end, adding to it, and reading rows again to verify them.

use std::cell::Cell;
use std::ffi::CStr;

use hftok_core::audit::chain::{Link, RunKey, START, same};
use hftok_core::audit::event::{Event, Kind, Object, Who};
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use pgrx::pg_sys::{BOOLOID, BYTEAOID, INT4OID, INT8OID, Oid, TEXTOID, TIMESTAMPTZOID, UUIDOID};

use super::action::PURGE;
use crate::error::Error;
use crate::keys::data_keys;
use crate::pg::rows::append::Append;
use crate::pg::rows::lock;
use crate::pg::rows::relations::{self, Relation};
use crate::pg::rows::sql::{Row, Run, Statement};
use crate::pg::server::key_pages::run_key;
use crate::pg::server::transaction;
use crate::pg::who::session::{self, database};

/// Asks for the extension: a database may have been created from one that had hftok, or have dropped it.
const INSTALLED: &CStr = c"SELECT 1 FROM pg_catalog.pg_extension e WHERE e.extname = 'hftok'";
/// Finds the newest event. Nobody reaches the upper bound by counting, and a row there would leave no number for the next. With
/// a lower bound near the end no more is read of the index's last page than is needed.
const LAST: &CStr =
    c"SELECT a.id, a.chain_hash FROM hftok_private.audit a WHERE a.id >= $1 AND a.id < 4611686018427387904
    ORDER BY a.id DESC LIMIT 1";
/// Finds an event before the beginning of the chain, which somebody must have inserted.
const FIRST_UNTIL: &CStr = c"SELECT min(a.id) FROM hftok_private.audit a WHERE a.id <= $1";
/// Finds the first event after a gap.
const FIRST_FROM: &CStr = c"SELECT min(a.id) FROM hftok_private.audit a WHERE a.id >= $1";
/// Finds the beginning of the chain since the last purge.
const STUB: &CStr =
    c"SELECT b.id, b.chain_hash, b.signature FROM hftok_private.audit_stub b ORDER BY b.id DESC LIMIT 1";
/// Finds whether an adoption or a purge was told already, so that it is not told twice.
const FIND_TOLD: &CStr =
    c"SELECT 1 FROM hftok_private.audit a WHERE a.kind = 'audit' AND a.protected AND a.action = $1
    AND a.outcome = 'committed' AND a.digest = $2";
/// Reads the link that a stub must fit.
const LINK: &CStr = c"SELECT a.chain_hash FROM hftok_private.audit a WHERE a.id = $1";
/// The columns of the table, in their order.
const COLUMNS: &[Oid] = &[
    INT8OID,
    TIMESTAMPTZOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    INT8OID,
    BOOLOID,
    UUIDOID,
    INT4OID,
    BYTEAOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    TEXTOID,
    BYTEAOID,
];
/// Reads a piece of the chain: so a chain of any length is verified in little memory.
const READ: &CStr = c"SELECT a.id, a.at, a.kind, a.action, a.outcome, a.count, a.protected, a.object_id, a.version,
    a.digest, a.owner_scope, a.owner_id, a.provider, a.level, a.subject, a.role_name, a.outer_role, a.login_role,
    a.actor_user, a.client_addr, a.application_name, a.request_id, a.chain_hash
    FROM hftok_private.audit a WHERE a.id >= $1 AND a.id <= $2 ORDER BY a.id LIMIT 10000";
/// Deletes the rows that it takes in the same step. Rows of others that are not committed yet are not seen.
const TAKE_PENDING: &CStr = c"WITH taken AS (
        DELETE FROM hftok_private.audit_pending p
        WHERE p.ctid = ANY (ARRAY(SELECT o.ctid FROM hftok_private.audit_pending o ORDER BY o.at LIMIT 2000))
        RETURNING p.at, p.event, p.protection, p.xmin::text::bigint AS transaction
    ) SELECT t.event, t.protection, t.transaction FROM taken t ORDER BY t.at";
/// Reads without taking, for a verifier on a standby.
const READ_PENDING: &CStr =
    c"SELECT p.event, p.protection, p.xmin::text::bigint FROM hftok_private.audit_pending p";

thread_local! {
    static FIND_EXTENSION: Statement = const { Statement::new(INSTALLED, &[]) };
    static FIND_FIRST_UNTIL: Statement = const { Statement::new(FIRST_UNTIL, &[INT8OID]) };
    static FIND_FIRST_FROM: Statement = const { Statement::new(FIRST_FROM, &[INT8OID]) };
    static FIND_LAST: Statement = const { Statement::new(LAST, &[INT8OID]) };
    // The last number that this process has seen.
    static SEEN: Cell<i64> = const { Cell::new(0) };
    static FIND_STUB: Statement = const { Statement::new(STUB, &[]) };
    static FIND_PURGE: Statement = const { Statement::new(FIND_TOLD, &[TEXTOID, BYTEAOID]) };
    static FIND_LINK: Statement = const { Statement::new(LINK, &[INT8OID]) };
    static READ_ROWS: Statement = const { Statement::new(READ, &[INT8OID, INT8OID]) };
    static TAKE_PENDING_ROWS: Statement = const { Statement::new(TAKE_PENDING, &[]) };
    static READ_PENDING_ROWS: Statement = const { Statement::new(READ_PENDING, &[]) };
}

/// The beginning of the chain after a purge.
pub struct Stub {
    /// The last event that was purged.
    pub number: i64,
    /// Its link, or anything that stands in its place.
    pub link: Vec<u8>,
    /// The signature over it.
    pub signature: Vec<u8>,
}

/// A row as it is stored, right or wrong.
pub struct Stored {
    /// Its number.
    pub number: i64,
    /// Its link, or anything that stands in its place.
    pub link: Vec<u8>,
    /// From here in the order of the table. Columns that are never NULL may have been made so.
    at: Option<TimestampWithTimeZone>,
    /// The word of a [`Kind`].
    kind: Option<String>,
    /// Equal events that it stands for.
    count: Option<i64>,
    /// False for events that no key signed.
    is_protected: Option<bool>,
    /// The object's id.
    id: Option<Uuid>,
    /// The object's version.
    version: Option<i32>,
    /// A fingerprint of what was changed.
    digest: Option<Vec<u8>>,
    /// The name of the function.
    action: Option<String>,
    /// The outcome.
    outcome: Option<String>,
    /// The columns of text that remain, in their order.
    texts: [Option<String>; 12],
}

/// Whether this database still has the extension.
pub fn is_installed() -> Result<bool, Error> {
    Ok(!FIND_EXTENSION.read(&[], |_| Ok(()))?.is_empty())
}

/// The last event and its link; the start when there is none.
pub fn last() -> Result<(i64, Link), Error> {
    let find = |from: i64| {
        FIND_LAST.read(&[from.into()], |row| Ok((row.must(1)?, row.get::<Vec<u8>>(2).unwrap_or_default())))
    };
    let last = match find(SEEN.get())?.pop() {
        None if SEEN.get() > 0 => find(0)?.pop(),
        last => last,
    };
    SEEN.set(last.as_ref().map_or(0, |(number, _)| *number));
    let (number, link) = match last {
        Some(last) => last,
        None => stub()?.map_or((0, START.to_vec()), |stub| (stub.number, stub.link)),
    };
    // Bytes that are no link cannot be tied to by the next row; the verification finds them.
    Ok((number, Link::try_from(link.as_slice()).unwrap_or(START)))
}

/// All numbers are smaller than this.
pub const LIMIT: i64 = 1 << 62;

/// The first event up to a number.
pub fn first_until(number: i64) -> Result<Option<i64>, Error> {
    Ok(FIND_FIRST_UNTIL.read(&[number.into()], |row| Ok(row.get(1)))?.pop().flatten())
}

/// The first event from a number on.
pub fn first_from(number: i64) -> Result<Option<i64>, Error> {
    Ok(FIND_FIRST_FROM.read(&[number.into()], |row| Ok(row.get(1)))?.pop().flatten())
}

/// The newest stub.
pub fn stub() -> Result<Option<Stub>, Error> {
    let found = FIND_STUB
        .read(&[], |row| Ok(Stub { number: row.must(1)?, link: row.must(2)?, signature: row.must(3)? }))?;
    Ok(found.into_iter().next())
}

/// Whether the audit tells of a purge that left a stub with this link, if only among what is still to be chained.
pub fn is_purge_told(link: &[u8]) -> Result<bool, Error> {
    if !FIND_PURGE.read(&[PURGE.into(), link.into()], |_| Ok(()))?.is_empty() {
        return Ok(true);
    }
    for pending in READ_PENDING_ROWS.read(&[], Pending::read)? {
        let tells = |event: Event<'_>| event.action == PURGE && event.object.digest == Some(link);
        if Event::decode(&pending.event).is_some_and(tells) && pending.is_protected()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The link of an event, if it is there.
pub fn link(number: i64) -> Result<Option<Vec<u8>>, Error> {
    Ok(FIND_LINK.read(&[number.into()], |row| Ok(row.get(1).unwrap_or_default()))?.pop())
}

/// Shows up to ten thousand rows from one number to another, in order; says how many there were.
pub fn read(from: i64, to: i64, mut each: impl FnMut(Stored) -> Result<(), Error>) -> Result<usize, Error> {
    Ok(READ_ROWS.read(&[from.into(), to.into()], |row| each(Stored::read(row)?))?.len())
}

/// Events that are taken out of `audit_pending` at a time (the statement has the same number).
pub const PENDING: usize = 2000;

/// An event that lay in `audit_pending`.
pub struct Pending {
    /// The event, encoded.
    pub event: Vec<u8>,
    /// The protection, if there is one.
    pub protection: Option<Link>,
    /// The transaction that put it there.
    pub transaction: u64,
}

/// Takes events out of `audit_pending`, the oldest first.
pub fn take_pending() -> Result<Vec<Pending>, Error> {
    TAKE_PENDING_ROWS.write(&[], Pending::read)
}

impl Pending {
    /// The event, with its protection and the transaction that wrote it.
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self::new(row.must(1)?, row.get::<Vec<u8>>(2).as_deref(), row.must(3)?))
    }

    /// Makes one of a row of the table.
    pub fn new(event: Vec<u8>, protection: Option<&[u8]>, xmin: i64) -> Self {
        Self {
            event,
            protection: protection.and_then(|bytes| Link::try_from(bytes).ok()),
            transaction: transaction::whole_id(u32::try_from(xmin).unwrap_or_default()),
        }
    }

    /// Whether hftok put it there with a key. An event without a key may be true as well: a server that was restarted while it
    /// was sealed has forgotten the key of the run before.
    pub fn is_protected(&self) -> Result<bool, Error> {
        let Some(link) = &self.protection else { return Ok(false) };
        if RunKey::is_named_by(link) {
            let own = protection_of_run(self.transaction, &self.event);
            return Ok(own.is_some_and(|own| same(&own, link)));
        }
        match data_keys::was_made(link, |key| key.protect(self.transaction, &self.event)) {
            // The event may name any key, also one that nobody has.
            Err(Error::WrongRoot { .. }) => Ok(false),
            made => made,
        }
    }
}

/// The protection of an event in the table while there is no data key for it.
pub fn protection_of_run(transaction: u64, event: &[u8]) -> Option<Link> {
    run_key()?.protect(database(), transaction, event)
}

/// Leaves events in `audit_pending`, each with its protection.
pub fn put_pending<'a>(events: impl Iterator<Item = (&'a [u8], Option<Link>)>) -> Result<(), Error> {
    let mut new = Append::begin(table(c"audit_pending")?, &[TIMESTAMPTZOID, BYTEAOID, BYTEAOID])?;
    for (event, protection) in events {
        new.row([time(session::now())?.into(), event.into(), protection.map(|link| link.to_vec()).into()])?;
    }
    new.finish()
}

/// Locks the tables of the audit against statements that rebuild or index them, and waits for such a statement as long as this
/// process waits for a lock.
pub fn hold_tables() -> Result<(), Error> {
    lock::hold_for_rows(table(c"audit")?, table(c"audit_pending")?);
    Ok(())
}

/// The id of a table that exists for as long as the extension does.
fn table(name: &CStr) -> Result<Relation, Error> {
    relations::named(name).ok_or(Error::Internal("a table of the audit does not exist"))
}

/// Postgres' time, from the microseconds of the queue.
fn time(at: i64) -> Result<TimestampWithTimeZone, Error> {
    TimestampWithTimeZone::try_from(at).map_err(|_| Error::Internal("an event has no time"))
}

/// Rows that are being added.
pub struct NewRows(Append);

impl NewRows {
    /// Opens the table.
    pub fn begin() -> Result<Self, Error> {
        Append::begin(table(c"audit")?, COLUMNS).map(Self)
    }

    /// Adds a row.
    pub fn push(&mut self, number: i64, event: &Event<'_>, link: &Link) -> Result<(), Error> {
        let at = time(event.at)?;
        let Event { object, who, .. } = event;
        self.0.row([
            number.into(),
            at.into(),
            event.kind.as_str().into(),
            event.action.into(),
            event.outcome.into(),
            event.count.into(),
            event.is_protected.into(),
            object.id.map(Uuid::from_bytes).into(),
            object.version.into(),
            object.digest.into(),
            object.scope.into(),
            object.owner.into(),
            object.provider.into(),
            object.level.into(),
            object.subject.into(),
            who.role.into(),
            who.outer.into(),
            who.login.into(),
            who.user.into(),
            who.address.into(),
            who.application.into(),
            who.request.into(),
            link.as_slice().into(),
        ])
    }

    /// Stores them.
    pub fn store(self) -> Result<(), Error> {
        self.0.finish()
    }
}

impl Stored {
    /// Reads a row. A column may be NULL, though that is damage: the verifier names the row.
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        let mut column = 10;
        Ok(Self {
            number: row.must(1)?,
            at: row.get(2),
            kind: row.get(3),
            action: row.get(4),
            outcome: row.get(5),
            count: row.get(6),
            is_protected: row.get(7),
            id: row.get(8),
            version: row.get(9),
            digest: row.get(10),
            texts: std::array::from_fn(|_| {
                column += 1;
                row.get(column)
            }),
            link: row.get(23).unwrap_or_default(),
        })
    }

    /// Whether the row says that the event was protected.
    pub fn is_protected(&self) -> bool {
        self.is_protected == Some(true)
    }

    /// The event that the row tells, if it can be one.
    pub fn event(&self) -> Option<Event<'_>> {
        let [scope, owner, provider, level, subject, role, outer, login, user, address, application, request] =
            self.texts.each_ref().map(Option::as_deref);
        Some(Event {
            at: self.at?.into_inner(),
            kind: Kind::parse(self.kind.as_deref()?)?,
            is_protected: self.is_protected?,
            action: self.action.as_deref()?,
            outcome: self.outcome.as_deref()?,
            count: self.count?,
            object: Object {
                id: self.id.as_ref().map(|id| *id.as_bytes()),
                version: self.version,
                digest: self.digest.as_deref(),
                scope,
                owner,
                provider,
                level,
                subject,
            },
            who: Who { role, outer, login, user, address, application, request },
        })
    }
}
