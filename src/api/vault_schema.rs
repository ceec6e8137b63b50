//! A schema `vault` for code that was written for Supabase Vault.
//!
//! The schema is created with the caller's rights, and is theirs; what is in it belongs to hftok_owner, so that a role
//! needs nothing else than privileges on it. For that hftok_owner may create in the schema for a moment.

use std::ffi::CStr;

use crate::error::Error;
use crate::pg::caller::Caller;
use crate::pg::entry::entry;
use crate::pg::owner::AsOwner;
use crate::pg::sql::run_script;

const OPEN: &CStr = c"CREATE SCHEMA vault;
    GRANT USAGE, CREATE ON SCHEMA vault TO hftok_owner;
    GRANT USAGE ON SCHEMA vault TO hftok_admin, hftok_service";
const FILL: &str = concat!(include_str!("vault_schema.sql"), "\0");
const CLOSE: &CStr = c"REVOKE CREATE ON SCHEMA vault FROM hftok_owner";

entry! {
    /// Creates the schema and what is in it; Postgres refuses when there is one of that name.
    fn install_vault_schema() -> () {
        let caller = Caller::current();
        let fill = CStr::from_bytes_with_nul(FILL.as_bytes())
            .map_err(|_| Error::Internal("the script of the vault schema contains a zero byte"))?;
        run_script(OPEN)?;
        {
            let _owner = AsOwner::switch(&caller)?;
            run_script(fill)?;
        }
        run_script(CLOSE)
    }
}
