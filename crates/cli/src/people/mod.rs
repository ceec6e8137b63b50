//! Commands for those who have credentials.

pub mod address;
pub mod credential;
pub mod delete;
pub mod explain;
mod fields;
pub mod history;
pub mod list;
pub mod owner;
pub mod set;
pub mod switch;
