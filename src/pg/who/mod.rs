//! Identities: who calls, through which gateway, what they were granted, and as whom hftok acts for them.

pub mod acl;
pub mod as_owner;
pub mod caller;
mod catalog_row;
mod direct;
pub mod gateway;
pub mod identity;
pub mod request;
pub mod roles;
pub mod session;
mod setting;
pub mod table_owner;
