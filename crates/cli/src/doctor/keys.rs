//! Whether the server has the keys of this database, and the keyring is kept as it should be.

use std::path::Path;

use super::finding::{Finding, Severity, Step, literal, quoted};
use super::sight::{Sight, Status};
use hftok_core::keyring_state::Reason;

/// Root keys that wrap something here and are not there, or are no longer the primary.
const ROOTS: &str = "SELECT r.id::text, r.fingerprint, r.in_keyring::text, r.is_primary::text
    FROM hftok.root_keys r WHERE r.data_keys > 0 ORDER BY r.id";

/// Looks at them.
pub fn look(sight: &mut Sight, status: &Status, findings: &mut Vec<Finding>) {
    let roots = sight.rows("root_keys", ROOTS);
    let is = |row: &[Option<String>], at: usize| row.get(at).cloned().flatten().as_deref() == Some("true");
    let id = |row: &[Option<String>]| row.first().cloned().flatten().unwrap_or_default();
    // Nothing else can be said of keys where there is no memory for them.
    if !sight.is_preloaded {
        return;
    }
    let lacking: Vec<String> = roots.iter().filter(|row| !is(row, 2)).map(|row| id(row)).collect();
    if let Some(reason) = &status.reason {
        findings.push(trouble(sight, status.sealed, reason, &lacking));
    } else if !status.sealed {
        // Before the first use of a key there is none to be wrapped.
        for row in roots.iter().filter(|row| is(row, 2) && !is(row, 3)) {
            findings.push(Finding::warning(
                "keyring.former_in_use",
                format!("root key {}", id(row)),
                "it is no longer the primary, and still wraps data keys of this database",
                vec![Step::sql("SELECT hftok.rotate_root_key()")],
            ));
        }
    }
    ages(sight, findings);
}

/// Why the server has no keys, or could not read them again.
fn trouble(sight: &Sight, is_sealed: bool, reason: &str, lacking: &[String]) -> Finding {
    let keyring = quoted(&sight.keyring());
    let is = |one: Reason| reason == one.text();
    let (name, remedy) = if is(Reason::ByHand) {
        ("sealed.by_hand", vec![Step::unseal()])
    } else if is(Reason::NotConfigured) && lacking.is_empty() {
        ("keyring.not_configured", new_keyring(sight))
    } else if is(Reason::NotConfigured) {
        let back = "Set hftok.key_file to the keyring that has root key";
        let back = Step::hand(format!("{back} {}", lacking.join(", ")));
        ("keyring.not_configured", vec![back, Step::reload(), Step::unseal()])
    } else if is(Reason::TooOpen) {
        ("keyring.rights", vec![Step::shell(format!("chmod 600 {keyring}")), Step::unseal()])
    } else if is(Reason::ForeignOwner) {
        ("keyring.owner", vec![owner(sight, &keyring), Step::unseal()])
    } else if reason.starts_with("the key file cannot be read") {
        ("keyring.unreadable", unreadable(sight, &keyring))
    } else if reason.starts_with("this is a copy of database") {
        ("database.copy", vec![Step::sql("SELECT hftok.adopt_database()")])
    } else if let Some(id) = lacks(reason, lacking) {
        let line = format!("hftok keyring add {keyring} --from BACKUP_OF_THE_KEYRING --id {id} --offline");
        ("keyring.lacks_key", vec![Step::shell(line), Step::unseal()])
    } else if reason.contains("names an installation") || reason.contains("no longer names") {
        let name = Step::hand("Give the keyring its former line installation: again.");
        ("keyring.renamed", vec![name, Step::unseal()])
    } else {
        let check = Step::shell(format!("hftok keyring check {keyring} --offline"));
        (
            "keyring.trouble",
            vec![check, Step::hand("Mend what it says, or hftok.key_command."), Step::unseal()],
        )
    };
    let what = if is_sealed { format!("no value opens: {reason}") } else { reason.to_owned() };
    Finding { name, severity: Severity::Critical, object: sight.database.clone(), what, remedy }
}

/// The number of the root key that is lacking.
fn lacks(reason: &str, lacking: &[String]) -> Option<String> {
    let speaks_of_one = reason.contains("lacks root key ")
        || reason.contains("has another root key ")
        || reason.contains("is not in the keyring");
    let (_, behind) = reason.split_once("root key ").filter(|_| speaks_of_one)?;
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    if digits.is_empty() { lacking.first().cloned() } else { Some(digits) }
}

/// A first keyring, and the setting that names it.
fn new_keyring(sight: &Sight) -> Vec<Step> {
    let path = sight.new_keyring.display().to_string();
    let folder = sight.new_keyring.parent().unwrap_or(Path::new("/")).display().to_string();
    vec![
        Step::shell(format!("mkdir -p {}", quoted(&folder))),
        Step::shell(format!("hftok keygen {}", quoted(&path))),
        owner(sight, &quoted(&path)),
        Step::sql(format!("ALTER SYSTEM SET hftok.key_file = {}", literal(&path))),
        Step::reload(),
        Step::unseal(),
        Step::hand(format!("Copy {path} to another place: without it nobody opens anything again.")),
    ]
}

/// What the server's account cannot read is another's, or not there.
fn unreadable(sight: &Sight, keyring: &str) -> Vec<Step> {
    let there = format!("Where {keyring} is not there, put it back from its backup.");
    vec![
        Step::hand(there),
        owner(sight, keyring),
        Step::shell(format!("chmod 600 {keyring}")),
        Step::unseal(),
    ]
}

/// The data directory belongs to the account that the server runs as.
fn owner(sight: &Sight, keyring: &str) -> Step {
    Step::shell(format!("chown --reference={} {keyring}", quoted(&sight.data())))
}

/// Keys that are used for longer than they should be, which only hftok itself may see. Those of the audit are not rotated by
/// `rotate_data_key()`: others know the log by them.
fn ages(sight: &mut Sight, findings: &mut Vec<Finding>) {
    let asked = "SELECT r.reason FROM hftok.health() AS h, pg_catalog.unnest(h.reasons) AS r (reason)
        WHERE r.reason LIKE 'keys: % (values) %' OR r.reason LIKE 'keys: % (fingerprints) %' OR r.reason LIKE 'verifying: %'";
    for reason in sight.rows("health", asked).into_iter().flatten().flatten() {
        let Some((kind, what)) = reason.split_once(": ") else { continue };
        findings.push(match kind {
            "keys" => Finding::warning(
                "keys.too_old",
                what.split(" is ").next().unwrap_or_default(),
                what,
                vec![Step::sql("SELECT hftok.rotate_data_key()")],
            ),
            _ => Finding::warning(
                "integrations.left_behind",
                "integrations",
                what,
                vec![Step::hand("Look after the backend that verifies integrations, or have a schedule do it: docs/integrations.md")],
            ),
        });
    }
}
