//! What shells and `man` read of this command. Both are made from the command line itself, so that none says what it lacks.

pub mod completions;
pub mod man;
