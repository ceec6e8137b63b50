//! A sealed value with everything that it is bound to, as it lies in `secrets`, in `secret_versions`, or in the
//! arguments of a function that a view calls.

use hftok_core::audit::event::Object;
use hftok_core::binding::{Binding, Context, Kind, Scope};
use hftok_core::envelope::{Envelope, OpenError};
use hftok_core::plaintext::Plaintext;
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use crate::error::Error;
use crate::keys::{data_keys, org_keys};
use crate::pg::rows::columns::Row;
use crate::pg::rows::texts::Texts;

/// A sealed value where it lies.
pub struct SealedRow {
    /// The secret.
    pub id: Uuid,
    /// Its version.
    pub version: i32,
    /// The kind of owner, as stored.
    pub scope: String,
    /// The owner.
    pub scope_id: String,
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The name.
    pub name: String,
    /// Which of several keys of one owner for one use it is.
    pub slot: String,
    /// The way in which it comes to its value, as stored.
    pub kind: String,
    /// The hosts it may be sent to.
    pub allowed_hosts: Option<Vec<String>>,
    /// When it ends.
    pub expires_at: Option<TimestampWithTimeZone>,
    /// The envelope.
    pub sealed: Vec<u8>,
}

/// The columns that [`SealedRow::read`] takes, in its order, of a table that a statement calls so.
macro_rules! sealed_row {
    ($table:literal, $id:literal) => {
        concat!(
            $table,
            ".",
            $id,
            ", ",
            $table,
            ".version, ",
            $table,
            ".scope, ",
            $table,
            ".scope_id, ",
            $table,
            ".provider, ",
            $table,
            ".model, ",
            $table,
            ".name, ",
            $table,
            ".slot, ",
            $table,
            ".kind, ",
            $table,
            ".allowed_hosts, ",
            $table,
            ".expires_at, ",
            $table,
            ".sealed"
        )
    };
}
pub(super) use sealed_row;

impl SealedRow {
    /// The columns of a secret up to its value, which come first in every statement that reads one, in this order.
    pub fn read(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.next()?,
            version: row.next()?,
            scope: row.next()?,
            scope_id: row.next()?,
            provider: row.next()?,
            model: row.next()?,
            name: row.next()?,
            slot: row.next()?,
            kind: row.next()?,
            allowed_hosts: row.next::<Option<Texts>>()?.map(|hosts| hosts.0),
            expires_at: row.next()?,
            sealed: row.next()?,
        })
    }

    /// The context that the value is bound to, if the row says something that can be one.
    pub fn context(&self) -> Option<Context<'_>> {
        // No owner, provider, model, name or slot is nearly as long.
        if [&self.scope_id, &self.provider, &self.model, &self.name, &self.slot]
            .iter()
            .any(|text| text.len() > 16 * 1024)
        {
            return None;
        }
        Some(Context {
            secret_id: *self.id.as_bytes(),
            version: u32::try_from(self.version).ok()?,
            binding: Binding {
                scope: Scope::parse(&self.scope)?,
                scope_id: &self.scope_id,
                provider: &self.provider,
                model: &self.model,
                name: &self.name,
                slot: &self.slot,
            },
            kind: Kind::parse(&self.kind)?,
            allowed_hosts: self.allowed_hosts.as_deref(),
            expires_at: self.expires_at.map(microseconds),
        })
    }

    /// The key by which the secret is found, if the row says something that can be.
    pub fn binding_key(&self) -> Option<Uuid> {
        self.context().map(|context| Uuid::from_bytes(context.binding.key(&context.secret_id)))
    }

    /// Opens the value. A value that does not open is [`Error::Damaged`]; a missing key is an error of its own.
    pub fn open(&self) -> Result<Plaintext, Error> {
        let context = self.context().ok_or_else(|| self.damaged())?;
        open(&self.sealed, &context)
    }

    /// The bytes that it takes, as far as its owner chooses: the value and its hosts.
    pub fn size(&self) -> usize {
        // A text in an array has a length before it.
        self.sealed.len() + self.allowed_hosts.iter().flatten().map(|host| host.len() + 4).sum::<usize>()
    }

    /// As the audit names it.
    pub fn object(&self) -> Object<'_> {
        Object {
            id: Some(*self.id.as_bytes()),
            version: Some(self.version),
            ..Object::owned(&self.scope, &self.scope_id, &self.provider)
        }
    }

    /// The error for a value that does not open, or that is not where it belongs.
    pub fn damaged(&self) -> Error {
        damaged(self.id, self.version, &self.scope)
    }

    /// Seals a value into this row, with everything else that it says, and the active key of its owner.
    pub fn seal(&mut self, value: &hftok_core::plaintext::PlaintextRef<'_>) -> Result<(), Error> {
        let context = self.context().ok_or(Error::Internal("a row cannot be sealed to what it says"))?;
        let org = context.binding.scope.is_of_org().then_some(self.scope_id.as_str());
        self.sealed = org_keys::sealing(org, |key| key.seal(value, &context).map_err(Error::from))?;
        Ok(())
    }
}

/// Opens a sealed value that is bound to this.
pub fn open(sealed: &[u8], context: &Context<'_>) -> Result<Plaintext, Error> {
    open_for(sealed, context, || Ok(()))
}

/// The same for a caller who may not ask hftok's tables; `as_owner` is what lets them.
pub fn open_for<G>(
    sealed: &[u8],
    context: &Context<'_>,
    as_owner: impl Fn() -> Result<G, Error>,
) -> Result<Plaintext, Error> {
    let damaged = || {
        let version = i32::try_from(context.version).unwrap_or(i32::MAX);
        damaged(Uuid::from_bytes(context.secret_id), version, context.binding.scope.as_str())
    };
    let envelope = Envelope::parse(sealed).map_err(|_| damaged())?;
    data_keys::opening(&envelope, as_owner, |key| {
        key.open(&envelope, context).map_err(|error| match error {
            OpenError::NoMemory => Error::NoMemory,
            OpenError::Malformed | OpenError::Refused => damaged(),
        })
    })
}

/// The error for a value that does not open, or that is not where it belongs.
pub fn damaged(secret_id: Uuid, version: i32, scope: &str) -> Error {
    Error::Damaged { secret_id, version, scope: scope.to_owned() }
}

/// Microseconds since 2000-01-01 UTC, as Postgres itself keeps them.
pub fn microseconds(at: TimestampWithTimeZone) -> i64 {
    at.into_inner()
}
