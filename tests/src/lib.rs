//! Servers for tests: each test file starts real ones of its own, and looks at them as a user or a DBA would.
//!
//! | module | what is in it |
//! |---|---|
//! | [`account`] | the operating-system account that servers run as |
//! | [`cluster`] | a throw-away Postgres: made, started, stopped, killed, removed |
//! | [`setup`] | what a cluster is made from |
//! | [`root_key`] | keys for keyring files |
//! | [`rotation`] | rotations of data keys, and the worker that seals anew |
//! | [`answer`] | what a server answered: errors by SQLSTATE, counts, single values |
//! | [`files`] | what lies in files |
//! | [`injector`] | calls into Postgres that fail, one at a time |
//! | [`process`] | processes of a server, and their memory |
//! | [`race`] | several sessions at once |
//! | [`question`] | a question that is asked again and again, while what is true changes |
//! | [`audit`] | the audit of a database, and its writer |
//! | [`verifier`] | the audit as somebody verifies it who has no hftok |
//! | [`catalog`] | what hftok is made of in a database, and the scripts that make it |
//! | [`copies`] | copies of a database, and what is carried from one to the other |
//! | [`disk`] | a small disk, which a test may fill |
//! | [`drill`] | the commands of a document, run as they stand there |
//! | [`packages`] | packages of the distribution, unpacked and not installed |
//! | [`pooler`] | PgBouncer, wherever it is |
//! | [`traffic`] | clients that go on asking for a token, and know what they were answered |
//!
//! What must stay true: a server is reachable over a Unix socket in a folder of mode 0700 and in no other way, and
//! nothing of it is left when the test program ends, however that happens.

pub mod account;
pub mod answer;
pub mod audit;
pub mod catalog;
pub mod cluster;
pub mod copies;
pub mod crash;
pub mod disk;
pub mod drill;
pub mod files;
pub mod injector;
pub mod packages;
pub mod pooler;
mod prefix;
pub mod process;
pub mod question;
pub mod race;
pub mod root_key;
pub mod rotation;
pub mod setup;
pub mod traffic;
pub mod verifier;

use std::time::{Duration, Instant};

/// Waits until something holds, and fails by its name when it doesn't within so many seconds.
#[track_caller]
pub fn wait_until(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        assert!(Instant::now() < end, "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
