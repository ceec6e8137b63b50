//! Rotations that do not get on.

use super::finding::{Finding, Step};
use super::sight::Sight;

/// What waits, and what was kept because rows do not open.
const ROTATIONS: &str =
    "SELECT r.key_id::text, r.state, r.waits_for, r.failed::text FROM hftok.rotation_progress r
    WHERE r.state = 'waiting' AND r.waits_for IS NOT NULL OR r.state = 'kept' AND r.failed > 0";

/// Looks at them.
pub fn look(sight: &mut Sight, findings: &mut Vec<Finding>) {
    for row in sight.rows("rotation_progress", ROTATIONS) {
        let mut cells = row.into_iter();
        let mut next = || cells.next().flatten().unwrap_or_default();
        let (key, state, waits_for, failed) = (next(), next(), next(), next());
        let object = format!("data key {key}");
        findings.push(if state == "waiting" {
            Finding::warning(
                "rotation.waits",
                object,
                waits_for,
                vec![Step::hand("As it says; then it goes on by itself.")],
            )
        } else {
            Finding::warning(
                "rotation.kept",
                object,
                format!("{failed} rows that it sealed do not open"),
                vec![
                    Step::sql("SELECT * FROM hftok.verify()"),
                    Step::hand("Restore, replace or delete what it names; the next look destroys the key."),
                    Step::reload(),
                ],
            )
        });
    }
}
