//! The levels as a session knows them, so that the walk need not ask again and again: where the table of secrets is, and which
//! levels are empty throughout.
//!
//! What must stay true: whoever changes what is known here has all sessions told (the triggers of `sql/again/levels.sql`, which
//! also fire for replication and COPY), so that it is forgotten when the change is committed, and at once by the session
//! that makes it. A level is called empty only if it never had a row: what is remembered of it once it has one is right for ever.

use std::ffi::CStr;
use std::rc::Rc;

use hftok_core::binding::Scope;
use pgrx::pg_sys::{BOOLOID, BYTEAOID, INT4OID, Oid, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};

use crate::error::Error;
use crate::pg::rows::absence::LeafFile;
use crate::pg::rows::buckets;
use crate::pg::rows::declared::statement;
use crate::pg::rows::relations::{self, Matter, Relation};
use crate::pg::rows::remembered::Remembered;
use crate::pg::rows::scan::Address;
use crate::pg::rows::sql::Run;

thread_local! {
    static LEVELS: Remembered<Levels> =
        const { Remembered::new(Matter::Levels, &[c"secrets", c"secrets_binding_key_key", c"kinds"]) };
}

/// The place of the table of secrets.
pub struct Table {
    /// By binding_key.
    pub address: Address,
    /// The columns that the walk reads, in the order of [`COLUMNS`].
    pub columns: [i16; COLUMNS.len()],
}

/// The columns that the walk reads, and the types that it reads them as.
pub const COLUMNS: [(&CStr, Oid); 18] = [
    (c"binding_key", UUIDOID),
    (c"id", UUIDOID),
    (c"version", INT4OID),
    (c"scope", TEXTOID),
    (c"scope_id", TEXTOID),
    (c"provider", TEXTOID),
    (c"model", TEXTOID),
    (c"name", TEXTOID),
    (c"slot", TEXTOID),
    (c"kind", TEXTOID),
    (c"allowed_hosts", TEXTARRAYOID),
    (c"expires_at", TIMESTAMPTZOID),
    (c"sealed", BYTEAOID),
    (c"preview", TEXTOID),
    (c"enabled", BOOLOID),
    (c"on_unusable", TEXTOID),
    (c"verdict", TEXTOID),
    (c"rested_until", TIMESTAMPTZOID),
];

/// The owners of levels, in the order in which `FIND_KINDS` asks: for models first, then without one.
const OWNERS: [Scope; 3] = [Scope::User, Scope::Org, Scope::Global];

/// The levels, as far as they are known.
pub struct Levels {
    /// The table, if it can be read without SQL.
    pub table: Option<Table>,
    /// The kinds of credentials, in the order of `FIND_KINDS`.
    kinds: [Known; 2 * OWNERS.len()],
}

/// A kind of credentials: of a kind of owner, for a model or not.
#[derive(Clone, Copy)]
struct Known {
    /// Whether there is any.
    is_there: bool,
    /// Whether any has a slot of its own: only then is an owner's further key looked for.
    has_slots: bool,
}

impl Levels {
    /// Whether there may be a secret of this kind of owner, for a model or not.
    pub fn may_have(&self, scope: Scope, has_model: bool) -> bool {
        self.kind(scope, has_model).is_none_or(|kind| kind.is_there)
    }

    /// Whether one of them may have a slot of its own.
    pub fn may_have_slots(&self, scope: Scope, has_model: bool) -> bool {
        self.kind(scope, has_model).is_some_and(|kind| kind.has_slots)
    }

    /// The kind, if the owner's scope is one of a level.
    fn kind(&self, scope: Scope, has_model: bool) -> Option<&Known> {
        let at = OWNERS.iter().position(|one| *one == scope)?;
        self.kinds.get(if has_model { at } else { at + OWNERS.len() })
    }
}

/// The levels, as they are known now.
pub fn known() -> Result<Rc<Levels>, Error> {
    LEVELS.with(|levels| levels.now(look))
}

/// The same, for whoever has locked the table of secrets since anything was asked.
pub fn known_under_lock() -> Result<Rc<Levels>, Error> {
    LEVELS.with(|levels| levels.under_lock(look))
}

/// Asks the tables, the first of which is that of secrets, with the index by binding after it.
fn look(relations: &[Relation]) -> Result<Levels, Error> {
    let [table, index, ..] = *relations else {
        return Err(Error::Internal("levels are known by other tables"));
    };
    let is_direct: Option<bool> = ASK_DIRECT.read_single(&[], |row| row.next())?;
    // Where a column is another one, SQL reads it, or says what is wrong.
    let columns = relations::columns(table, COLUMNS).filter(|_| is_direct == Some(true));
    buckets::expect_keys_of(index);
    let place = |columns: [i16; COLUMNS.len()]| {
        let last = columns.into_iter().max().unwrap_or_default();
        let address = Address { table, index, key: columns[0], last, leaves: LeafFile::of(index) };
        Table { address, columns }
    };
    let kinds = FIND_KINDS.read(&[], |row| Ok(Known { is_there: row.next()?, has_slots: row.next()? }))?;
    let all = [Known { is_there: true, has_slots: true }; 2 * OWNERS.len()];
    Ok(Levels { table: columns.map(place), kinds: kinds.try_into().unwrap_or(all) })
}

/// Notes that there is a secret of this kind, if it may be the first, and has sessions told.
pub fn note(table: Relation, scope: Scope, has_model: bool, has_slot: bool) -> Result<(), Error> {
    let known = known()?;
    let is_first_slot = has_slot && !known.may_have_slots(scope, has_model);
    if !known.may_have(scope, has_model) || is_first_slot {
        NOTE_KIND.execute(&[scope.as_str().into(), has_model.into(), has_slot.into()])?;
        relations::touch(table);
    }
    Ok(())
}

statement! {
    /// Most scopes have no row, which the planner does not know: it would look through all of the table for the first. The least
    /// of something comes from an index.
    FIND_KINDS() =
        "SELECT EXISTS (
            SELECT FROM hftok_private.kinds k WHERE k.scope = w.scope AND k.has_model = w.has_model
        ) OR CASE WHEN w.has_model
            THEN EXISTS (SELECT FROM hftok_private.secrets s WHERE s.scope = w.scope AND s.model <> '')
            ELSE (SELECT min(s.scope_id) FROM hftok_private.secrets s WHERE s.scope = w.scope) IS NOT NULL
        END,
        EXISTS (
            SELECT FROM hftok_private.kinds k
            WHERE k.scope = w.scope AND k.has_model = w.has_model AND k.has_slot
        ) OR EXISTS (
            SELECT FROM hftok_private.secrets s
            WHERE s.scope = w.scope AND s.slot <> '' AND (s.model <> '') = w.has_model
        )
        FROM (VALUES (1, 'user', true), (2, 'org', true), (3, 'global', true),
            (4, 'user', false), (5, 'org', false), (6, 'global', false)) AS w (n, scope, has_model) ORDER BY w.n";

    /// Notes that a kind exists. Never taken back: a look too many costs little.
    NOTE_KIND(TEXT, BOOL, BOOL) = "INSERT INTO hftok_private.kinds (scope, has_model, has_slot) VALUES ($1, $2, $3)";

    /// A scan without SQL asks no policy. As long as that of hftok_owner lets everything through and no other takes anything away,
    /// it need not.
    ASK_DIRECT() =
        "SELECT pg_catalog.bool_or(p.polname = 'hftok' AND p.polcmd = '*'
            AND p.polroles = ARRAY[c.relowner] AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true')
        AND pg_catalog.bool_and(p.polpermissive)
        FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
        WHERE c.oid = 'hftok_private.secrets'::pg_catalog.regclass";
}
