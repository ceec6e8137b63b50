//! The client of `hftok runner serve`: for workers that have a runner token and no way to the database.
//!
//! What must stay true: the token goes to the address that was named and to no other, and over a network only by TLS unless
//! somebody said that the network is private.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use ureq::Agent;
use ureq::http::Uri;
use zeroize::Zeroizing;

use super::variables::Answer;
use super::watch::PAUSES;
use crate::connection::web;
use crate::failure::{Failure, Refusal};

/// A runner that answers at all does so by then.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than any environment has.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A runner, and what it knows us by.
#[derive(Debug, Clone, Args)]
pub struct RunnerOptions {
    /// Ask this `hftok runner serve` in place of a server; the token is in HFTOK_RUNNER_TOKEN or a file
    #[arg(long = "runner", value_name = "URL", env = "HFTOK_RUNNER_URL", id = "runner")]
    pub address: Option<String>,
    /// A file with the runner token
    #[arg(long = "runner-token-file", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Talk to the runner without TLS over a network that only we are on
    #[arg(long)]
    pub insecure_private_network: bool,
}

/// A runner, with our token.
pub struct Runner {
    /// Sends requests.
    agent: Agent,
    /// Where it is, without a slash at the end.
    address: String,
    /// `Bearer `, and the token.
    authorization: Zeroizing<String>,
}

/// A stream of what changes.
type Events = BufReader<ureq::BodyReader<'static>>;

/// What it answers.
#[derive(Deserialize)]
struct Told {
    /// The variables.
    environment: Option<Answer>,
    /// Why there are none.
    error: Option<String>,
}

impl Runner {
    /// Reads the token. Asks nothing yet.
    pub fn open(address: &str, options: &RunnerOptions) -> Result<Self, Failure> {
        if !is_safe(address) && !options.insecure_private_network {
            return Err(Failure::Usage(format!(
                "{address} is neither https nor on this machine: the token would cross the network as it is (--insecure-private-network allows it)"
            )));
        }
        let token = match &options.token_file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(Failure::io(path.display().to_string()))?;
                Zeroizing::new(text)
            }
            None => Zeroizing::new(std::env::var("HFTOK_RUNNER_TOKEN").unwrap_or_default()),
        };
        if token.trim().is_empty() {
            return Err(Failure::Usage(
                "a runner answers those only who have a token of it: HFTOK_RUNNER_TOKEN or --runner-token-file".to_owned(),
            ));
        }
        Ok(Self {
            agent: web::agent(address)?,
            address: address.trim_end_matches('/').to_owned(),
            authorization: Zeroizing::new(format!("Bearer {}", token.trim())),
        })
    }

    /// What belongs into the environment.
    pub fn ask(&self) -> Result<Answer, Failure> {
        let mut answer = self.get("environment")?;
        let text = answer.body_mut().with_config().limit(LARGEST).read_to_string();
        let text = Zeroizing::new(text.map_err(|error| self.unreachable(&error.to_string()))?);
        let told: Told = serde_json::from_str(&text).map_err(|_| {
            self.unreachable(&format!("HTTP status {}, and no answer of a runner", answer.status().as_u16()))
        })?;
        match told.environment {
            Some(environment) if answer.status().is_success() => Ok(environment),
            _ => Err(Failure::Refused(Box::new(Refusal {
                message: told.error.unwrap_or_else(|| format!("HTTP status {}", answer.status().as_u16())),
                hint: Some(format!(
                    "The runner is {}; `hftok runner token list` shows the tokens.",
                    self.address
                )),
                ..Refusal::default()
            }))),
        }
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Hears of changes from now on.
    pub fn events(&self) -> Result<Events, Failure> {
        // The answer to a token that is no longer one has no events in it.
        self.get("events").map(|answer| BufReader::new(answer.into_body().into_reader()))
    }

    /// Calls `changed` whenever the answer may have changed, for as long as we run. `events` is what is heard of at first.
    pub fn follow(&self, events: Events, mut changed: impl FnMut()) {
        let mut pause = PAUSES.0;
        let mut heard = Ok(events);
        loop {
            for line in heard.into_iter().flat_map(Events::lines).map_while(Result::ok) {
                pause = PAUSES.0;
                if line.strip_prefix("event:").is_some_and(|event| event.trim() == "changed") {
                    changed();
                }
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
            heard = self.events();
            // What happened meanwhile was told to nobody. From here on it is.
            changed();
        }
    }

    /// Sends a request.
    fn get(&self, path: &str) -> Result<ureq::http::Response<ureq::Body>, Failure> {
        let request = self.agent.get(format!("{}/v1/{path}", self.address));
        let request = request.header("Authorization", self.authorization.as_str());
        let request = request.config().timeout_recv_response(Some(PATIENCE)).build();
        request.call().map_err(|error| self.unreachable(&error.to_string()))
    }

    /// There is no way to it.
    fn unreachable(&self, reason: &str) -> Failure {
        Failure::Unreachable { target: self.address.clone(), reason: reason.to_owned() }
    }
}

/// Whether nobody else can read what goes to this address.
pub fn is_safe(address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => {
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_safe;

    #[test]
    fn a_token_crosses_no_network_as_it_is() {
        for safe in
            ["https://runners.internal", "http://127.0.0.1:8791", "http://[::1]:1", "http://localhost:1/x"]
        {
            assert!(is_safe(safe), "{safe}");
        }
        for unsafe_one in
            ["http://10.0.0.1", "http://localhost.evil.example", "ftp://127.0.0.1", "127.0.0.1:1", ""]
        {
            assert!(!is_safe(unsafe_one), "{unsafe_one}");
        }
    }
}
