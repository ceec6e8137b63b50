//! Commands for those who have credentials.

pub mod list;
pub mod owner;
