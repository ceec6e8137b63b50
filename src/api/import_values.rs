//! Moving in: what becomes of one value. Core decides ([`hftok_core::moving_in`]); the statements of `sql/again/import_values.sql`
//! gather the facts and write what follows.

use hftok_core::moving_in::given::{Finding, Given};
use hftok_core::moving_in::value::{fault, without_bearer};
use hftok_core::moving_in::{Facts, Held, Origin, Outcome, Remembered};
use hftok_core::provider::{Checked, Provider, Rejection};

use super::credentials::check;
use super::input::admit_plaintext;
use super::integrations::checked as check_document;
use crate::error::Error;
use crate::pg::call::composite::Composite;
use crate::pg::call::entry::{StoredText, export};
use crate::settings;
use crate::store::providers;

export!(import_check, import_judge);

/// Looks at a row by itself: its value, unless its address is at fault already.
fn import_check(
    p_value: Option<StoredText<'_>>,
    p_stored: Option<StoredText<'_>>,
    p_provider: Option<StoredText<'_>>,
    p_address_fault: Option<&str>,
    p_is_document: Option<bool>,
) -> Result<Composite, Error> {
    let stored = p_stored.map(|StoredText(text)| text);
    let is_given = p_value.is_some();
    let given = p_value.map_or("", |StoredText(text)| text);
    let value = without_bearer(given);
    let in_front = given.strip_suffix(value).unwrap_or_default().chars().count();
    let skipped = i32::try_from(in_front).map_err(|_| Error::Internal("a text is longer than it can be"))?;
    let looked = if value.trim().is_empty() {
        Looked { is_empty: true, ..Looked::default() }
    } else if p_address_fault.is_some() {
        Looked::default()
    } else {
        let check = if p_is_document == Some(true) { check_document } else { check };
        Looked::at(value, stored, p_provider.map_or("", |StoredText(text)| text), check)?
    };
    let finding = Given {
        address_fault: p_address_fault,
        value_fault: looked.fault.as_deref(),
        is_empty: looked.is_empty,
        is_judged: looked.is_judged,
        has_bearer: skipped > 0,
        is_plain: is_given.then_some(value) == stored,
        is_column_empty: stored.is_none_or(|text| text.trim().is_empty()),
    }
    .judge();
    let answer = Composite::new("hftok_private.import_finding")?.set("skipped", skipped)?;
    match finding {
        Finding::Blank => answer.set("outcome", Outcome::Blank.as_str()),
        Finding::Rejected { reason, is_remembered, is_forgotten } => answer
            .set("outcome", Outcome::Rejected.as_str())?
            .set("reason", reason)?
            .set("is_remembered", is_remembered)?
            .set("is_forgotten", is_forgotten),
        Finding::Usable => {
            let bearer = (skipped > 0).then_some("\"Bearer\" in front was taken away");
            let said: Vec<&str> =
                bearer.into_iter().chain(looked.warnings.iter().map(String::as_str)).collect();
            answer
                .set("provider", looked.provider)?
                .set("reason", (!said.is_empty()).then(|| said.join("; ")))
        }
    }
}

/// How a provider looks at a value.
type Check = for<'a> fn(&Provider, &'a str) -> Result<Checked<'a>, Error>;

/// Everything that a value by itself says.
#[derive(Default)]
struct Looked {
    /// The name of its provider, as the catalogue writes it.
    provider: Option<String>,
    /// It holds nothing.
    is_empty: bool,
    /// Why it is not imported.
    fault: Option<String>,
    /// It was looked at, and found to be no credential.
    is_judged: bool,
    /// Warnings about a value that is imported all the same.
    warnings: Vec<String>,
}

impl Looked {
    /// Looks at a value that is not empty. `stored` is what its column holds.
    fn at(value: &str, stored: Option<&str>, provider: &str, check: Check) -> Result<Self, Error> {
        if value.len() > settings::max_secret_size() {
            return Ok(Self::because("it is larger than hftok.max_secret_size"));
        }
        if let Some(fault) = fault(value) {
            return Ok(Self { is_judged: true, ..Self::because(fault) });
        }
        admit_plaintext()?;
        let mut meant = None;
        // The catalogue writes names in lower case, tables do as they like.
        for name in [provider.to_owned(), provider.trim_matches(' ').to_lowercase()] {
            let entry = match providers::find(&name) {
                Err(Error::UnknownProvider { nearest }) => {
                    meant = nearest;
                    continue;
                }
                found => found?,
            };
            let found = match check(&entry, value) {
                Ok(checked) => Self {
                    warnings: checked.warnings.iter().map(ToString::to_string).collect(),
                    ..Self::default()
                },
                // A decryption under a wrong key gives a text that looks like no credential either.
                Err(Error::Rejected(rejection)) => Self {
                    is_empty: rejection == Rejection::Blank,
                    is_judged: stored == Some(value),
                    ..Self::because(rejection)
                },
                Err(error) => return Err(error),
            };
            return Ok(Self { provider: Some(name), ..found });
        }
        let unknown = "there is no provider of this name";
        Ok(Self::because(match meant {
            Some(name) => format!("{unknown}: the nearest is {name}"),
            None => unknown.to_owned(),
        }))
    }

    /// A value that is not imported.
    fn because(reason: impl ToString) -> Self {
        Self { fault: Some(reason.to_string()), ..Self::default() }
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
