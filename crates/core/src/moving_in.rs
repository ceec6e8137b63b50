//! Moving in: what becomes of one usable value of an application's column, decided from facts, without a database.
//!
//! Three things speak about a row: what hftok has for the owner, provider and model that the row names; what is remembered of the
//! row from earlier runs; and other rows of the source that name the same. `docs/moving-in.md` has the outcomes.
//!
//! Must stay true: a secret that came from elsewhere is never replaced, and a value that hftok does not have is never called
//! imported without being saved: the column is emptied afterwards.

use std::fmt;

pub mod given;
pub mod value;

/// The result of moving a row in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its value was saved.
    Imported,
    /// hftok has its value already, or has had it.
    Unchanged,
    /// hftok has another secret, or its value was deleted there.
    Skipped,
    /// Another row names the same owner, provider and model, and goes before.
    Duplicate,
    /// Its value is certainly no credential.
    Rejected,
    /// It holds nothing.
    Blank,
    /// It was imported, and emptied since.
    Blanked,
    /// It was not imported, and emptied as the operator wished.
    Discarded,
    /// It holds something else than what was looked at.
    Changed,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 9] = [
        Self::Imported,
        Self::Unchanged,
        Self::Skipped,
        Self::Duplicate,
        Self::Rejected,
        Self::Blank,
        Self::Blanked,
        Self::Discarded,
        Self::Changed,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Duplicate => "duplicate",
            Self::Rejected => "rejected",
            Self::Blank => "blank",
            Self::Blanked => "blanked",
            Self::Discarded => "discarded",
            Self::Changed => "changed",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// The memory of a row, from the run that looked at it last.
#[derive(Debug, Clone, Copy)]
pub struct Remembered {
    /// The result of that run.
    pub outcome: Outcome,
    /// Whether the column still holds what was imported. None when nothing was, or it was emptied since.
    pub is_as_imported: Option<bool>,
    /// Whether the column still holds what was looked at and not imported. None when that is not known.
    pub is_as_seen: Option<bool>,
    /// Whether it named owner, provider and model. None when it named no provider then.
    pub is_same_address: Option<bool>,
    /// Whether the secret that holds its value is the one that hftok has for its owner, provider and model now.
    pub is_secret_held: bool,
    /// The version of that secret that its value was.
    pub version: Option<i32>,
}

/// The secret that hftok has for the owner, provider and model of a row.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Its current version.
    pub version: i32,
    /// The newest version that has the value of the row.
    pub same_version: Option<i32>,
    /// Whether the version that was imported from the row has its value. None when there is no such version any more.
    pub was_same: Option<bool>,
    /// The origin of the current version: this row, another row, or neither.
    pub origin: Origin,
}

/// The origin of the current version of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the row that is looked at.
    ThisRow,
    /// From another row of the same source, in an earlier run.
    EarlierRun,
    /// From another row of the same source, in this run.
    ThisRun,
    /// From nothing in this source.
    Elsewhere,
}

impl Origin {
    /// All origins.
    pub const ALL: [Self; 4] = [Self::ThisRow, Self::EarlierRun, Self::ThisRun, Self::Elsewhere];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ThisRow => "this_row",
            Self::EarlierRun => "earlier_run",
            Self::ThisRun => "this_run",
            Self::Elsewhere => "elsewhere",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == word)
    }
}

/// All that decides about a row whose value is usable.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The key of a row that goes before.
    pub before: Option<&'a str>,
    /// The memory of the row.
    pub remembered: Option<Remembered>,
    /// The secret that hftok has.
    pub held: Option<Held>,
    /// Whether the column holds the value itself, and not something that opens to it.
    pub is_plain: bool,
}

/// The decision about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// The result for the row.
    pub outcome: Outcome,
    /// Why, if the outcome does not say it.
    pub reason: Option<Reason<'a>>,
    /// The value is saved in place of this version, 0 for none.
    pub replaces: Option<i32>,
    /// The comparison that the audit is told of, if anything was compared.
    pub comparison: Option<Comparison>,
    /// The import that is remembered of the row is forgotten: the same column opens to something else now.
    pub is_forgotten: bool,
}

/// A comparison: the operator of an import learns it about a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// hftok has the value, or had it.
    pub is_found: bool,
    /// The row has only what was imported from it, which is so of a whole table and shares an event with many such.
    pub is_again: bool,
    /// The version that was compared.
    pub version: Option<i32>,
}

/// Why a usable value is not saved. The words never hold a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason<'a> {
    /// The row of this key goes before; and whether hftok has the value all the same.
    AnotherRow(&'a str, bool),
    /// It was imported, and its owner deleted it.
    Deleted,
    /// hftok has a newer version.
    Newer,
    /// hftok has a secret of another origin.
    AnotherSecret,
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnotherRow(key, is_in_hftok) => {
                write!(to, "row {key} has one for the same owner, provider and model")?;
                if *is_in_hftok { to.write_str(", and the value is in hftok as well") } else { Ok(()) }
            }
            Self::Deleted => to.write_str("it was imported, and deleted in hftok since"),
            Self::Newer => to.write_str("hftok has a newer one"),
            Self::AnotherSecret => to.write_str(
                "hftok has another one for the same owner, provider and model, which is not from this row",
            ),
        }
    }
}

impl<'a> Facts<'a> {
    /// Decides. A row that goes before has the last word; then what was imported from this row; then what hftok has.
    pub fn judge(&self) -> Verdict<'a> {
        let same_version = self.held.and_then(|held| held.same_version);
        let (outcome, reason) = self.outcome(same_version);
        let is_kept_out = matches!(outcome, Outcome::Duplicate | Outcome::Skipped);
        Verdict {
            outcome,
            reason,
            replaces: (outcome == Outcome::Imported).then(|| self.held.map_or(0, |held| held.version)),
            comparison: self.comparison(same_version),
            is_forgotten: is_kept_out && self.held.is_some_and(|held| held.was_same == Some(false)),
        }
    }

    /// The result for the row, and the reason.
    fn outcome(&self, same_version: Option<i32>) -> (Outcome, Option<Reason<'a>>) {
        if let Some(key) = self.before {
            return (Outcome::Duplicate, Some(Reason::AnotherRow(key, same_version.is_some())));
        }
        let Some(held) = self.held else {
            return if self.is_as_imported() {
                (Outcome::Skipped, Some(Reason::Deleted))
            } else {
                (Outcome::Imported, None)
            };
        };
        if self.is_as_imported() {
            let imported = self.remembered.and_then(|it| it.version);
            let is_newer = imported.is_some_and(|version| version < held.version);
            (Outcome::Unchanged, is_newer.then_some(Reason::Newer))
        } else if same_version == Some(held.version) {
            (Outcome::Unchanged, None)
        } else if self.may_replace(held.origin) {
            (Outcome::Imported, None)
        } else if same_version.is_some() {
            (Outcome::Unchanged, Some(Reason::Newer))
        } else {
            (Outcome::Skipped, Some(Reason::AnotherSecret))
        }
    }

    /// Whether the row still has what was imported from it, for the same owner, provider and model. Both what the column holds and
    /// what it opens to count: the expression that opens it may have been another one then.
    fn is_as_imported(&self) -> bool {
        self.remembered.is_some_and(|it| {
            it.is_as_imported == Some(true)
                && it.is_same_address == Some(true)
                && self.held.is_none_or(|held| it.is_secret_held && held.was_same != Some(false))
        })
    }

    /// A current version is replaced by the row that it came from, and by a row whose value is newer than that import. Rows that
    /// were never looked at come in descending order of their keys, so one that came before in this run goes before.
    fn may_replace(&self, origin: Origin) -> bool {
        match origin {
            Origin::ThisRow => true,
            Origin::EarlierRun => self.is_new(),
            Origin::ThisRun => self.remembered.is_some() && self.is_new(),
            Origin::Elsewhere => false,
        }
    }

    /// Whether the value was not there when the row was last looked at. One that was not usable was there all the same, and that
    /// of a duplicate has lost.
    fn is_new(&self) -> bool {
        let Some(it) = self.remembered else { return true };
        let is_emptied = matches!(it.outcome, Outcome::Blank | Outcome::Blanked | Outcome::Discarded);
        let is_edited = it.outcome == Outcome::Changed && it.is_as_imported.is_none();
        let as_seen = if it.outcome == Outcome::Rejected { it.is_as_seen } else { None };
        is_emptied
            || is_edited
            || it.is_same_address == Some(false)
            || it.is_as_imported.or(as_seen) == Some(false)
    }

    /// The comparison that was made. A row that still has the text that was brought before tells nothing of hftok's
    /// present secret.
    fn comparison(&self, same_version: Option<i32>) -> Option<Comparison> {
        let brought = self.remembered.filter(|it| it.is_as_imported.is_some());
        if self.held.is_none() && brought.is_none() {
            return None;
        }
        let is_again = brought.is_some_and(|it| {
            it.is_as_imported == Some(true)
                && self
                    .held
                    .is_none_or(|held| it.is_secret_held && (self.is_plain || held.was_same == Some(true)))
        });
        let compared =
            if is_again { brought.and_then(|it| it.version) } else { self.held.map(|held| held.version) };
        Some(Comparison {
            is_found: is_again || same_version.is_some(),
            is_again,
            version: same_version.or(compared),
        })
    }
}
