//! The functions that SQL can call, declared in `sql/`. Each reads as a rule: what is asked, what is checked, what is
//! done. How a function is guarded stands in its declaration: SECURITY DEFINER where EXECUTE is the permission,
//! SECURITY INVOKER and [`crate::pg::caller::Caller`] where it matters who is asking.

mod audit;
mod catalogue;
mod credentials;
mod identity;
mod imports;
mod input;
mod integrations;
mod keyring;
mod known;
mod members;
mod owner;
mod remark;
mod resolve;
mod reveal;
mod runner;
mod status;
mod user_api_keys;
mod vault;
mod vault_schema;
mod verify;
mod visible;
mod walk;
