//! Who hftok takes the caller for.

use crate::pg::caller::Caller;
use crate::pg::entry::entry;

entry! {
    /// The identity under which the caller's own secrets are kept.
    fn whoami() -> String {
        Caller::current().identity()
    }
}
