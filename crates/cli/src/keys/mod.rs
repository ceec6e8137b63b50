//! Keyrings and rotations, for those who run the server.
//!
//! What must stay true: no key is printed, nor in an error; a keyring is replaced whole or not at all, loses no key, and is
//! readable by its owner alone from the moment that it is there.

mod account;
mod drawn;
mod file;
mod held_against;
pub mod keygen;
pub mod keyring;
mod naming;
mod place;
mod reload;
pub mod rotate;
