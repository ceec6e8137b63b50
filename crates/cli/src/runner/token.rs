//! `hftok runner token`: tokens are made, listed and revoked. One is shown when it is made, and never again.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::connection::{Argument, ConnectionOptions};
use crate::failure::{Failure, Refusal};
use crate::screen::{Screen, Table};

/// What `--help` shows below the options.
const EXAMPLES: &str = "\
Examples:
  hftok runner token create gpu-7 --provider huggingface --user alice
  hftok runner token create batch --org acme --levels org,global --expires 2027-01-01
  hftok runner token list
  hftok runner token revoke 6f9619ff-8b86-4011-b42d-00c04fc964ff

A token stands for a request: whose credentials it gives is decided here, not by who has it. The database role needs hftok_service or hftok_admin.";

/// Make, list and revoke the tokens of workers
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Token {
    /// What is to be done.
    #[command(subcommand)]
    command: Command,
}

/// Each command describes itself.
#[derive(Debug, Subcommand)]
#[allow(
    clippy::missing_docs_in_private_items,
    reason = "clap would show them in place of the command's own words"
)]
enum Command {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a token, which is shown this once
#[derive(Debug, Args)]
struct Create {
    /// What the token is for: a worker's name
    label: String,
    /// It gives credentials of this provider; several are separated by commas [default: all that there are]
    #[arg(long = "provider", value_name = "NAME", value_delimiter = ',')]
    providers: Vec<String>,
    /// The user that the worker works for
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// The organisation that pays
    #[arg(long, value_name = "ID")]
    org: Option<String>,
    /// The model that the worker serves
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The levels that are asked, separated by commas [default: all]
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    levels: Vec<String>,
    /// The time at which it ends, as Postgres reads it: 2027-01-01, '2027-01-01 12:00 UTC'
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

/// List tokens: what each gives, never a token
#[derive(Debug, Args)]
struct List {
    /// Those that were revoked, too
    #[arg(long)]
    all: bool,
}

/// End a token at once and for ever
#[derive(Debug, Args)]
struct Revoke {
    /// Its id, as list shows it
    id: String,
}

/// What making one answers.
#[derive(Deserialize, Serialize)]
struct Made {
    /// The name by which it is revoked.
    id: String,
    /// The token.
    token: Zeroizing<String>,
}

/// A row of view `runner_tokens`.
#[derive(Deserialize, Serialize)]
struct Listed {
    /// The name by which it is revoked.
    id: String,
    /// What it is for.
    label: String,
    /// The providers whose credentials it gives; none for all.
    providers: Option<Vec<String>>,
    /// The user whose.
    user_id: Option<String>,
    /// The organisation whose.
    org_id: Option<String>,
    /// The model that goes before.
    model: Option<String>,
    /// The levels that are asked; none for all.
    levels: Option<Vec<String>>,
    /// When it was made.
    created_at: String,
    /// When it ends.
    expires_at: Option<String>,
    /// When it was revoked.
    revoked_at: Option<String>,
}

/// The columns of [`Listed`].
const COLUMNS: &[&str] = &[
    "id",
    "label",
    "providers",
    "user_id",
    "org_id",
    "model",
    "levels",
    "created_at",
    "expires_at",
    "revoked_at",
];

impl Token {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        match self.command {
            Command::Create(create) => create.run(connection, screen),
            Command::List(list) => list.run(connection, screen),
            Command::Revoke(revoke) => revoke.run(connection, screen),
        }
    }
}

impl Create {
    /// Makes one.
    fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let some = |texts: &'_ [String]| !texts.is_empty();
        let arguments = [
            Argument::text("p_label", Some(&self.label)),
            Argument::texts("p_providers", some(&self.providers).then_some(&self.providers)),
            Argument::text("p_user_id", self.user.as_deref()),
            Argument::text("p_org_id", self.org.as_deref()),
            Argument::text("p_model", self.model.as_deref()),
            Argument::texts("p_levels", some(&self.levels).then_some(&self.levels)),
            Argument::text("p_expires_at", self.expires.as_deref()),
        ];
        let text = connection.open()?.call_text("create_runner_token", &arguments)?;
        let made: Made =
            serde_json::from_str(&text).map_err(|_| Failure::Answer { function: "create_runner_token" })?;
        screen.answer(&made, || made.token.as_str().to_owned())?;
        if !screen.is_json() {
            screen.note(&format!(
                "This token is shown once; the worker has it in HFTOK_RUNNER_TOKEN or a file of mode 0600.\n\
                 Revoke it by: hftok runner token revoke {}",
                made.id
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    /// Shows them.
    fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let mut found: Vec<Listed> =
            connection.open()?.rows("runner_tokens", COLUMNS, &[], &["created_at", "id"])?;
        if !self.all {
            found.retain(|one| one.revoked_at.is_none());
        }
        screen.rows(&found, "no runner tokens", || table(&found, self.all))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Tokens for people.
fn table(found: &[Listed], all: bool) -> Table {
    let mut table = Table::new(if all {
        &["ID", "LABEL", "PROVIDERS", "FOR", "MODEL", "LEVELS", "EXPIRES", "REVOKED"]
    } else {
        &["ID", "LABEL", "PROVIDERS", "FOR", "MODEL", "LEVELS", "EXPIRES"]
    });
    let list = |texts: &Option<Vec<String>>| texts.as_ref().map_or("all".to_owned(), |texts| texts.join(","));
    for one in found {
        let whose = [("user", &one.user_id), ("org", &one.org_id)];
        let whose: Vec<String> =
            whose.iter().filter_map(|(kind, id)| Some(format!("{kind} {}", id.as_ref()?))).collect();
        let mut cells = vec![
            one.id.clone(),
            one.label.clone(),
            list(&one.providers),
            whose.join(", "),
            one.model.clone().unwrap_or_default(),
            list(&one.levels),
            one.expires_at.clone().unwrap_or_default(),
        ];
        if all {
            cells.push(one.revoked_at.clone().unwrap_or_default());
        }
        table.row(cells);
    }
    table
}

impl Revoke {
    /// Ends it.
    fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let arguments = [Argument::text("p_id", Some(&self.id))];
        let revoked: bool = connection.open()?.call("revoke_runner_token", &arguments)?;
        if !revoked {
            return Err(Failure::Refused(Box::new(Refusal {
                code: "PT404".to_owned(),
                message: format!("there is no runner token {} that is not revoked", self.id),
                hint: Some("hftok runner token list --all shows all of them.".to_owned()),
                ..Refusal::default()
            })));
        }
        screen.answer(&serde_json::json!({ "revoked": self.id }), || format!("revoked {}", self.id))?;
        Ok(ExitCode::SUCCESS)
    }
}
