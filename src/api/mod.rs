//! The functions that SQL can call, declared in `sql/`. Each reads as a rule: what is asked, what is checked, what is
//! done. All are SECURITY INVOKER: who calls is recorded, and a definer hides it. Where EXECUTE is the permission, Postgres has
//! checked it before; then a [`crate::pg::who::caller::Caller`] is asked for what it may do, or not, and the work is done as hftok_owner.

mod audit;
mod bundles;
mod cache_triggers;
mod catalogue;
mod credentials;
mod followed_table;
mod following;
mod guarded;
mod identity;
mod import_integrations;
mod import_values;
mod imports;
mod input;
mod integrations;
mod keyring;
mod members;
mod org_keys;
mod owner;
mod remark;
mod resolve;
mod reveal;
mod role_words;
mod rotation;
mod runner;
mod runner_tokens;
mod status;
mod steps;
mod stored_row;
mod tallies;
mod undo;
mod user_api_keys;
mod vault;
mod vault_schema;
mod verification;
mod verify;
mod visible;
mod walk;
mod walk_arguments;
