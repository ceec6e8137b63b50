//! Rows: secrets and their versions. Knows the tables; the rules are in core, the order
//! of things in `api`.

pub mod insertion;
pub mod integrations;
pub mod levels;
pub mod lookup;
pub mod members;
pub mod moved_integrations;
pub mod org_values;
pub mod owner_lock;
pub mod providers;
pub mod quotas;
pub mod reseal;
pub mod resealer;
pub mod rotations;
pub mod row;
pub mod runner_tokens;
pub mod secrets;
pub mod shape;
pub mod slots;
pub mod verifications;
pub mod versions;
