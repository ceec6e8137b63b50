//! Whether the audit is written.

use super::finding::{Finding, Step};
use super::sight::Status;

/// Events are on disk after a fraction of a second. What waits for a minute is held up.
const PATIENCE: f64 = 60.0;

/// Looks at it.
pub fn look(status: &Status, findings: &mut Vec<Finding>) {
    if let Some(trouble) = &status.audit_trouble {
        let remedy = statements(trouble);
        let remedy = if remedy.is_empty() { vec![Step::hand("The server's log says why.")] } else { remedy };
        findings.push(Finding::critical("audit.held_up", "the writer of the audit", trouble, remedy));
    } else if status.audit_lag_seconds > PATIENCE && !status.sealed {
        findings.push(Finding::critical(
            "audit.late",
            "the writer of the audit",
            format!(
                "{} events wait, the oldest for {:.0} s; the writer is {}",
                status.audit_waiting,
                status.audit_lag_seconds,
                status.audit_writer.as_deref().unwrap_or("not there")
            ),
            vec![Step::hand(
                "The server's log says why: a full disk, or no free worker (max_worker_processes).",
            )],
        ));
    }
}

/// The remedies that stand in brackets in what the server says.
fn statements(trouble: &str) -> Vec<Step> {
    const VERBS: [&str; 4] = ["pg_terminate_backend(", "ROLLBACK PREPARED ", "DROP INDEX ", "DROP TRIGGER "];
    let mut found = Vec::new();
    for part in trouble.split("; ") {
        let bracket = VERBS.iter().find_map(|verb| part.find(&format!("({verb}")));
        let line = bracket.and_then(|at| part.get(at + 1..)).and_then(|rest| rest.strip_suffix(')'));
        // A name in it that looks like a statement of its own is left to whoever reads the whole.
        let Some(line) = line.filter(|line| !line.contains(';')) else { continue };
        let line = if line.starts_with("pg_") { format!("SELECT {line}") } else { line.to_owned() };
        let step = Step::Sql(line);
        if !found.contains(&step) {
            found.push(step);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Step, statements};

    #[test]
    fn the_remedies_of_the_server_are_lines() {
        let told = "process 7 of role a holds ExclusiveLock on hftok_private.audit until its transaction ends (pg_terminate_backend(7)); \
            process 7 of role a has written to hftok_private.audit_nodes in a transaction that is open (pg_terminate_backend(7)); \
            prepared transaction 'x' has locked rows of hftok_private.audit in a transaction that is open (ROLLBACK PREPARED 'x')";
        let lines = [Step::sql("SELECT pg_terminate_backend(7)"), Step::sql("ROLLBACK PREPARED 'x'")];
        assert_eq!(statements(told), lines);
        assert_eq!(statements("the server's log says what keeps the writer"), []);
    }
}
