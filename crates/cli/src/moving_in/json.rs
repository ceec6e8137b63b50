//! `hftok import json`: many credentials in a file, in batches.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use postgres::Client;

use super::asking::Asking;
use super::batch::Batch;
use super::elements::Elements;
use super::report::{Report, rows};
use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::progress::{Bar, Interrupt};
use crate::screen::Screen;

/// Move many credentials of a JSON file in
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hftok import json credentials.json --dry-run
  jq -c '.[]' old.json | hftok import json - --yes

The file is a list of objects, or one object after the other. Members are the parameters of save_credential() without p_:
  {\"provider\": \"huggingface\", \"secret\": \"…\", \"user_id\": \"42\", \"model\": null, \"label\": \"laptop\"}

What hftok has already stays, unless --replace is given: a file that was read half is read again from its beginning.
Exit code 1: done, and rows were rejected.")]
pub struct Json {
    /// The file; - is standard input
    file: PathBuf,
    /// Replace what hftok has already
    #[arg(long)]
    replace: bool,
    /// Save so many rows at once
    #[arg(long, value_name = "ROWS", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch: u16,
    /// Tried, asked, done.
    #[command(flatten)]
    asking: Asking,
}

impl Json {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        self.asking.admit()?;
        let is_stream = self.file.as_os_str() == "-";
        if is_stream && !self.asking.dry_run && !self.asking.yes {
            return Err(Failure::Usage(
                "standard input can be read once: --dry-run tries it, --yes imports it".to_owned(),
            ));
        }
        let name = if is_stream { "standard input".to_owned() } else { self.file.display().to_string() };
        let mut database = connection.postgres()?;
        let client = database.client();
        let mut expected = None;
        if !self.asking.yes {
            let tried = self.pass(&name, true, None, client)?;
            if self.asking.dry_run {
                return told(&tried, screen);
            }
            screen.note(&tried.note());
            if tried.rows("imported") == 0 {
                screen.note("There is nothing to import.");
                return Ok(code(&tried));
            }
            if !self.asking.goes_on(screen, &format!("Import {}?", rows(tried.rows("imported"))))? {
                return Ok(ExitCode::FAILURE);
            }
            expected = Some(tried.all().unsigned_abs());
        }
        let done = self.pass(&name, false, expected, client)?;
        if done.rows("imported") > 0 && !is_stream {
            screen.note(&format!(
                "{name} still holds all of them in the clear. Delete it and its copies; what cannot be deleted (backups, mail, a \
                 repository's history) stays a leak until the keys are revoked by their providers."
            ));
        }
        told(&done, screen)
    }

    /// Goes through the file once.
    fn pass(
        &self,
        name: &str,
        is_dry_run: bool,
        expected: Option<u64>,
        client: &mut Client,
    ) -> Result<Report, Failure> {
        let stream: Box<dyn Read> = if self.file.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(&self.file).map_err(Failure::io(name))?)
        };
        let interrupt = Interrupt::watch()?;
        let bar = Bar::new(if is_dry_run { "Trying" } else { "Importing" }, expected);
        let mut report = Report::of_file(name, is_dry_run);
        let mut elements = Elements::new(stream, name);
        let mut batch = Batch::default();
        loop {
            let is_over = match elements.next()? {
                Some((number, text)) => {
                    batch.add(name, number, text, self.replace, &mut report)?;
                    false
                }
                None => true,
            };
            if batch.is_full(self.batch.into()) || (is_over && !batch.is_empty()) {
                batch.save(client, &mut report)?;
                bar.done(report.all().unsigned_abs());
            }
            if is_over {
                return Ok(report);
            }
            if interrupt.is_wanted() {
                return Err(Failure::Stopped(format!(
                    "{} of {name} looked at; what was imported stays, and the same command goes on",
                    rows(report.all())
                )));
            }
        }
    }
}

/// Prints the report.
fn told(report: &Report, screen: &Screen) -> Result<ExitCode, Failure> {
    screen.answer(report, || report.answer(screen))?;
    Ok(code(report))
}

/// 1 where rows were rejected.
fn code(report: &Report) -> ExitCode {
    if report.has_rejected() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
