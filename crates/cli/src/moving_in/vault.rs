//! `hftok import vault`: the secrets of a Supabase Vault in the same database. It is one transaction, and a trial is one that is
//! rolled back.

use std::process::ExitCode;

use clap::Args;
use postgres::Client;

use super::asking::Asking;
use super::report::{Lines, Report};
use super::watched::Watched;
use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::progress::Bar;
use crate::screen::Screen;

/// Move the secrets of a Supabase Vault in
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hftok import vault --dry-run
  hftok import vault --yes --json

Secrets keep their ids; what hftok has already under an id or a name is left as it is. The Vault is left as it is.
Exit code 1: done, and secrets were turned down.")]
pub struct Vault {
    /// The schema of the Vault
    #[arg(long, default_value = "vault")]
    schema: String,
    /// Give each secret a new id, and leave out those without a name
    #[arg(long)]
    new_ids: bool,
    /// Tried, asked, done.
    #[command(flatten)]
    asking: Asking,
}

impl Vault {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        self.asking.admit()?;
        let mut watched = Watched::open(connection)?;
        if !self.asking.yes {
            let tried = self.import(true, &mut watched)?;
            if self.asking.dry_run {
                return told(&tried, screen);
            }
            screen.note(&tried.note());
            if !self.asking.goes_on(screen, "Import them?")? {
                return Ok(ExitCode::FAILURE);
            }
        }
        let done = self.import(false, &mut watched)?;
        screen.note("The Vault still holds the values: docs/moving-in.md says how it is given up.");
        told(&done, screen)
    }

    /// Imports all of them, or none: a trial takes everything back.
    fn import(&self, is_dry_run: bool, watched: &mut Watched) -> Result<Report, Failure> {
        let bar = Bar::new(if is_dry_run { "Trying" } else { "Importing" }, None);
        watched.run(&bar, |worker, mark| self.transaction(worker, mark, is_dry_run), |_| Ok(0))
    }

    /// One transaction: the import, and what it reports.
    fn transaction(&self, worker: &mut Client, mark: &str, is_dry_run: bool) -> Result<Report, Failure> {
        let mut transaction = worker.transaction()?;
        let call = format!("{mark} SELECT hftok.import_vault($1::text::name, $2)");
        transaction.execute(&call, &[&self.schema, &!self.new_ids])?;
        let row = transaction.query_one(
            "SELECT pg_catalog.format('%I.decrypted_secrets', $1::text), pg_catalog.now()::text",
            &[&self.schema],
        )?;
        let lines = Lines { source: row.try_get(0)?, is_dry_run: false, since: row.try_get(1)? };
        let report = lines.read(&mut transaction)?.of_trial(is_dry_run);
        if is_dry_run {
            transaction.rollback()?
        } else {
            transaction.commit()?
        }
        Ok(report)
    }
}

/// Prints the report; the exit code says whether secrets were turned down.
fn told(report: &Report, screen: &Screen) -> Result<ExitCode, Failure> {
    screen.answer(report, || report.answer(screen))?;
    Ok(if report.has_rejected() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
