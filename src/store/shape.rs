//! Whether the tables of secrets and of their masks are as we made them, so that a row which is right needs nobody's consent but ours.
//!
//! What must stay true: a trigger, rule, constraint, index, policy or column that somebody added, changed or switched off is
//! noticed by the next row. Postgres tells all sessions of each, and who holds the table's lock has been told.

use std::ffi::CStr;
use std::thread::LocalKey;

use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::new_row::{self, ForRow};
use crate::pg::rows::relations::{self, Matter, Relation};
use crate::pg::rows::remembered::Remembered;
use crate::pg::rows::sql::Run;

/// The lines of the table of secrets as the install script leaves them, in no order.
const SECRETS: &[&str] = &[
    "column 1 id uuid t  ",
    "column 2 binding_key uuid t  ",
    "column 3 version integer t  ",
    "column 4 oldest_version integer t   1",
    "column 5 position integer t   0",
    "column 6 refusals integer t   0",
    "column 7 created_at timestamp with time zone t   now()",
    "column 8 updated_at timestamp with time zone t   now()",
    "column 9 sealed_at timestamp with time zone t   now()",
    "column 10 enabled boolean t   true",
    "column 11 scope text t  ",
    "column 12 scope_id text t   ''::text",
    "column 13 provider text t   ''::text",
    "column 14 model text t   ''::text",
    "column 15 name text t   ''::text",
    "column 16 slot text t   ''::text",
    "column 17 kind text t   'static'::text",
    "column 18 on_unusable text t   'stop'::text",
    "column 19 sealed bytea t  ",
    "column 20 preview text t  ",
    "column 21 allowed_hosts text[] f  ",
    "column 22 expires_at timestamp with time zone f  ",
    "column 23 verdict text f  ",
    "column 24 rested_until timestamp with time zone f  ",
    "column 25 fingerprint bytea t  ",
    "column 26 label text t   ''::text",
    "column 27 description text t   ''::text",
    "column 28 warnings text[] t   '{}'::text[]",
    "column 29 verdict_message text f  ",
    "column 30 last_verified_at timestamp with time zone f  ",
    "constraint secrets_pkey PRIMARY KEY (id)",
    "constraint secrets_binding_key_key UNIQUE (binding_key)",
    "constraint secrets_words CHECK (hftok_private.is_secret(scope, slot, kind, on_unusable, verdict, version))",
    "trigger O CREATE TRIGGER inserted BEFORE INSERT ON hftok_private.secrets FOR EACH ROW \
     WHEN (((new.scope = 'user'::text) AND (new.model = ''::text) AND (new.slot = ''::text))) EXECUTE FUNCTION hftok_private.secret_written()",
    "trigger A CREATE TRIGGER note_kind BEFORE INSERT OR UPDATE OF scope, model, slot ON hftok_private.secrets \
     FOR EACH ROW EXECUTE FUNCTION hftok_private.note_kind()",
    "trigger A CREATE TRIGGER note_role AFTER INSERT OR UPDATE OF scope_id ON hftok_private.secrets \
     FOR EACH ROW WHEN (starts_with(new.scope_id, 'role:'::text)) EXECUTE FUNCTION hftok_private.note_role()",
    "index secrets_pkey t t t id",
    "index secrets_binding_key_key t t t binding_key",
    "index secrets_fingerprint f t t fingerprint",
    "index secrets_ends f t t expires_at (expires_at IS NOT NULL)",
    "index secrets_owner f t t scope, scope_id",
    "index secrets_slots f t t scope, scope_id, provider, model (slot <> ''::text)",
    "index secrets_models f t t scope (model <> ''::text)",
    "policy hftok * t t true true",
    "table r 2 f f t t",
];

/// The same of the table of masks, on which hftok_owner fires no trigger.
const MASKS: &[&str] = &[
    "column 1 id uuid t   gen_random_uuid()",
    "column 2 user_id text t  ",
    "column 3 service text t  ",
    "column 4 api_key text t  ",
    "column 5 created_at timestamp with time zone t   now()",
    "column 6 updated_at timestamp with time zone t   now()",
    "constraint user_api_keys_user_id_check CHECK ((user_id <> ''::text))",
    "constraint user_api_keys_service_check CHECK ((service <> ''::text))",
    "constraint user_api_keys_api_key_check CHECK ((strpos(api_key, '•'::text) > 0))",
    "constraint user_api_keys_pkey PRIMARY KEY (user_id, service)",
    "trigger O CREATE TRIGGER a_statement BEFORE INSERT OR UPDATE ON hftok_private.user_api_keys FOR EACH STATEMENT \
     WHEN ((CURRENT_USER <> 'hftok_owner'::name)) EXECUTE FUNCTION hftok_private.user_api_keys_statement()",
    "trigger O CREATE TRIGGER b_insert BEFORE INSERT ON hftok_private.user_api_keys FOR EACH ROW \
     WHEN ((CURRENT_USER <> 'hftok_owner'::name)) EXECUTE FUNCTION hftok_private.user_api_keys_insert()",
    "trigger O CREATE TRIGGER c_written AFTER INSERT OR UPDATE ON hftok_private.user_api_keys FOR EACH ROW \
     WHEN ((CURRENT_USER <> 'hftok_owner'::name)) EXECUTE FUNCTION hftok_private.user_api_keys_written()",
    "index user_api_keys_pkey t t t user_id, service",
    "policy hftok * t t true true",
    "table r 2 f f t t",
];

/// The numbers of the columns `scope` and `scope_id` of the table of secrets.
pub const SECRETS_OWNER: [i16; 2] = [11, 12];

/// A table that is as we made it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct AsMade {
    /// The table.
    table: Relation,
    /// Its index by owner, if it has one.
    by_owner: Option<Relation>,
}

thread_local! {
    static SECRETS_AS_MADE: Remembered<Option<AsMade>> =
        const { Remembered::new(Matter::Shape, &[c"secrets"]) };
    static MASKS_AS_MADE: Remembered<Option<AsMade>> =
        const { Remembered::new(Matter::ShapeOfMasks, &[c"user_api_keys"]) };
}

/// The table of secrets and its lock, if a row needs no statement to get there.
pub fn secrets_as_made() -> Result<Option<(Relation, ForRow)>, Error> {
    Ok(secrets()?.map(|(made, locked)| (made.table, locked)))
}

/// The table of secrets, its index by owner and its lock, if owners' rows need no statement to be counted.
pub fn secrets_by_owner() -> Result<Option<(Relation, Relation, ForRow)>, Error> {
    Ok(secrets()?.and_then(|(made, locked)| Some((made.table, made.by_owner?, locked))))
}

/// The table of secrets.
fn secrets() -> Result<Option<(AsMade, ForRow)>, Error> {
    as_made(&SECRETS_AS_MADE, |named| look(named, "hftok_private.secrets", SECRETS, Some(c"secrets_owner")))
}

/// The same of the table of masks.
pub fn masks_as_made() -> Result<Option<(Relation, ForRow)>, Error> {
    let masks = as_made(&MASKS_AS_MADE, |named| look(named, "hftok_private.user_api_keys", MASKS, None))?;
    Ok(masks.map(|(made, locked)| (made.table, locked)))
}

/// A table and its lock, if it is as it was made.
fn as_made(
    known: &'static LocalKey<Remembered<Option<AsMade>>>,
    look: impl Fn(&[Relation]) -> Result<Option<AsMade>, Error>,
) -> Result<Option<(AsMade, ForRow)>, Error> {
    if !new_row::is_usual() {
        return Ok(None);
    }
    // Asked before anything is locked, so that it is seldom asked under the lock.
    let Some(made) = *known.with(|known| known.now(&look))? else { return Ok(None) };
    let locked = ForRow::lock(made.table);
    let is_as_made = *known.with(|known| known.under_lock(&look))? == Some(made);
    Ok(is_as_made.then_some((made, locked)))
}

/// Compares a table with the one that the install script makes.
fn look(
    named: &[Relation],
    name: &str,
    made: &[&str],
    by_owner: Option<&CStr>,
) -> Result<Option<AsMade>, Error> {
    let mut found: Vec<String> = READ_SHAPE.read(&[name.into()], |row| row.next())?;
    let mut made = made.to_vec();
    found.sort_unstable();
    made.sort_unstable();
    let table = named.first().copied().filter(|_| found == made);
    Ok(table.map(|table| AsMade { table, by_owner: by_owner.and_then(relations::named) }))
}

statement! {
    /// Everything that has a say in a new row, a line each. Neither what concerns changes and deletions only, nor how an index is
    /// stored, nor the policy by which users see their own masks: a permissive one takes nothing from hftok_owner.
    READ_SHAPE(TEXT) =
        "WITH t AS (SELECT c.* FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1))
        SELECT pg_catalog.concat_ws(' ', 'column', a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
            a.attnotnull, a.attgenerated, a.attidentity, pg_catalog.pg_get_expr(d.adbin, d.adrelid))
        FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        UNION ALL SELECT pg_catalog.concat_ws(' ', 'constraint', n.conname, pg_catalog.pg_get_constraintdef(n.oid))
        FROM t JOIN pg_catalog.pg_constraint n ON n.conrelid = t.oid AND n.contype NOT IN ('n', 't')
        UNION ALL SELECT pg_catalog.concat_ws(' ', 'trigger', g.tgenabled, pg_catalog.pg_get_triggerdef(g.oid))
        FROM t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.oid AND g.tgtype & 4 <> 0
        UNION ALL SELECT pg_catalog.concat_ws(' ', 'index', x.relname, i.indisunique, i.indimmediate, i.indisvalid AND i.indisready,
            (SELECT pg_catalog.string_agg(pg_catalog.pg_get_indexdef(x.oid, n, false), ', ' ORDER BY n)
                FROM pg_catalog.generate_series(1, i.indnatts) n),
            pg_catalog.pg_get_expr(i.indpred, i.indrelid))
        FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
        UNION ALL SELECT pg_catalog.concat_ws(' ', 'policy', p.polname, p.polcmd, p.polpermissive, p.polroles = ARRAY[t.relowner],
            pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
        FROM t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid AND NOT (p.polpermissive AND p.polname = 'own')
        UNION ALL SELECT pg_catalog.concat_ws(' ', 'table', t.relkind, t.relam, t.relhasrules, t.relispartition,
            t.relowner = (current_user::pg_catalog.regrole)::pg_catalog.oid,
            pg_catalog.has_table_privilege(t.oid, 'INSERT') AND pg_catalog.has_table_privilege(t.oid, 'SELECT'))
        FROM t";
}
