//! Moving in: what becomes of one value. Core decides ([`hftok_core::moving_in`]); the statements of `sql/again/import_values.sql`
//! gather the facts and write what follows.

use hftok_core::moving_in::value::{fault, without_bearer};
use hftok_core::moving_in::{Facts, Held, Origin, Outcome, Remembered};
use hftok_core::provider::Rejection;

use super::credentials::check;
use super::input::admit_plaintext;
use crate::error::Error;
use crate::pg::call::composite::Composite;
use crate::pg::call::entry::{StoredText, export};
use crate::settings;
use crate::store::providers;

export!(import_check, import_judge);

/// Looks at a value by itself. Unless fully, only whether it is blank is asked.
fn import_check(
    p_value: Option<StoredText<'_>>,
    p_stored: Option<StoredText<'_>>,
    p_provider: Option<StoredText<'_>>,
    p_fully: Option<bool>,
) -> Result<Composite, Error> {
    let given = p_value.map_or("", |StoredText(text)| text);
    let value = without_bearer(given);
    let in_front = given.strip_suffix(value).unwrap_or_default().chars().count();
    let skipped = i32::try_from(in_front).map_err(|_| Error::Internal("a text is longer than it can be"))?;
    let is_empty = value.trim().is_empty();
    let finding = if is_empty || p_fully != Some(true) {
        Finding { is_blank: is_empty, ..Finding::default() }
    } else {
        Finding::of(
            value,
            p_stored.map(|StoredText(text)| text),
            p_provider.map_or("", |StoredText(text)| text),
        )?
    };
    Composite::new("hftok_private.import_finding")?
        .set("provider", finding.provider)?
        .set("skipped", skipped)?
        .set("is_blank", finding.is_blank)?
        .set("reason", finding.reason)?
        .set("is_judged", finding.is_judged)?
        .set("warnings", finding.warnings)
}

/// Everything that a value by itself says.
#[derive(Default)]
struct Finding {
    /// The name of its provider, as the catalogue writes it.
    provider: Option<String>,
    /// It holds nothing.
    is_blank: bool,
    /// Why it is not imported.
    reason: Option<String>,
    /// It was looked at, and found to be no credential.
    is_judged: bool,
    /// Warnings about a value that is imported all the same.
    warnings: Vec<String>,
}

impl Finding {
    /// Looks at a value that is not empty. `stored` is what its column holds.
    fn of(value: &str, stored: Option<&str>, provider: &str) -> Result<Self, Error> {
        if value.len() > settings::max_secret_size() {
            return Ok(Self::because("it is larger than hftok.max_secret_size"));
        }
        if let Some(fault) = fault(value) {
            return Ok(Self { is_judged: true, ..Self::because(fault) });
        }
        admit_plaintext()?;
        // The catalogue writes names in lower case, tables do as they like.
        for name in [provider.to_owned(), provider.trim_matches(' ').to_lowercase()] {
            let entry = match providers::find(&name) {
                Err(Error::BadInput(_)) => continue,
                found => found?,
            };
            let found = match check(&entry, value) {
                Ok(checked) => Self {
                    warnings: checked.warnings.iter().map(ToString::to_string).collect(),
                    ..Self::default()
                },
                // A decryption under a wrong key gives a text that looks like no credential either.
                Err(Error::Rejected(rejection)) => Self {
                    is_blank: rejection == Rejection::Blank,
                    is_judged: stored == Some(value),
                    ..Self::because(rejection)
                },
                Err(error) => return Err(error),
            };
            return Ok(Self { provider: Some(name), ..found });
        }
        Ok(Self::because("there is no provider of this name"))
    }

    /// A value that is not imported.
    fn because(reason: impl ToString) -> Self {
        Self { reason: Some(reason.to_string()), ..Self::default() }
    }
}

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
