//! Moving in: what becomes of one value. Core decides ([`hftok_core::moving_in`]); the statements of `sql/46_import_values.sql`
//! gather the facts and write what follows.

use hftok_core::moving_in::{Facts, Held, Origin, Outcome, Remembered};

use crate::error::Error;
use crate::pg::call::composite::Composite;
use crate::pg::call::entry::export;

export!(import_judge);

/// Decides what becomes of a row with a usable value. Without an outcome nothing is remembered of the row, and without a version
/// hftok has nothing for its owner, provider and model.
#[expect(clippy::too_many_arguments, reason = "as many as sql/ declares")]
fn import_judge(
    p_before: Option<&str>,
    p_outcome: Option<&str>,
    p_is_as_imported: Option<bool>,
    p_is_as_seen: Option<bool>,
    p_is_same_address: Option<bool>,
    p_is_secret_held: Option<bool>,
    p_version: Option<i32>,
    p_held_version: Option<i32>,
    p_same_version: Option<i32>,
    p_was_same: Option<bool>,
    p_origin: Option<&str>,
    p_is_plain: Option<bool>,
) -> Result<Composite, Error> {
    let remembered = p_outcome.and_then(Outcome::parse).map(|outcome| Remembered {
        outcome,
        is_as_imported: p_is_as_imported,
        is_as_seen: p_is_as_seen,
        is_same_address: p_is_same_address,
        is_secret_held: p_is_secret_held == Some(true),
        version: p_version,
    });
    let held = p_held_version.map(|version| Held {
        version,
        same_version: p_same_version,
        was_same: p_was_same,
        origin: p_origin.and_then(Origin::parse).unwrap_or(Origin::Elsewhere),
    });
    let facts = Facts { before: p_before, remembered, held, is_plain: p_is_plain == Some(true) };
    let verdict = facts.judge();
    Composite::new("hftok_private.import_verdict")?
        .set("outcome", verdict.outcome.as_str())?
        .set("reason", verdict.reason.map(|reason| reason.to_string()))?
        .set("replaces", verdict.replaces)?
        .set("is_forgotten", verdict.is_forgotten)?
        .set("is_found", verdict.comparison.map(|it| it.is_found))?
        .set("is_again", verdict.comparison.map(|it| it.is_again))?
        .set("compared", verdict.comparison.and_then(|it| it.version))
}
