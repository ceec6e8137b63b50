//! Credentials that have ended, or end within seven days.

use super::finding::{Finding, Step, quoted};
use super::sight::Sight;

/// As many as anybody reads.
const ENDING: &str = "SELECT c.provider, c.scope, c.scope_id, c.model, c.slot, c.expires_at::text,
        (c.expires_at < pg_catalog.now())::text
    FROM hftok.expiring_credentials c
    WHERE c.enabled AND c.expires_at < pg_catalog.now() + interval '7 days' AND c.scope IN ('user', 'org', 'global')
    ORDER BY c.expires_at LIMIT 100";

/// Looks for them.
pub fn look(sight: &mut Sight, findings: &mut Vec<Finding>) {
    for row in sight.rows("expiring_credentials", ENDING) {
        let mut cells = row.into_iter();
        let mut next = || cells.next().flatten();
        let (Some(provider), Some(scope)) = (next(), next()) else { continue };
        let (owner, model, slot, at, is_over) = (next(), next(), next(), next(), next());
        let mut object = format!("{provider} of {scope}");
        let mut line = format!("hftok set --provider={} --{scope}", quoted(&provider));
        for (word, option, value) in [(" ", "=", &owner), (", model ", " --model=", &model)] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                object.push_str(&format!("{word}{value}"));
                line.push_str(&format!("{option}{}", quoted(value)));
            }
        }
        if let Some(slot) = slot.filter(|slot| !slot.is_empty() && slot != "default") {
            object.push_str(&format!(", slot {slot}"));
            line.push_str(&format!(" --slot={}", quoted(&slot)));
        }
        let is_over = is_over.as_deref() == Some("true");
        let (name, ends) =
            if is_over { ("credentials.ended", "it ended") } else { ("credentials.ending", "it ends") };
        let what = format!("{ends} at {}", at.unwrap_or_default());
        findings.push(Finding::warning(name, object, what, vec![Step::Shell(line)]));
    }
}
