//! What this process allows others to see of it.

use std::sync::OnceLock;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// How large a core could be when this process was started.
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Leaves no core, and can be traced by root alone: values pass through this process.
pub fn keep_to_itself() {
    let before = BEFORE.get_or_init(|| getrlimit(Resource::Core));
    // Neither fails for the reasons a system has; where a sandbox forbids them, values are still in no argument and file.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: before.maximum });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Calls `start`, whose new program gets the limit for cores that we were started with.
///
/// We leave none meanwhile: that we are not dumpable is undone by an exec only.
pub fn with_cores_as_before<T>(start: impl FnOnce() -> T) -> T {
    if let Some(before) = BEFORE.get() {
        let _ = setrlimit(Resource::Core, *before);
    }
    let started = start();
    keep_to_itself();
    started
}
