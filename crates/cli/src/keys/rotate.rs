//! `hftok rotate`: new keys for old ones. The server does the work, and goes on with it when this command ends.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::connection::{Argument, ConnectionOptions, Database, Given};
use crate::failure::{Failure, Refusal};
use crate::progress::Bar;
use crate::screen::{Screen, Table};

/// Rotate root keys and data keys
#[derive(Debug, Args)]
pub struct Rotate {
    /// What is to be done.
    #[command(subcommand)]
    work: Work,
}

/// Each describes itself.
#[derive(Debug, Subcommand)]
#[allow(
    clippy::missing_docs_in_private_items,
    reason = "clap would show them in place of the command's own words"
)]
enum Work {
    Root(Root),
    Data(Data),
    Progress(Progress),
}

/// Wrap every data key of the database by the primary root key: milliseconds, no value is touched
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hftok keyring add /etc/hftok/keyring && hftok rotate root --database dbname=app"
)]
struct Root {}

/// Draw new data keys, and wait until every value is sealed anew and the former key is destroyed
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hftok rotate data\n  hftok rotate data --org acme --detach\n\nThe server goes on when this command ends, by ^C too: hftok rotate progress --wait shows it again."
)]
struct Data {
    /// Those of this organisation, which has keys of its own
    #[arg(long, value_name = "ID")]
    org: Option<String>,
    /// Do not wait
    #[arg(long)]
    detach: bool,
    /// How long it is waited for
    #[command(flatten)]
    patience: Patience,
}

/// Show rotations, the newest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hftok rotate progress\n  hftok rotate progress --wait")]
struct Progress {
    /// Wait until the newest one has ended
    #[arg(long)]
    wait: bool,
    /// How long it is waited for
    #[command(flatten)]
    patience: Patience,
}

/// How long a rotation is waited for.
#[derive(Debug, Args)]
struct Patience {
    /// Wait for so many seconds at most
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

/// A row of view `rotation_progress`.
#[derive(Debug, Deserialize, Serialize)]
struct Rotation {
    /// The key that is replaced.
    key_id: i32,
    /// Whose it is; none for the installation.
    org_id: Option<String>,
    /// Rows that had it; none until the server has counted them.
    total: Option<i64>,
    /// Rows that are sealed anew.
    done: i64,
    /// Rows that do not open.
    failed: i64,
    /// Rows a second.
    rate: Option<f64>,
    /// When it was replaced.
    started_at: String,
    /// When nothing was left to be done.
    finished_at: Option<String>,
    /// When that will be.
    eta: Option<String>,
    /// How far it is, in a word.
    state: String,
    /// What keeps it.
    waits_for: Option<String>,
}

/// As the view has them.
const COLUMNS: &[&str] = &[
    "key_id",
    "org_id",
    "total",
    "done",
    "failed",
    "rate",
    "started_at",
    "finished_at",
    "eta",
    "state",
    "waits_for",
];

impl Rotate {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let mut database = connection.postgres()?;
        match self.work {
            Work::Root(Root {}) => root(&mut database, screen),
            Work::Data(data) => data.run(&mut database, screen),
            Work::Progress(progress) => progress.run(&mut database, screen),
        }
    }
}

/// Wraps every data key anew.
fn root(database: &mut Database, screen: &Screen) -> Result<ExitCode, Failure> {
    let wrapped: i64 = answer(database, "rotate_root_key", &[])?;
    screen.answer(&serde_json::json!({ "wrapped": wrapped }), || {
        format!(
            "data keys that the primary root key wraps now and another one did before: {wrapped}\n\
             In each other database of the server too. Then hftok keyring list says which root keys wrap none."
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

impl Data {
    /// Carries it out.
    fn run(self, database: &mut Database, screen: &Screen) -> Result<ExitCode, Failure> {
        let given = self.org.as_deref().map_or(Given::Nothing, Given::Text);
        let _new: i32 = answer(database, "rotate_data_key", &[Argument { name: "p_org_id", given }])?;
        let begun = rotations(database)?.into_iter().find(|one| one.org_id == self.org);
        let begun = begun.ok_or(Failure::Answer { function: "rotation_progress" })?;
        if self.detach {
            screen.answer(&begun, || {
                format!(
                    "data key {} is replaced; its rows are being sealed anew: hftok rotate progress --wait",
                    begun.key_id
                )
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        ended(database, begun.key_id, &self.patience, screen)
    }
}

impl Progress {
    /// Carries it out.
    fn run(self, database: &mut Database, screen: &Screen) -> Result<ExitCode, Failure> {
        let found = rotations(database)?;
        if self.wait
            && let Some(newest) = found.first()
        {
            return ended(database, newest.key_id, &self.patience, screen);
        }
        screen.rows(&found, "no data key was rotated", || table(&found))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Waits until a rotation has ended, and shows how far it is.
fn ended(
    database: &mut Database,
    key: i32,
    patience: &Patience,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    let bar = Bar::new("sealed anew", None);
    let mut told = None;
    loop {
        let found = rotations(database)?.into_iter().find(|one| one.key_id == key);
        let now = found.ok_or(Failure::Answer { function: "rotation_progress" })?;
        bar.expect(now.total.and_then(|total| u64::try_from(total).ok()));
        bar.done(u64::try_from(now.done).unwrap_or_default());
        match now.state.as_str() {
            "finished" | "kept" => {
                drop(bar);
                screen.answer(&now, || now.text())?;
                return Ok(ExitCode::from(u8::from(now.failed > 0)));
            }
            "sealed" => {
                return Err(Failure::Refused(Box::new(Refusal {
                    code: "53HF1".to_owned(),
                    message: format!("hftok is sealed, and the rotation of data key {key} waits"),
                    hint: Some("It goes on by itself after SELECT hftok.unseal().".to_owned()),
                    detail: None,
                })));
            }
            _ => {}
        }
        if now.waits_for != told {
            now.waits_for.iter().for_each(|what| bar.aside(|| screen.note(&format!("waits for: {what}"))));
            told = now.waits_for;
        }
        if patience.timeout.is_some_and(|limit| began.elapsed() >= Duration::from_secs(limit)) {
            return Err(Failure::Unfit {
                object: format!("the rotation of data key {key}"),
                fault: told.map_or("it has not ended".to_owned(), |what| format!("it waits for {what}")),
                remedy: "It goes on in the server: hftok rotate progress --wait".to_owned(),
            });
        }
        sleep(Duration::from_millis(250));
    }
}

/// All rotations, the newest first.
fn rotations(database: &mut Database) -> Result<Vec<Rotation>, Failure> {
    let text = database.rows("rotation_progress", COLUMNS, &[], &["started_at DESC", "key_id"])?;
    serde_json::from_str(&text).map_err(|_| Failure::Answer { function: "rotation_progress" })
}

/// What a function answers that reveals nothing.
fn answer<T: serde::de::DeserializeOwned>(
    database: &mut Database,
    function: &'static str,
    arguments: &[Argument<'_>],
) -> Result<T, Failure> {
    let text = database.call(function, arguments)?;
    serde_json::from_str(&text).map_err(|_| Failure::Answer { function })
}

impl Rotation {
    /// For people, when it has ended.
    fn text(&self) -> String {
        let end = match self.state.as_str() {
            "finished" => "is destroyed".to_owned(),
            _ => format!("stays: {}", self.waits_for.as_deref().unwrap_or("values do not open")),
        };
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(", and {failed} do not open: hftok.verify() names them"),
        };
        format!("data key {} {end}; {} rows are sealed anew{failed}", self.key_id, self.done)
    }
}

/// For people.
fn table(found: &[Rotation]) -> Table {
    let mut table =
        Table::new(&["DATA KEY", "ORG", "DONE", "TOTAL", "FAILED", "STATE", "STARTED", "WAITS FOR"]);
    for one in found {
        table.row(vec![
            one.key_id.to_string(),
            one.org_id.clone().unwrap_or_default(),
            one.done.to_string(),
            one.total.map(|total| total.to_string()).unwrap_or_default(),
            one.failed.to_string(),
            one.state.clone(),
            one.started_at.clone(),
            one.waits_for.clone().unwrap_or_default(),
        ]);
    }
    table
}
