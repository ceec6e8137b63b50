//! Moving in: an application's tables and a Supabase Vault, read and emptied as whoever owns them.

use pgrx::datum::{Array, Uuid};
use pgrx::pg_sys;

use super::input::{admit_plaintext, required, texts};
use crate::error::Error;
use crate::pg::call::entry::export;
use crate::pg::call::statement;
use crate::pg::rows::columns::HandedOn;
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::{Parameter, Run};
use crate::pg::rows::strangers::{Reading, change_row, read_row, read_rows};
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::pg::who::table_owner::{Admitted, stranger};

export!(import_keys, import_row, import_empty, import_vault_names, import_vault_value);

/// The keys of a table's rows, the last one first, and whether the column is NULL there; or of those only that hold something.
fn import_keys(
    p_table: Option<pg_sys::Oid>,
    p_column: Option<&str>,
    p_key: Option<&str>,
    p_held: Option<bool>,
) -> Result<(), Error> {
    let caller = Caller::current();
    let names = ImportNames::new(p_table, p_column, p_key, [None; 4], None)?;
    let source = Source::make(&caller, names)?;
    let text = if p_held == Some(true) { &source.held_keys } else { &source.keys };
    read_rows(&caller, &source.to_read(&caller)?, text)
}

/// One row: what its column holds, and what that opens to.
#[expect(clippy::too_many_arguments, reason = "as many as sql/ declares")]
fn import_row(
    p_table: Option<pg_sys::Oid>,
    p_column: Option<&str>,
    p_key: Option<&str>,
    p_row: Option<&str>,
    p_open: Option<&str>,
    p_provider_column: Option<&str>,
    p_owner_column: Option<&str>,
    p_model_column: Option<&str>,
    p_details: Option<Array<'_, &str>>,
) -> Result<Option<HandedOn>, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let names = ImportNames::new(
        p_table,
        p_column,
        p_key,
        [p_open, p_provider_column, p_owner_column, p_model_column],
        texts(p_details)?,
    )?;
    let row = Source::with(&caller, names, |source| {
        read_row(&caller, &source.to_read(&caller)?, &source.reading, p_row)
    })?;
    let _owner = AsOwner::switch(&caller)?;
    row.map(|row| ROW.hand_on(&row)).transpose()
}

/// Empties the column of one row that still holds what it was seen to hold.
fn import_empty(
    p_table: Option<pg_sys::Oid>,
    p_column: Option<&str>,
    p_key: Option<&str>,
    p_row: Option<&str>,
    p_held: Option<&str>,
) -> Result<bool, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let names = ImportNames::new(p_table, p_column, p_key, [None; 4], None)?;
    let held = Parameter::from(required(p_held, "p_held must not be null")?);
    Source::with(&caller, names, |source| {
        let admitted = Admitted::to(&caller, source.names.table, &source.reads, &source.writes)?;
        change_row(&caller, &admitted, &source.emptying, p_row, held)
    })
}

/// The names that a Vault's view has, or the table below it.
fn import_vault_names(p_view: Option<pg_sys::Oid>) -> Result<(), Error> {
    let caller = Caller::current();
    let view = required(p_view, "p_view must not be null")?;
    let (names, _, reads) = of_vault(&caller, view)?;
    read_rows(&caller, &Admitted::to(&caller, view, reads.get(..3).unwrap_or(&reads), &[])?, &names)
}

/// Reads one secret through a Vault's view.
fn import_vault_value(p_view: Option<pg_sys::Oid>, p_id: Option<Uuid>) -> Result<Option<HandedOn>, Error> {
    admit_plaintext()?;
    let caller = Caller::current();
    let view = required(p_view, "p_view must not be null")?;
    let id = required(p_id, "p_id must not be null")?.to_string();
    let (_, row, reads) = of_vault(&caller, view)?;
    let admitted = Admitted::to(&caller, view, &reads, &[])?;
    let reading = Reading { row, opening: None, types: Vec::new() };
    let row = read_row(&caller, &admitted, &reading, Some(&id))?;
    let _owner = AsOwner::switch(&caller)?;
    row.map(|row| ROW.hand_on(&row)).transpose()
}

/// The names by which a table and its columns are found.
#[derive(PartialEq)]
struct ImportNames {
    /// The table that is moved in.
    table: pg_sys::Oid,
    /// The column that holds the values.
    column: String,
    /// The column that tells one row from another.
    key: String,
    /// The operator's expression, and the columns of provider, owner and model.
    others: [Option<String>; 4],
    /// Columns that say more of a row, in an order of their own.
    details: Option<Vec<String>>,
}

impl ImportNames {
    /// Missing names are refused before anything is looked up.
    fn new(
        table: Option<pg_sys::Oid>,
        column: Option<&str>,
        key: Option<&str>,
        others: [Option<&str>; 4],
        details: Option<Vec<String>>,
    ) -> Result<Self, Error> {
        const COMPLAINT: &str = "p_table, p_column and p_key must not be null";
        Ok(Self {
            table: required(table, COMPLAINT)?,
            column: required(column, COMPLAINT)?.to_owned(),
            key: required(key, COMPLAINT)?.to_owned(),
            others: others.map(|it| it.map(str::to_owned)),
            details,
        })
    }
}

/// A table, and the statements over it.
struct Source {
    /// As the operator named them: another call that names the same may use what was made.
    names: ImportNames,
    /// The role it was made for, since others may see other rows.
    role: pg_sys::Oid,
    /// Owner of the table where that is not the caller: its code is then not trusted.
    stranger: Option<pg_sys::Oid>,
    /// Lists the keys of all rows.
    keys: String,
    /// Lists the keys of the rows that hold a value.
    held_keys: String,
    /// Reads one row.
    reading: Reading,
    /// Takes the value out of one row.
    emptying: String,
    /// Columns that are read: the caller needs SELECT on each.
    reads: Vec<i16>,
    /// Columns that are written: the caller needs UPDATE on each.
    writes: Vec<i16>,
}

impl Source {
    /// Makes the statements from the catalog, once.
    fn make(caller: &Caller, names: ImportNames) -> Result<Self, Error> {
        let role = caller.role();
        let stranger = stranger(caller, names.table)?;
        let [open, provider, owner, model] = names.others.each_ref().map(Option::as_deref);
        let asked = Asked {
            table: names.table.into(),
            column: names.column.as_str().into(),
            key: names.key.as_str().into(),
            provider: provider.into(),
            owner: owner.into(),
            model: model.into(),
            open: open.into(),
            role: role.into(),
            is_strangers: stranger.is_some().into(),
            details: names.details.clone().into(),
        };
        let (keys, held_keys, reading, emptying, reads, writes) = {
            let _owner = AsOwner::switch(caller)?;
            OF_TABLE.read_single(&asked.in_order(), |row| {
                let (keys, held_keys) = (row.next()?, row.next()?);
                let reading = Reading { row: row.next()?, opening: row.next()?, types: row.next()? };
                Ok((keys, held_keys, reading, row.next()?, row.next()?, row.next()?))
            })?
        };
        Ok(Self { names, role, stranger, keys, held_keys, reading, emptying, reads, writes })
    }

    /// Admission to read, which is asked for anew each time: privileges may have gone.
    fn to_read(&self, caller: &Caller) -> Result<Admitted, Error> {
        Admitted::to(caller, self.names.table, &self.reads, &[])
    }

    /// Made once in a place of a transaction, as long as the same is asked for.
    fn with<T>(
        caller: &Caller,
        names: ImportNames,
        work: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        statement::per_place(
            || None::<Self>,
            |kept| {
                let stranger = stranger(caller, names.table)?;
                let is_same =
                    |it: &Self| it.names == names && it.role == caller.role() && it.stranger == stranger;
                let source = match kept.take().filter(is_same) {
                    Some(source) => source,
                    None => Self::make(caller, names)?,
                };
                work(kept.insert(source))
            },
        )
    }
}

/// Statements for Supabase's Vault, whose view has a layout that is known.
fn of_vault(caller: &Caller, view: pg_sys::Oid) -> Result<(String, String, Vec<i16>), Error> {
    let _owner = AsOwner::switch(caller)?;
    OF_VAULT.read_single(&[view.into()], |row| Ok((row.next()?, row.next()?, row.next()?)))
}

statement! {
    /// The statements over a table, made of names that the catalog has.
    OF_TABLE: Asked {
        table: OID, column: TEXT, key: TEXT, provider: TEXT, owner: TEXT, model: TEXT, open: TEXT,
        role: OID, is_strangers: BOOL, details: TEXTARRAY,
    } =
        "SELECT s.keys, s.held_keys, s.reading, s.opening, s.types, s.emptying, s.reads, s.writes
        FROM hftok_private.import_statements($table::pg_catalog.regclass, $column::pg_catalog.name, $key::pg_catalog.name,
            $provider::pg_catalog.name, $owner::pg_catalog.name, $model::pg_catalog.name, $open, $role, $is_strangers, $details) s";

    /// The statements over a Vault's view.
    OF_VAULT(OID) =
        "SELECT s.names, s.reading, s.reads FROM hftok_private.import_vault_statements($1::pg_catalog.regclass) s";

    /// A row that was read, on its way to SQL.
    ROW(TEXT, TEXT, TEXT, TEXT, TEXT) = "SELECT ROW(true, $1, $2, $3, $4, $5)::hftok_import.imported_row";
}
