//! An import of a table: tried, shown, asked for, done, each with a bar. The procedures of hftok do the work inside Postgres.

use std::process::ExitCode;

use clap::Args;
use postgres::Client;
use postgres::types::ToSql;

use super::asking::Asking;
use super::report::{Lines, Report, rows};
use super::watched::Watched;
use crate::connection::{Argument, ConnectionOptions};
use crate::failure::Failure;
use crate::progress::Bar;
use crate::screen::Screen;
use crate::value::ValueOptions;

/// What imports of tables have in common.
#[derive(Debug, Args)]
pub struct TableOptions {
    /// An SQL expression over the row that gives the plaintext; write no key into it
    #[arg(long, value_name = "SQL")]
    pub open: Option<String>,
    /// A setting that --open reads by current_setting(): its value is asked for, or read by --value-file
    #[arg(long, value_name = "NAME", requires = "open")]
    setting: Option<String>,
    /// Where the value of the setting is.
    #[command(flatten)]
    value: ValueOptions,
    /// Commit after so many rows
    #[arg(long, value_name = "ROWS", default_value_t = 1000, value_parser = clap::value_parser!(i32).range(1..))]
    batch: i32,
    /// Tried, asked, done.
    #[command(flatten)]
    asking: Asking,
}

/// A procedure of hftok that imports a table.
pub struct Procedure<'a> {
    /// Its name.
    pub name: &'static str,
    /// The table, the column with the values, and the column that tells rows from each other.
    pub table: [&'a str; 3],
    /// Whether owners are organisations.
    pub is_for_orgs: bool,
    /// What it is given, but for `p_batch` and `p_dry_run`.
    pub arguments: Vec<Argument<'a>>,
}

/// A table as hftok sees it.
struct Found {
    /// By which name `import_report` has it.
    source: String,
    /// About how many rows it has.
    estimate: Option<u64>,
}

impl TableOptions {
    /// Tries the import, asks, and does it.
    pub fn import(
        &self,
        procedure: &Procedure<'_>,
        connection: &ConnectionOptions,
        screen: &Screen,
    ) -> Result<ExitCode, Failure> {
        self.asking.admit()?;
        let value = match &self.setting {
            Some(name) => Some((name, self.value.read(&format!("Value of {name}: "))?)),
            None => None,
        };
        let mut watched = Watched::open(connection)?;
        if let Some((name, value)) = value {
            let set = "SELECT pg_catalog.set_config($1, $2, false)";
            watched.worker().execute(set, &[name, &value.as_str()])?;
        }
        let found = procedure.found(watched.watcher())?;
        let mut expected = found.estimate;
        if !self.asking.yes {
            let tried = self.call(procedure, &found.source, true, expected, &mut watched)?;
            if self.asking.dry_run {
                return told(procedure, &tried, screen, &mut watched);
            }
            screen.note(&tried.note());
            if tried.rows("imported") == 0 {
                screen.note("There is nothing to import.");
            } else if !self.asking.goes_on(screen, &format!("Import {}?", rows(tried.rows("imported"))))? {
                return Ok(ExitCode::FAILURE);
            }
            expected = Some(tried.all().unsigned_abs());
        }
        let done = self.call(procedure, &found.source, false, expected, &mut watched)?;
        told(procedure, &done, screen, &mut watched)
    }

    /// Calls the procedure, with a bar beside it, and reads what it reports.
    fn call(
        &self,
        procedure: &Procedure<'_>,
        source: &str,
        is_dry_run: bool,
        expected: Option<u64>,
        watched: &mut Watched,
    ) -> Result<Report, Failure> {
        let lines = Lines::from_now(watched.watcher(), source, is_dry_run)?;
        let mut arguments =
            procedure.arguments.iter().map(|given| (given.name, given.given)).collect::<Vec<_>>();
        let (batch, dry_run) =
            (Argument::number("p_batch", Some(self.batch.into())), Argument::flag("p_dry_run", is_dry_run));
        arguments.extend([(batch.name, batch.given), (dry_run.name, dry_run.given)]);
        let named = arguments.iter().enumerate().map(|(at, (name, _))| format!("{name} => ${}", at + 1));
        let call = format!("CALL hftok.{}({})", procedure.name, named.collect::<Vec<_>>().join(", "));
        let bar = Bar::new(if is_dry_run { "Trying" } else { "Importing" }, expected);
        let ran = watched.run(
            &bar,
            |worker, mark| {
                let values: Vec<&(dyn ToSql + Sync)> =
                    arguments.iter().map(|(_, given)| given as &(dyn ToSql + Sync)).collect();
                worker.execute(&format!("{mark} {call}"), &values)?;
                Ok(())
            },
            |watcher| lines.count(watcher),
        );
        drop(bar);
        match ran {
            Err(Failure::Stopped(_)) => {
                let count = lines.count(watched.watcher())?;
                Err(Failure::Stopped(format!(
                    "{} of {source} {} looked at; what was imported stays, and the same command goes on",
                    rows(count.cast_signed()),
                    if count == 1 { "was" } else { "were" },
                )))
            }
            Err(failure) => Err(failure),
            Ok(()) => lines.read(watched.watcher()),
        }
    }
}

impl Procedure<'_> {
    /// By which name `import_report` has the table, and about how many rows it has.
    fn found(&self, client: &mut Client) -> Result<Found, Failure> {
        let [table, column, key] = self.table;
        let row = client.query_one(
            "SELECT s.source, s.estimate::bigint FROM hftok_import.import_source($1::text::regclass, $2::text::name, $3::text::name) AS s",
            &[&table, &column, &key],
        )?;
        let estimate: Option<i64> = row.try_get(1)?;
        Ok(Found {
            source: row.try_get(0)?,
            estimate: estimate.and_then(|it| u64::try_from(it).ok()).filter(|it| *it > 0),
        })
    }
}

/// Prints the report; the exit code says whether rows were turned down that hold no credential.
fn told(
    procedure: &Procedure<'_>,
    report: &Report,
    screen: &Screen,
    watched: &mut Watched,
) -> Result<ExitCode, Failure> {
    screen.answer(report, || report.answer(screen))?;
    if procedure.is_for_orgs {
        let deserted = "SELECT hftok_import.import_deserted($1, $2)";
        let count: i64 =
            watched.watcher().query_one(deserted, &[&report.source(), &report.is_dry_run()])?.try_get(0)?;
        if count > 0 {
            screen.note(&format!(
                "Organisations with a credential and no members: {count}. Nobody reaches it until hftok knows the members: \
                 CALL hftok.import_members() takes them over."
            ));
        }
    }
    if !report.is_dry_run() && report.rows("imported") + report.rows("unchanged") > 0 {
        screen.note(
            "The table still holds the values. hftok.blank_column() empties it once nothing reads it any more: docs/moving-in.md.",
        );
    }
    Ok(if report.has_rejected() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
