//! Who says what belongs into the environment: hftok itself, a runner in front of it, or nobody.

use clap::Args;
use serde::Deserialize;

use super::runner::{Runner, RunnerOptions};
use super::variables::{Answer, Group};
use crate::connection::{Argument, ConnectionOptions, Server};
use crate::failure::Failure;

/// Where credentials come from, and whose they are.
#[derive(Debug, Args)]
pub struct SourceOptions {
    /// Credentials of this provider; several are separated by commas [default: all that there are]
    #[arg(long = "provider", value_name = "NAME", value_delimiter = ',')]
    pub providers: Vec<String>,
    /// The user that the command works for
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// The organisation that pays
    #[arg(long, value_name = "ID")]
    pub org: Option<String>,
    /// The model that the command uses
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// The levels that are asked, in their order, separated by commas
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    pub levels: Vec<String>,
    /// Ask no server: the command gets what the environment has
    #[arg(long, conflicts_with_all = ["runner", "providers", "user", "org", "levels"])]
    pub no_server: bool,
    /// The runner that answers in place of a server.
    #[command(flatten)]
    pub runner: RunnerOptions,
}

/// Who answers.
pub enum Source {
    /// hftok.
    Server(Server),
    /// `hftok runner serve`.
    Runner(Runner),
    /// Nobody: what is inherited is all there is.
    Nobody,
}

/// A provider as the catalogue of a server describes it.
#[derive(Deserialize)]
struct Described {
    /// The variables of its fields.
    env: Option<Vec<String>>,
    /// Variables beside these.
    environment: Option<hftok_core::provider::Environment>,
}

impl Source {
    /// Opens the way that the options name.
    pub fn open(options: &SourceOptions, connection: &ConnectionOptions) -> Result<Self, Failure> {
        if options.no_server {
            return Ok(Self::Nobody);
        }
        match &options.runner.address {
            Some(address) if options.asks_for_somebody() => Err(Failure::Usage(format!(
                "the token of the runner at {address} says whose credentials these are: leave --provider, --user, --org and --levels out"
            ))),
            Some(address) => Ok(Self::Runner(Runner::open(address, &options.runner)?)),
            None => Ok(Self::Server(connection.open()?)),
        }
    }

    /// What belongs into the environment.
    pub fn ask(&mut self, options: &SourceOptions) -> Result<Answer, Failure> {
        match self {
            Self::Server(server) => {
                let text = server.call_text("runner_env", &options.arguments())?;
                Answer::read(&text, "runner_env")
            }
            Self::Runner(runner) => runner.ask(),
            Self::Nobody => Ok(Answer::default()),
        }
    }

    /// The variables of each provider, where the server can be asked.
    pub fn groups(&mut self) -> Result<Vec<Group>, Failure> {
        let Self::Server(server) = self else { return Ok(Vec::new()) };
        let described: Vec<Described> = server.rows("providers", &["env", "environment"], &[], &[])?;
        Ok(described.into_iter().map(Described::group).collect())
    }

    /// Whether libpq's environment led to it.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Server(Server::Database(_)))
    }
}

impl Described {
    /// Its variables.
    fn group(self) -> Group {
        let more = self.environment.unwrap_or_default();
        let holding: Vec<String> = self.env.unwrap_or_default().into_iter().chain(more.document).collect();
        let all = holding.iter().cloned().chain(more.unset).chain(more.without.into_keys()).collect();
        Group { holding, all }
    }
}

impl SourceOptions {
    /// Whether the line says whose credentials are wanted.
    fn asks_for_somebody(&self) -> bool {
        let is_said =
            [!self.providers.is_empty(), self.user.is_some(), self.org.is_some(), !self.levels.is_empty()];
        is_said.contains(&true)
    }

    /// The arguments of `runner_env()`.
    fn arguments(&self) -> [Argument<'_>; 5] {
        let some = |texts: &'_ [String]| !texts.is_empty();
        [
            Argument::texts("p_providers", some(&self.providers).then_some(&self.providers)),
            Argument::text("p_user_id", self.user.as_deref()),
            Argument::text("p_org_id", self.org.as_deref()),
            Argument::text("p_model", self.model.as_deref()),
            Argument::texts("p_levels", some(&self.levels).then_some(&self.levels)),
        ]
    }
}
