//! A secret as the walk sees it: found by its binding, which is an address of its own, and looked at where it lies; without SQL
//! where that can be.

use std::borrow::Cow;
use std::rc::Rc;

use hftok_core::binding::{Binding, Context, Kind, is_same};
use hftok_core::plaintext::Plaintext;
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use super::levels::{self, Levels, Table};
use super::row::{self, SealedRow, sealed_row};
use super::slots;
use crate::error::Error;
use crate::pg::rows::columns::Row;
use crate::pg::rows::declared::statement;
use crate::pg::rows::found_row::FoundRow;
use crate::pg::rows::scan::{Expected, Lead, Reader};
use crate::pg::rows::snapshot::LatestSnapshot;
use crate::pg::rows::sql::Run;
use crate::pg::rows::texts::Texts;
use crate::pg::who::session;

/// A secret that may be the one to use.
pub struct Candidate<'a> {
    /// Its id.
    pub id: Uuid,
    /// Its version.
    pub version: i32,
    /// The hosts it may be sent to.
    pub allowed_hosts: Option<Vec<String>>,
    /// When it ends.
    pub expires_at: Option<TimestampWithTimeZone>,
    /// Whether it may be used.
    pub is_enabled: bool,
    /// Whether the walk goes on when it cannot be used.
    pub may_continue: bool,
    /// The provider refused it.
    pub is_invalid: bool,
    /// The end of the rest that the provider asked for.
    pub rested_until: Option<TimestampWithTimeZone>,
    /// The binding that was asked for, under which alone the value opens.
    binding: Binding<'a>,
    /// Copied out of the buffer only when it outlives the scan.
    sealed: Cow<'a, [u8]>,
    /// The value's mask, shown where a walk is explained.
    preview: Cow<'a, [u8]>,
}

/// No text of a binding has more bytes.
const TEXT_MAX: usize = 1024;

/// A binding that will probably be looked for: the memory that knows where its row was is on its way from now on.
pub struct Likely<'a> {
    /// The binding.
    binding: Binding<'a>,
    /// Its key.
    expected: Expected,
}

impl<'a> Likely<'a> {
    /// None with a text that is too long for any secret. Nothing else need be checked before: nothing is looked at.
    pub fn soon(binding: Binding<'a>) -> Option<Self> {
        let is_short = binding.texts().iter().all(|text| text.len() <= TEXT_MAX);
        is_short.then(|| Self { binding, expected: expected(&binding) })
    }

    /// The row is on its way from now on.
    pub fn sought(&self) -> Sought<'a> {
        Sought { binding: self.binding, lead: Some(self.expected.lead()) }
    }
}

/// A binding that is looked for.
pub struct Sought<'a> {
    /// The binding.
    binding: Binding<'a>,
    /// What is known of its key, if that was looked up already.
    lead: Option<Lead>,
}

impl<'a> Sought<'a> {
    /// A binding that is looked for if its level is not empty.
    pub fn perhaps(binding: Binding<'a>) -> Self {
        Self { binding, lead: None }
    }

    /// Whether this is what is looked for.
    pub fn is_of(&self, binding: &Binding<'_>) -> bool {
        self.binding == *binding
    }
}

/// The id counts only for a secret that has no address.
fn expected(binding: &Binding<'_>) -> Expected {
    Expected::soon(binding.key(&[0; 16]))
}

/// The stored secrets at one moment: a secret that moves from one address to another meanwhile is at one of them.
pub struct Lookup {
    /// Dropped first: it reads what the snapshot shows.
    reader: Reader,
    /// Taken before `levels`. A row that the snapshot sees and `levels` misses was committed in between, so no client has
    /// been told of it yet.
    now: LatestSnapshot,
    /// The levels that hold anything at all; the others are not looked for.
    levels: Rc<Levels>,
}

impl Lookup {
    /// Now, whatever the transaction's isolation level.
    pub fn now() -> Result<Self, Error> {
        let now = LatestSnapshot::push();
        Ok(Self { reader: Reader::default(), now, levels: levels::known()? })
    }

    /// Looks at the secret with this binding, if there is one.
    pub fn find<R: Send>(
        &mut self,
        sought: &Sought<'_>,
        mut look: impl FnMut(&Candidate<'_>) -> Result<R, Error>,
    ) -> Result<Option<R>, Error> {
        let binding = &sought.binding;
        if !self.levels.may_have(binding.scope, !binding.model.is_empty()) {
            return Ok(None);
        }
        let lead = sought.lead.unwrap_or_else(|| expected(binding).lead());
        self.open_table()?;
        match &self.levels.table {
            Some(table) => self
                .reader
                .find(&self.now, &table.address, lead, |row| look(&Candidate::scanned(binding, table, row)?)),
            None => {
                let look = |row: &Row<'_>| look(&Candidate::selected(binding, row)?);
                FIND_ROW.read_one(&[lead.key().into()], look)
            }
        }
    }
}

impl Lookup {
    /// Whether there may be keys of this kind that have a slot of their own.
    pub fn may_have_slots(&self, binding: &Binding<'_>) -> bool {
        self.levels.may_have_slots(binding.scope, !binding.model.is_empty())
    }

    /// The slots of the keys that an owner has for a use, at the same moment, in the order in which they are asked.
    pub fn slots(&self, binding: &Binding<'_>) -> Result<Vec<String>, Error> {
        slots::of(binding)
    }

    /// Opens the table, unless it is open. Its lock keeps whoever replaces the index (REINDEX CONCURRENTLY) from dropping the former
    /// one; so only what is known of the index once the lock is held is to be used.
    fn open_table(&mut self) -> Result<(), Error> {
        while let Some(table) = &self.levels.table
            && !self.reader.is_open()
        {
            self.reader.open(&table.address);
            let levels = levels::known_under_lock()?;
            if !Rc::ptr_eq(&levels, &self.levels) {
                self.reader = Reader::default();
                self.levels = levels;
            }
        }
        Ok(())
    }
}

impl<'a> Candidate<'a> {
    /// A row that a scan without SQL found.
    fn scanned(binding: &Binding<'a>, table: &Table, row: &'a FoundRow<'_>) -> Result<Self, Error> {
        let [
            _,
            id,
            version,
            scope,
            scope_id,
            provider,
            model,
            name,
            slot,
            kind,
            hosts,
            end,
            sealed,
            preview,
            enabled,
            unusable,
            verdict,
            rest,
        ] = table.columns;
        let (id, version) = (row.must(id)?, row.must(version)?);
        for (column, wanted) in [
            (scope, binding.scope.as_str()),
            (scope_id, binding.scope_id),
            (provider, binding.provider),
            (model, binding.model),
            (name, binding.name),
            (slot, binding.slot),
            (kind, Kind::Static.as_str()),
        ] {
            if !is_same(&row.bytes(column)?, wanted.as_bytes()) {
                return Err(row::damaged(id, version, binding.scope.as_str()));
            }
        }
        Ok(Self {
            id,
            version,
            allowed_hosts: row.get::<Texts>(hosts).map(|hosts| hosts.0),
            expires_at: row.get(end),
            is_enabled: row.must(enabled)?,
            may_continue: *row.bytes(unusable)? == *b"continue",
            is_invalid: row.get(verdict) == Some("invalid"),
            rested_until: row.get(rest),
            binding: *binding,
            sealed: row.bytes(sealed)?,
            preview: row.bytes(preview)?,
        })
    }

    /// A row that SQL found.
    fn selected(binding: &Binding<'a>, row: &Row<'_>) -> Result<Self, Error> {
        let sealed = SealedRow::read(row)?;
        // A row that was found under a binding need not be the one that is bound so.
        if sealed.context().is_none_or(|context| context.binding != *binding) {
            return Err(sealed.damaged());
        }
        Ok(Self {
            id: sealed.id,
            version: sealed.version,
            allowed_hosts: sealed.allowed_hosts,
            expires_at: sealed.expires_at,
            preview: Cow::Owned(row.next::<String>()?.into_bytes()),
            is_enabled: row.next()?,
            may_continue: row.next::<String>()? == "continue",
            is_invalid: row.next::<Option<String>>()?.as_deref() == Some("invalid"),
            rested_until: row.next()?,
            binding: *binding,
            sealed: Cow::Owned(sealed.sealed),
        })
    }

    /// Whether it has expired.
    pub fn is_expired(&self) -> bool {
        self.expires_at.is_some_and(|end| end.into_inner() <= session::now())
    }

    /// Whether its provider asked for a rest that is not over.
    pub fn is_resting(&self) -> bool {
        self.rested_until.is_some_and(|end| end.into_inner() > session::now())
    }

    /// Which of several keys of its owner for one use it is.
    pub fn slot(&self) -> &'a str {
        self.binding.slot
    }

    /// The part of the value that may be shown.
    pub fn preview(&self) -> Vec<u8> {
        self.preview.to_vec()
    }

    /// Opens the value: bound as the row says in every field, or it does not open.
    pub fn open(&self) -> Result<Plaintext, Error> {
        let scope = self.binding.scope.as_str();
        let context = Context {
            secret_id: *self.id.as_bytes(),
            version: u32::try_from(self.version).map_err(|_| row::damaged(self.id, self.version, scope))?,
            binding: self.binding,
            kind: Kind::Static,
            allowed_hosts: self.allowed_hosts.as_deref(),
            expires_at: self.expires_at.map(row::microseconds),
        };
        row::open(&self.sealed, &context)
    }
}

statement! {
    /// By the unique key of a binding.
    FIND_ROW(UUID) =
        "SELECT ", sealed_row!("s", "id"), ", s.preview, s.enabled, s.on_unusable, s.verdict, s.rested_until
        FROM hftok_private.secrets s WHERE s.binding_key = $1";
}
