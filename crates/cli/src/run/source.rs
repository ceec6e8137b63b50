//! Who says what belongs into the environment: hftok itself, a runner in front of it, or nobody.

use clap::Args;
use serde::Deserialize;

use super::runner::{Runner, RunnerOptions};
use super::variables::{Answer, Group, Variables};
use crate::connection::{Argument, ConnectionOptions, Server};
use crate::failure::Failure;

/// Where credentials come from, and whose they are.
#[derive(Debug, Clone, Args)]
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
    #[arg(long)]
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

/// A level of a walk.
#[derive(Deserialize)]
struct Step {
    /// Its name.
    level: String,
    /// What came of it.
    outcome: String,
    /// The credential, masked.
    preview: Option<String>,
}

impl Source {
    /// Opens the way that the options name.
    pub fn open(options: &SourceOptions, connection: &ConnectionOptions) -> Result<Self, Failure> {
        let runner = options.runner();
        if (options.no_server || runner.is_some()) && options.asks_for_somebody() {
            return Err(Failure::Usage(
                "--user, --org and --levels are for hftok itself: a runner's token says whose credentials it gives, and without a server there are none".to_owned(),
            ));
        }
        match (runner, options.no_server) {
            (Some(_), true) => Err(Failure::Usage(
                "there is a runner to ask (--runner, HFTOK_RUNNER_URL): leave --no-server out".to_owned(),
            )),
            (None, true) => Ok(Self::Nobody),
            (Some(address), false) => Ok(Self::Runner(Runner::open(address, &options.runner)?)),
            (None, false) => Ok(Self::Server(connection.open()?)),
        }
    }

    /// What belongs into the environment.
    pub fn ask(&mut self, options: &SourceOptions) -> Result<Answer, Failure> {
        match self {
            Self::Server(server) => {
                let text = server.call_text("runner_env", &options.arguments())?;
                Answer::read(&text, "runner_env")
            }
            Self::Runner(runner) => runner.ask()?.only(&options.providers),
            Self::Nobody => Ok(Answer::default()),
        }
    }

    /// The variables of each provider, where the server can be asked.
    pub fn groups(&mut self) -> Result<Vec<Group>, Failure> {
        let Self::Server(server) = self else { return Ok(Vec::new()) };
        let described: Vec<Described> = server.rows("providers", &["env", "environment"], &[], &[])?;
        Ok(described.into_iter().map(Described::group).collect())
    }

    /// The credential in a variable, in words: whose it is, and at which level.
    pub fn origin(
        &mut self,
        provider: &str,
        name: &str,
        variables: &Variables,
        options: &SourceOptions,
    ) -> String {
        if !variables.set().any(|(set, _)| set == name) {
            return format!("the one that the environment has in {name}");
        }
        match self {
            Self::Runner(runner) => {
                format!("the one in {name} that the runner at {} gives", runner.address())
            }
            Self::Server(server) => {
                let [_, user, org, model, levels] = options.arguments();
                let arguments = [Argument::text("p_provider", Some(provider)), user, org, model, levels];
                let walk: Vec<Step> = server.call("explain_token", &arguments).unwrap_or_default();
                let used = walk.into_iter().find(|step| step.outcome == "used");
                let level = used
                    .map(|step| format!(" of level {} ({})", step.level, step.preview.unwrap_or_default()));
                format!("hftok's credential{} in {name}", level.unwrap_or_default())
            }
            Self::Nobody => format!("the one in {name}"),
        }
    }

    /// What to do about a credential that is not taken.
    pub fn remedy(&self, provider: &str, page: &str, options: &SourceOptions) -> String {
        match self {
            Self::Server(_) => {
                let owner = match (&options.user, &options.org) {
                    (Some(user), _) => format!(" --user {user}"),
                    (None, Some(org)) => format!(" --org {org}"),
                    (None, None) => " --global".to_owned(),
                };
                format!("Save one that is taken ({page}): hftok set --provider {provider}{owner}")
            }
            Self::Runner(_) => {
                format!("Have one saved in hftok that is taken ({page}); the runner gives it from then on.")
            }
            Self::Nobody => format!("Set one that is taken ({page}), or none for what is public."),
        }
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
    /// The address of the runner, if one is to be asked.
    pub fn runner(&self) -> Option<&str> {
        self.runner.address.as_deref().filter(|address| !address.is_empty())
    }

    /// Whether the line says whose credentials are wanted.
    fn asks_for_somebody(&self) -> bool {
        self.user.is_some() || self.org.is_some() || !self.levels.is_empty()
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
