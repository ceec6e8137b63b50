//! A row of `secrets` or `secret_versions`, as SQL hands it over: a column an argument.

use pgrx::datum::{TimestampWithTimeZone, Uuid};

use crate::error::Error;
use crate::pg::call::entry::{Arguments, Parameter, StoredText};
use crate::pg::rows::texts::Texts;
use crate::pg::server::memory::{copy_of_bytes, copy_of_text};
use crate::store::row::SealedRow;

/// The columns that a value is bound to, and the value; `None` where the row has no id, version or value.
pub struct StoredRow(pub Option<SealedRow>);

impl Parameter for StoredRow {
    const COUNT: usize = 12;

    fn take(arguments: &mut Arguments) -> Result<Self, Error> {
        let (id, version): (Option<Uuid>, Option<i32>) = (arguments.next()?, arguments.next()?);
        let scope = text(arguments)?;
        let scope_id = text(arguments)?;
        let provider = text(arguments)?;
        let model = text(arguments)?;
        let name = text(arguments)?;
        let slot = text(arguments)?;
        let kind = text(arguments)?;
        let allowed_hosts = arguments.next::<Texts>()?.map(|hosts| hosts.0);
        let expires_at: Option<TimestampWithTimeZone> = arguments.next()?;
        let sealed = arguments.next::<&[u8]>()?;
        let (Some(id), Some(version), Some(sealed)) = (id, version, sealed) else { return Ok(Self(None)) };
        let sealed = copy_of_bytes(sealed)?;
        Ok(Self(Some(SealedRow {
            id,
            version,
            scope,
            scope_id,
            provider,
            model,
            name,
            slot,
            kind,
            allowed_hosts,
            expires_at,
            sealed,
        })))
    }
}

/// A column of text. The columns have no NULL; where somebody has put one nevertheless, the row does not open.
fn text(arguments: &mut Arguments) -> Result<String, Error> {
    copy_of_text(arguments.next().map(|text| text.map_or("", |StoredText(text)| text))?)
}
