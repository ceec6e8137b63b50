//! What became of the rows of a source, as `import_report` has it.
//!
//! What must stay true: keys and reasons, and never a value.

use postgres::GenericClient;
use serde::Serialize;

use crate::failure::Failure;
use crate::screen::{Screen, Table};

/// So many rows that were turned down are named to people.
const NAMED: usize = 20;

/// So many of each outcome are kept, also in JSON.
const KEPT: i64 = 1000;

/// A part of the report: the lines of a source that were written since a time.
#[derive(Debug, Clone)]
pub struct Lines {
    /// As `import_report` names it.
    pub source: String,
    /// Whether of a trial.
    pub is_dry_run: bool,
    /// Since when, by the clock of the server.
    pub since: String,
}

/// What became of them.
#[derive(Debug, Serialize)]
pub struct Report {
    /// As `import_report` names it.
    source: String,
    /// Whether of a trial.
    dry_run: bool,
    /// How many rows there were.
    rows: i64,
    /// How many became what.
    outcomes: Vec<Outcome>,
    /// Those that hftok did not take; not all, where there are thousands.
    turned_down: Vec<TurnedDown>,
}

/// How many rows became what.
#[derive(Debug, Serialize)]
struct Outcome {
    /// What they became.
    outcome: String,
    /// Why.
    reason: Option<String>,
    /// How many.
    rows: i64,
}

/// A row that hftok did not take.
#[derive(Debug, Serialize)]
struct TurnedDown {
    /// Its key in the source.
    key: String,
    /// What it became.
    outcome: String,
    /// Why.
    reason: Option<String>,
}

impl Lines {
    /// The lines that are written from now on.
    pub fn from_now(
        client: &mut impl GenericClient,
        source: &str,
        is_dry_run: bool,
    ) -> Result<Self, Failure> {
        let row = client.query_one("SELECT pg_catalog.clock_timestamp()::text", &[])?;
        Ok(Self { source: source.to_owned(), is_dry_run, since: row.try_get(0)? })
    }

    /// How many there are by now.
    pub fn count(&self, client: &mut impl GenericClient) -> Result<u64, Failure> {
        let row = client.query_one(
            "SELECT pg_catalog.count(*) FROM hftok.import_report AS r
             WHERE r.source = $1 AND r.dry_run = $2 AND r.at >= $3::text::timestamptz AND r.key IS NOT NULL",
            &[&self.source, &self.is_dry_run, &self.since],
        )?;
        Ok(row.try_get::<_, i64>(0)?.unsigned_abs())
    }

    /// What they say.
    pub fn read(&self, client: &mut impl GenericClient) -> Result<Report, Failure> {
        let parameters: [&(dyn postgres::types::ToSql + Sync); 3] =
            [&self.source, &self.is_dry_run, &self.since];
        let counted = client.query(
            "SELECT r.outcome, r.reason, pg_catalog.count(*) FROM hftok.import_report AS r
             WHERE r.source = $1 AND r.dry_run = $2 AND r.at >= $3::text::timestamptz AND r.key IS NOT NULL
             GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
            &parameters,
        )?;
        let outcome = |row: &postgres::Row| -> Result<Outcome, Failure> {
            Ok(Outcome { outcome: row.try_get(0)?, reason: row.try_get(1)?, rows: row.try_get(2)? })
        };
        let outcomes: Vec<Outcome> = counted.iter().map(outcome).collect::<Result<_, _>>()?;
        let named = client.query(
            "SELECT r.key, r.outcome, r.reason FROM hftok.import_report AS r
             WHERE r.source = $1 AND r.dry_run = $2 AND r.at >= $3::text::timestamptz AND r.key IS NOT NULL
                AND r.outcome IN ('rejected', 'duplicate', 'skipped', 'changed')
             ORDER BY r.outcome <> 'rejected', r.outcome, r.key LIMIT 1000",
            &parameters,
        )?;
        let turned_down = |row: &postgres::Row| -> Result<TurnedDown, Failure> {
            Ok(TurnedDown { key: row.try_get(0)?, outcome: row.try_get(1)?, reason: row.try_get(2)? })
        };
        Ok(Report {
            source: self.source.clone(),
            dry_run: self.is_dry_run,
            rows: outcomes.iter().map(|one| one.rows).sum(),
            outcomes,
            turned_down: named.iter().map(turned_down).collect::<Result<_, _>>()?,
        })
    }
}

impl Report {
    /// Of a file, row by row.
    pub fn of_file(source: &str, is_dry_run: bool) -> Self {
        let source = source.to_owned();
        Self { source, dry_run: is_dry_run, rows: 0, outcomes: Vec::new(), turned_down: Vec::new() }
    }

    /// Counts a row.
    pub fn add(&mut self, key: &str, outcome: &str, reason: Option<String>) {
        self.rows += 1;
        if outcome != "imported" && self.rows(outcome) < KEPT {
            let (key, outcome) = (key.to_owned(), outcome.to_owned());
            self.turned_down.push(TurnedDown { key, outcome, reason: reason.clone() });
        }
        match self.outcomes.iter_mut().find(|one| one.outcome == outcome && one.reason == reason) {
            Some(one) => one.rows += 1,
            None => self.outcomes.push(Outcome { outcome: outcome.to_owned(), reason, rows: 1 }),
        }
    }

    /// How many rows became this.
    pub fn rows(&self, outcome: &str) -> i64 {
        self.outcomes.iter().filter(|one| one.outcome == outcome).map(|one| one.rows).sum()
    }

    /// The report of a transaction that is taken back, or not.
    pub fn of_trial(self, is_dry_run: bool) -> Self {
        Self { dry_run: is_dry_run, ..self }
    }

    /// As `import_report` names it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether of a trial.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// How many rows there were.
    pub fn all(&self) -> i64 {
        self.rows
    }

    /// Whether rows were turned down that hold no credential.
    pub fn has_rejected(&self) -> bool {
        self.rows("rejected") > 0
    }

    /// For people, as an answer.
    pub fn answer(&self, screen: &Screen) -> String {
        self.text(|table| table.shown(*screen))
    }

    /// For people, beside an answer.
    pub fn note(&self) -> String {
        self.text(Table::plain)
    }

    /// For people; rows that were rejected first.
    fn text(&self, shown: impl Fn(&Table) -> String) -> String {
        let verb = if self.dry_run { "would be imported (dry run)" } else { "imported" };
        let mut text =
            format!("{}: {} of {} {verb}\n\n", self.source, self.rows("imported"), rows(self.rows));
        let mut outcomes = Table::new(&["OUTCOME", "ROWS", "REASON"]);
        for one in &self.outcomes {
            outcomes.row(vec![
                one.outcome.clone(),
                one.rows.to_string(),
                one.reason.clone().unwrap_or_default(),
            ]);
        }
        text.push_str(&shown(&outcomes));
        if self.turned_down.is_empty() {
            return text;
        }
        let mut named = Table::new(&["KEY", "OUTCOME", "REASON"]);
        let (rejected, others): (Vec<_>, Vec<_>) =
            self.turned_down.iter().partition(|one| one.outcome == "rejected");
        for one in rejected.into_iter().chain(others).take(NAMED) {
            named.row(vec![one.key.clone(), one.outcome.clone(), one.reason.clone().unwrap_or_default()]);
        }
        text.push_str("\nTurned down:\n");
        text.push_str(&shown(&named));
        if self.turned_down.len() > NAMED {
            text.push_str("… and more: --json names a thousand\n");
        }
        text
    }
}

/// A number of rows.
pub fn rows(count: i64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}
