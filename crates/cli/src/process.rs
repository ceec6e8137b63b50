//! What this process allows others to see of it.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// Leaves no core, and can be traced by root alone: values pass through this process.
///
/// A child that is executed in its place gets back what `give_back` returns.
pub fn keep_to_itself() -> CoreLimit {
    let before = CoreLimit(getrlimit(Resource::Core));
    // Neither fails for the reasons a system has; where a sandbox forbids them, values are still in no argument and file.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: before.0.maximum });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    before
}

/// How large a core could be when this process was started.
#[derive(Debug)]
pub struct CoreLimit(Rlimit);
