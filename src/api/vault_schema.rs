//! A schema `vault` for code that was written for Supabase Vault.
//!
//! The schema and what is in it belong to hftok_owner, so that a role needs nothing else than privileges on it, and nobody who
//! installed it keeps a right to put something else in its place. Only a superuser can give a schema away like this.

use std::ffi::CStr;

use crate::error::Error;
use crate::pg::call::entry::export;
use crate::pg::rows::sql::run_script;
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;

export!(install_vault_schema);

/// The schema belongs to hftok_owner, so that its views read as that role.
const OPEN: &CStr = c"CREATE SCHEMA vault AUTHORIZATION hftok_owner;
    GRANT USAGE ON SCHEMA vault TO hftok_admin, hftok_service";
/// The views and functions that Supabase's Vault has.
const FILL: &str = concat!(include_str!("vault_schema.sql"), "\0");

/// Creates the schema and what is in it; Postgres refuses when there is one of that name.
fn install_vault_schema() -> Result<(), Error> {
    let caller = Caller::current();
    let fill = CStr::from_bytes_with_nul(FILL.as_bytes())
        .map_err(|_| Error::Internal("the script of the vault schema contains a zero byte"))?;
    run_script(OPEN)?;
    let _owner = AsOwner::switch(&caller)?;
    run_script(fill)
}
