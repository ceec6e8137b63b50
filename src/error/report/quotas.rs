//! Reports on quotas: the detail says how many, the hint names the setting to operators only.

use super::{Report, report};

/// One thing that has too many bytes.
pub fn too_large(what: &str, most: usize) -> Report {
    report(b"PT413", "Content Too Large").detail(format!("{what} may have {most} bytes at most."))
}

/// Too many bytes of all values together.
pub fn too_many_bytes(most: i64, is_operator: bool) -> Report {
    report(b"PT413", "Content Too Large")
        .detail(format!(
            "All values of an owner, with their hosts and previous versions, may have {most} bytes."
        ))
        .hint(if is_operator {
            "Delete one that is no longer needed, or raise hftok.max_bytes_per_user."
        } else {
            "Delete one that is no longer needed."
        })
}

/// Too many things of one kind.
pub fn too_many(whose: &str, most: i32, what: &str) -> Report {
    report(b"PT413", "Content Too Large")
        .detail(format!("{whose} may have {most} {what} at most."))
        .hint("Delete one that is no longer needed.")
}

/// Too many guesses.
pub fn too_often(most: u32, wait: u64, is_operator: bool) -> Report {
    report(b"PT429", "Too Many Requests")
        .detail(format!(
            "A login may look for {most} values a minute: the next in {wait} s. Nothing was compared."
        ))
        .hint(if is_operator { "hftok.max_guesses_per_minute says how many." } else { "Wait." })
}
