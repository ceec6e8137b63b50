//! Credentials of variables are saved one by one, or tried: what cannot be saved is told by its reason.
//!
//! What must stay true: what hftok has already is not replaced unless that is asked for; a trial leaves nothing behind.

use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::asking::Asking;
use super::variables::{Credential, Fate, Named, Provider, Variable, catalogue, found};
use crate::connection::{Argument, ConnectionOptions, Server};
use crate::failure::{Failure, Refusal};
use crate::people::owner::Owner;
use crate::screen::{Screen, Table};

/// What imports of variables have in common.
#[derive(Debug, Args)]
pub struct SavingOptions {
    /// Only this provider's credential; may be given several times
    #[arg(long, value_name = "PROVIDER")]
    provider: Vec<String>,
    /// A variable that the catalogue does not know; may be given several times
    #[arg(long, value_name = "NAME=PROVIDER[.FIELD]")]
    map: Vec<Named>,
    /// The model that they are for
    #[arg(long)]
    model: Option<String>,
    /// Replace what hftok has already
    #[arg(long)]
    replace: bool,
    /// Tried, asked, done.
    #[command(flatten)]
    asking: Asking,
    /// Whose they are to be.
    #[command(flatten)]
    owner: Owner,
}

/// What was imported, and what the source still holds.
#[derive(Debug, Serialize)]
struct Imported<'a> {
    /// Where they came from.
    source: &'a str,
    /// Whether of a trial.
    dry_run: bool,
    /// What became of each credential.
    credentials: &'a [Fate],
    /// Names of variables that are no credential that hftok knows.
    left: &'a [String],
}

/// What saving answers.
#[derive(Deserialize)]
struct Saved {
    /// A mask.
    preview: String,
    /// Doubts.
    warnings: Vec<String>,
}

/// What looking at a value answers.
#[derive(Deserialize)]
struct Checked {
    /// Whether it can be saved.
    ok: bool,
    /// Doubts, or why it cannot be.
    warnings: Vec<String>,
}

/// A row of view `credentials`.
#[derive(Deserialize)]
struct Held {
    /// A mask.
    preview: String,
}

impl SavingOptions {
    /// Refuses at the start what could only be refused after the trial.
    pub fn admit(&self) -> Result<(), Failure> {
        self.asking.admit()
    }

    /// Finds credentials among variables, tries them, asks, and saves them. `remains` says what still holds the values.
    pub fn import(
        &self,
        source: &str,
        variables: &[Variable],
        lists_left: bool,
        remains: impl Fn(&[&str]) -> String,
        connection: &ConnectionOptions,
        screen: &Screen,
    ) -> Result<ExitCode, Failure> {
        let mut server = connection.open()?;
        let providers: Vec<Provider> = catalogue(&mut server, &self.provider, &self.map)?;
        let credentials = found(variables, &providers, &self.map)?;
        let left: Vec<String> = if lists_left { left(variables, &credentials) } else { Vec::new() };
        let of = |dry_run, credentials| Imported { source, dry_run, credentials, left: &left };
        if credentials.is_empty() {
            screen.answer(&of(self.asking.dry_run, &[]), String::new)?;
            screen.note(&format!("{source}: no credential that the catalogue knows"));
            tell_left(&left, screen);
            return Ok(ExitCode::SUCCESS);
        }
        if !self.asking.yes {
            let tried = self.fates(&credentials, true, &mut server)?;
            if self.asking.dry_run {
                screen.answer(&of(true, &tried), || table(&tried, true).shown(*screen))?;
                tell_left(&left, screen);
                return Ok(code(&tried));
            }
            screen.note(&table(&tried, true).plain());
            if !tried.iter().any(|one| one.outcome == "imported") {
                screen.note("There is nothing to import.");
                return Ok(code(&tried));
            }
            if !self.asking.goes_on(screen, "Import them?")? {
                return Ok(ExitCode::FAILURE);
            }
        }
        let done = self.fates(&credentials, false, &mut server)?;
        screen.answer(&of(false, &done), || table(&done, false).shown(*screen))?;
        tell_left(&left, screen);
        let imported = done.iter().filter(|one| one.outcome == "imported");
        let names: Vec<&str> = imported.flat_map(|one| &one.variables).map(String::as_str).collect();
        if !names.is_empty() {
            screen.note(&remains(&names));
        }
        Ok(code(&done))
    }

    /// Saves each, or tries to.
    fn fates(
        &self,
        credentials: &[Credential],
        is_dry_run: bool,
        server: &mut Server,
    ) -> Result<Vec<Fate>, Failure> {
        let fate = |one: &Credential| {
            let mut fate = Fate {
                variables: one.variables.clone(),
                provider: one.provider.clone(),
                outcome: "imported",
                reason: None,
                preview: None,
            };
            let saved = match &one.value {
                Err(missing) => {
                    return Ok(Fate { outcome: "rejected", reason: Some(missing.clone()), ..fate });
                }
                Ok(value) if is_dry_run => self.try_out(&one.provider, value, server),
                Ok(value) => self.save(&one.provider, value, server),
            };
            match saved {
                Ok(saved) => {
                    fate.reason = Some(saved.warnings.join(", ")).filter(|text| !text.is_empty());
                    fate.preview = Some(saved.preview);
                }
                Err(Failure::Refused(refusal)) => (fate.outcome, fate.reason) = turned_down(refusal)?,
                Err(failure) => return Err(failure),
            }
            Ok(fate)
        };
        credentials.iter().map(fate).collect()
    }

    /// Saves a value.
    fn save(&self, provider: &str, value: &str, server: &mut Server) -> Result<Saved, Failure> {
        let [user, org, global] = self.owner.arguments();
        // Version 0: there must be none.
        let expected = Argument::number("p_expected_version", if self.replace { None } else { Some(0) });
        let model = Argument::text("p_model", self.model.as_deref());
        let secret = Argument::text("p_secret", Some(value));
        let provider = Argument::text("p_provider", Some(provider));
        server.call("save_credential", &[provider, secret, model, user, org, global, expected])
    }

    /// What saving would answer. Postgres saves it and takes it back; PostgREST has no transactions, and only looks at it.
    fn try_out(&self, provider: &str, value: &str, server: &mut Server) -> Result<Saved, Failure> {
        if let Server::Database(database) = server {
            database.client().batch_execute("BEGIN")?;
            let saved = self.save(provider, value, server);
            if let Server::Database(database) = server {
                database.client().batch_execute("ROLLBACK")?;
            }
            return saved;
        }
        let look = [Argument::text("p_provider", Some(provider)), Argument::text("p_secret", Some(value))];
        let Checked { ok, warnings } = server.call("check_credential", &look)?;
        if !ok {
            let message = warnings.join(", ");
            return Err(Failure::Refused(Box::new(Refusal {
                code: "22023".to_owned(),
                message,
                ..Refusal::default()
            })));
        }
        if !self.replace && self.is_held(provider, server)? {
            return Err(Failure::Refused(Box::new(Refusal {
                code: "PT409".to_owned(),
                ..Refusal::default()
            })));
        }
        Ok(Saved { preview: String::new(), warnings })
    }

    /// Whether hftok has a credential for this use.
    fn is_held(&self, provider: &str, server: &mut Server) -> Result<bool, Failure> {
        let caller: Option<String> = server.call("whoami", &[])?;
        let (scope, id) = match &self.owner {
            Owner { user: Some(user), .. } => ("user", user.as_str()),
            Owner { org: Some(org), .. } => ("org", org.as_str()),
            Owner { global: true, .. } => ("global", ""),
            _ => ("user", caller.as_deref().unwrap_or_default()),
        };
        let model = self.model.as_deref().unwrap_or_default();
        let equal =
            [("provider", provider), ("scope", scope), ("scope_id", id), ("model", model), ("slot", "")];
        let held: Vec<Held> = server.rows("credentials", &["preview"], &equal, &[])?;
        Ok(held.iter().any(|one| !one.preview.is_empty()))
    }
}

/// What is said of a credential that hftok does not take. What concerns all of them is the command's failure.
pub fn turned_down(refusal: Box<Refusal>) -> Result<(&'static str, Option<String>), Failure> {
    match refusal.code.as_str() {
        "PT409" => Ok(("skipped", Some("hftok has one already: --replace replaces it".to_owned()))),
        "22023" => Ok(("rejected", Some(refusal.message))),
        "PT413" => Ok(("rejected", Some(refusal.detail.unwrap_or(refusal.message)))),
        _ => Err(Failure::Refused(refusal)),
    }
}

/// Variables in no credential.
fn left(variables: &[Variable], credentials: &[Credential]) -> Vec<String> {
    let is_used = |name: &String| credentials.iter().any(|one| one.variables.contains(name));
    variables.iter().map(|one| &one.name).filter(|name| !is_used(name)).cloned().collect()
}

/// Names what was left.
fn tell_left(left: &[String], screen: &Screen) {
    if !left.is_empty() {
        screen.note(&format!(
            "Left where they are: {}. --map NAME=PROVIDER says whose credential a variable holds.",
            left.join(", ")
        ));
    }
}

/// For people.
fn table(fates: &[Fate], is_dry_run: bool) -> Table {
    let mut table = Table::new(&["VARIABLE", "PROVIDER", "OUTCOME", "PREVIEW", "REASON"]);
    for one in fates {
        let outcome = if is_dry_run && one.outcome == "imported" { "would be imported" } else { one.outcome };
        table.row(vec![
            one.variables.join(", "),
            one.provider.clone(),
            outcome.to_owned(),
            one.preview.clone().unwrap_or_default(),
            one.reason.clone().unwrap_or_default(),
        ]);
    }
    table
}

/// 1 where something was rejected.
fn code(fates: &[Fate]) -> ExitCode {
    if fates.iter().any(|one| one.outcome == "rejected") { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
