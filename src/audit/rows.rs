//! Events that have a row each: changes, and what is done with keys and with the audit itself.

use hftok_core::audit::event::{Event, Kind, MAX_DIGEST, MAX_TEXT, Object, Who};
use hftok_core::audit::leaf::{Hash, leaf_data, leaf_hash};
use hftok_core::audit::record::Record;
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use pgrx::pg_sys::{BOOLOID, BYTEAOID, INT4OID, INT8OID, Oid, TEXTOID, TIMESTAMPTZOID, UUIDOID};

use super::action::PURGE;
use super::pending;
use super::tables::{bounded, table, time};
use crate::error::Error;
use crate::pg::rows::append::Append;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;

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

/// A row as it is stored, right or wrong.
pub struct Stored {
    /// Its number.
    pub number: i64,
    /// The hash of its leaf, or anything that stands in its place.
    pub leaf: Vec<u8>,
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
    texts: [Option<String>; TEXTS],
}

/// The rows from one number to another, in order.
pub fn read(from: i64, to: i64) -> Result<Vec<Stored>, Error> {
    READ_ROWS.read(&[from.into(), to.into()], Stored::read)
}

/// Whether the audit tells of a purge up to this event, if only among what is still to be written.
pub fn is_purge_told(last: i64) -> Result<bool, Error> {
    let last = last.to_string();
    let is_told = FIND_TOLD.read_one(&[PURGE.into(), last.as_str().into()], |_| Ok(()))?.is_some();
    Ok(is_told || pending::tells_of_purge(&last)?)
}

/// Rows that are being added.
pub struct NewRows(Append);

impl NewRows {
    /// Opens the table.
    pub fn begin() -> Result<Self, Error> {
        Append::begin(table(c"audit")?, COLUMNS).map(Self)
    }

    /// Adds a row.
    pub fn push(&mut self, number: i64, event: &Event<'_>, leaf: &Hash) -> Result<(), Error> {
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
            leaf.as_slice().into(),
        ])
    }

    /// Stores them.
    pub fn store(self) -> Result<(), Error> {
        self.0.finish()
    }
}

/// The number of columns that hold texts about object and caller.
const TEXTS: usize = 12;

/// Reads those columns.
fn texts(row: &Row<'_>) -> Result<[Option<String>; TEXTS], Error> {
    let mut texts = [const { None }; TEXTS];
    for text in &mut texts {
        *text = row.next()?;
    }
    Ok(texts)
}

impl Stored {
    /// Reads a row. A column may be NULL, though that is damage: the verifier names the row.
    fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            number: row.next()?,
            at: row.next()?,
            kind: row.next()?,
            action: row.next()?,
            outcome: row.next()?,
            count: row.next()?,
            is_protected: row.next()?,
            id: row.next()?,
            version: row.next()?,
            digest: row.next()?,
            texts: texts(row)?,
            leaf: row.next::<Option<_>>()?.unwrap_or_default(),
        })
    }

    /// Whether the row says that the event was protected.
    pub fn is_protected(&self) -> bool {
        self.is_protected == Some(true)
    }

    /// Whether the row tells of this action.
    pub fn is_action(&self, action: &str) -> bool {
        self.action.as_deref() == Some(action)
    }

    /// The hash of the leaf that the row should have.
    pub fn leaf_hash(&self) -> Option<Hash> {
        Some(leaf_hash(Record::of(&self.event()?.encode())?))
    }

    /// The data of that leaf.
    pub fn leaf_data(&self) -> Option<Vec<u8>> {
        Some(leaf_data(Record::of(&self.event()?.encode())?))
    }

    /// The event that the row tells, if it can be one. A row that no record can hold was written by somebody else.
    pub fn event(&self) -> Option<Event<'_>> {
        let [scope, owner, provider, level, subject, role, outer, login, user, address, application, request] =
            self.texts.each_ref().map(Option::as_deref);
        let event = Event {
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
        };
        event.fits().then_some(event)
    }
}

/// The SQL that reads a text that an event can have. In the place of a longer one it gives one that no event can have either.
macro_rules! text {
    ($column:literal) => {
        concat!(
            "CASE WHEN pg_catalog.octet_length(",
            $column,
            ") > 1024 THEN pg_catalog.repeat('?', 1025) ELSE ",
            $column,
            " END"
        )
    };
}
/// The same for the digest.
macro_rules! digest {
    () => {
        "CASE WHEN pg_catalog.octet_length(a.digest) > 64 THEN pg_catalog.decode(pg_catalog.repeat('00', 65), 'hex')
            ELSE a.digest END"
    };
}
const _: () = assert!(MAX_TEXT == 1024 && MAX_DIGEST == 64, "the statement has the same numbers");

statement! {
    /// Reads rows between two numbers.
    READ_ROWS(INT8, INT8) =
        "SELECT a.id, a.at, ", text!("a.kind"), ", ", text!("a.action"), ", ", text!("a.outcome"), ", a.count, a.protected,
        a.object_id, a.version, ", digest!(), ", ", text!("a.owner_scope"), ", ", text!("a.owner_id"), ", ",
        text!("a.provider"), ", ", text!("a.level"), ", ", text!("a.subject"), ", ", text!("a.role_name"), ", ",
        text!("a.outer_role"), ", ", text!("a.login_role"), ", ", text!("a.actor_user"), ", ", text!("a.client_addr"), ", ",
        text!("a.application_name"), ", ", text!("a.request_id"), ", ", bounded!("a.chain_hash", 32), "
        FROM hftok_private.audit a WHERE a.id >= $1 AND a.id <= $2 ORDER BY a.id";

    /// Finds whether a purge was told, so that its end is believed.
    FIND_TOLD(TEXT, TEXT) =
        "SELECT 1 FROM hftok_private.audit a WHERE a.kind = 'audit' AND a.protected AND a.action = $1
        AND a.outcome = 'committed' AND a.owner_id = $2";
}
