//! The keys that one owner has for one use, in slots of their own beside the usual one.
//!
//! What must stay true: all of them are the same owner's, for the same provider and model. A row is only named here; it is read by
//! its binding, and held against that.

use hftok_core::binding::Binding;
use pgrx::datum::Uuid;

use crate::error::Error;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::{Parameter, Run};

/// The keys of one owner for one use may be so many beyond the usual one: each walk may have to ask all of them.
const MOST: i32 = 100;

/// The last place; there is none behind it.
pub const LAST: i32 = 1_000_000;

/// The slots in which an owner has keys for one use, in the order in which they are asked.
pub fn of(binding: &Binding<'_>) -> Result<Vec<String>, Error> {
    FIND_SLOTS.read(&address(binding), |row| row.next())
}

/// The place of a further key with this binding, behind those that its owner has for the same use; an error where they have as many as
/// they may. The caller has locked the owner.
pub fn place_behind(binding: &Binding<'_>) -> Result<i32, Error> {
    let (count, last): (i64, i32) =
        FIND_LAST.read_single(&address(binding), |row| Ok((row.next()?, row.next()?)))?;
    if count >= i64::from(MOST) {
        return Err(Error::TooMany { whose: "An owner", most: MOST, what: "slots for one use" });
    }
    Ok(last.saturating_add(1).min(LAST))
}

/// The parameters by which all of an owner's keys for one use are found.
fn address(binding: &Binding<'_>) -> [Parameter; 5] {
    // The id counts only for a secret that has no address.
    let usual = Binding { slot: "", ..*binding }.key(&[0; 16]);
    [
        binding.scope.as_str().into(),
        binding.scope_id.into(),
        binding.provider.into(),
        binding.model.into(),
        Uuid::from_bytes(usual).into(),
    ]
}

statement! {
    /// The further keys by the index of slots, the usual one by its key.
    FIND_SLOTS(TEXT, TEXT, TEXT, TEXT, UUID) =
        "SELECT k.slot FROM (
            SELECT s.slot, s.position FROM hftok_private.secrets s
            WHERE s.scope = $1 AND s.scope_id = $2 AND s.provider = $3 AND s.model = $4 AND s.slot <> ''
            UNION ALL
            SELECT '', s.position FROM hftok_private.secrets s WHERE s.binding_key = $5
        ) k ORDER BY k.position, k.slot COLLATE \"C\"";

    /// How many further keys there are for one use, and the last place that any of its keys has.
    FIND_LAST(TEXT, TEXT, TEXT, TEXT, UUID) =
        "SELECT count(*) FILTER (WHERE k.is_further), coalesce(max(k.position), 0) FROM (
            SELECT true AS is_further, s.position FROM hftok_private.secrets s
            WHERE s.scope = $1 AND s.scope_id = $2 AND s.provider = $3 AND s.model = $4 AND s.slot <> ''
            UNION ALL
            SELECT false, s.position FROM hftok_private.secrets s WHERE s.binding_key = $5
        ) k";
}
