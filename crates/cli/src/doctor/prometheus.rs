//! The text format of Prometheus, for the collector of text files or a monitor that runs the command.

use std::fmt::Write as _;

use super::Report;
use super::finding::Severity;

/// Nobody was there to be looked at.
pub fn of_nobody() -> String {
    "# HELP hftok_doctor_up Whether the doctor could look.\n# TYPE hftok_doctor_up gauge\nhftok_doctor_up 0\n"
        .to_owned()
}

/// All that was found.
pub fn of(report: &Report) -> String {
    let mut page = Page { text: String::new(), database: escaped(&report.database) };
    page.metric("up", "Whether the doctor could look.", &[(String::new(), 1.0)]);
    let count = |severity| {
        let found = report.findings.iter().filter(|finding| finding.severity == severity).count();
        f64::from(u32::try_from(found).unwrap_or(u32::MAX))
    };
    page.metric(
        "findings",
        "Findings by severity.",
        &[
            (r#",severity="warning""#.to_owned(), count(Severity::Warning)),
            (r#",severity="critical""#.to_owned(), count(Severity::Critical)),
        ],
    );
    let findings = report.findings.iter().map(|finding| {
        let severity = if finding.severity == Severity::Critical { "critical" } else { "warning" };
        let object = escaped(&finding.object);
        (format!(r#",name="{}",severity="{severity}",object="{object}""#, finding.name), 1.0)
    });
    let mut findings: Vec<(String, f64)> = findings.collect();
    // A series must not stand twice on a page.
    findings.sort_by(|one, other| one.0.cmp(&other.0));
    findings.dedup_by(|one, other| one.0 == other.0);
    page.metric("finding", "Each thing that is wrong.", &findings);
    if let Some(status) = &report.status {
        page.metric(
            "sealed",
            "Whether no value opens.",
            &[(String::new(), f64::from(u8::from(status.sealed)))],
        );
        page.metric(
            "audit_waiting_events",
            "Events that are to be written.",
            &[(String::new(), whole(status.audit_waiting))],
        );
        page.metric(
            "audit_oldest_event_seconds",
            "How long the oldest of them waits.",
            &[(String::new(), status.audit_lag_seconds)],
        );
        page.metric("secrets", "Secrets that there are.", &[(String::new(), whole(status.secrets))]);
        page.metric(
            "secrets_on_retired_keys",
            "Secrets that are to be sealed anew.",
            &[(String::new(), whole(status.secrets_on_old_keys))],
        );
    }
    page.text
}

/// A page of metrics of one database.
struct Page {
    /// As far as it is written.
    text: String,
    /// The database, escaped.
    database: String,
}

impl Page {
    /// A metric with its series: labels, each behind a comma, and the value.
    fn metric(&mut self, name: &str, help: &str, series: &[(String, f64)]) {
        // A String takes all that is written to it.
        let _ = writeln!(self.text, "# HELP hftok_doctor_{name} {help}\n# TYPE hftok_doctor_{name} gauge");
        for (labels, value) in series {
            let _ =
                writeln!(self.text, "hftok_doctor_{name}{{database=\"{}\"{labels}}} {value}", self.database);
        }
    }
}

/// A count as metrics have it. Beyond 2^53 nobody counts.
#[allow(clippy::cast_precision_loss, reason = "no server has so many rows")]
fn whole(count: i64) -> f64 {
    count as f64
}

/// A value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_label_cannot_end_its_line() {
        assert_eq!(escaped("a\"} 1\nhftok_doctor_up 0\\"), r#"a\"} 1\nhftok_doctor_up 0\\"#);
    }
}
