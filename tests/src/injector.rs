//! Calls of hftok into Postgres that fail, one at a time: `tests/injector/injector.c`, built for the Postgres under test.
//!
//! What must stay true: only the session that asks for it is struck, and each time that it asks one call at most.

use std::path::{Path, PathBuf};
use std::process::Command;

use postgres::{Client, GenericClient};

use crate::answer::one;
use crate::cluster::Cluster;
use crate::setup::{installed, run};

/// The way in which a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It raises an error.
    Error = 1,
    /// A cancel arrives while it runs.
    Cancel = 2,
    /// There is no memory where Rust asks for some.
    NoMemory = 3,
}

impl Fault {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Error, Self::Cancel, Self::NoMemory];

    /// The SQLSTATEs of which a caller then sees one.
    pub fn sqlstates(self) -> &'static [&'static str] {
        match self {
            Self::Error => &["58030", "53200"],
            Self::Cancel => &["57014"],
            Self::NoMemory => &["53200"],
        }
    }
}

/// Builds the library into the folder of a cluster, and makes its functions in a database of it.
#[track_caller]
pub fn install(cluster: &Cluster, client: &mut Client) {
    let library = built(cluster);
    let library = library.display();
    let function = |name: &str, answer: &str| {
        let symbol = name.split('(').next().unwrap_or_default();
        format!(
            "CREATE FUNCTION injector.{name} RETURNS {answer} LANGUAGE c AS '{library}', 'injected_{symbol}';"
        )
    };
    let functions =
        [("arm(int, bigint)", "void"), ("at()", "text"), ("calls()", "bigint"), ("names()", "text")];
    let functions: String = functions.iter().map(|(name, answer)| function(name, answer)).collect();
    client.batch_execute(&format!("CREATE SCHEMA injector; {functions}")).expect("the injector's functions");
}

fn built(cluster: &Cluster) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("injector/injector.c");
    let folder = cluster.make_folder("injector");
    let library = folder.join("injector.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-D_GNU_SOURCE", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror"]);
    compiler.args(["-Wno-unused-parameter", "-Wno-sign-compare", "-I"]).arg(installed("--includedir-server"));
    run(compiler.arg("-o").arg(&library).arg(source));
    library
}

/// From now on the session's calls are counted, and the one with this number is struck.
#[track_caller]
pub fn arm(client: &mut impl GenericClient, fault: Fault, number: i64) {
    let arm = format!("SELECT injector.arm({}, {number})", fault as i32);
    client.batch_execute(&arm).unwrap_or_else(|error| panic!("{arm}: {error:?}"));
}

/// The function that was struck, if the session came so far. From now on nothing is.
#[track_caller]
pub fn struck(client: &mut impl GenericClient) -> Option<String> {
    one(client, "SELECT injector.at()", &[])
}
