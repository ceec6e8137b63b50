//! `hftok runner push`: a control plane that wants to be told gets the environment of a worker, again with each change.
//!
//! What must stay true: one request at a time, and each is made of what hftok says just before it, so that an older environment
//! never comes after a newer one; no redirect is followed, and no value goes without TLS to another machine.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use hftok_core::runner_token;
use ureq::http::StatusCode;
use zeroize::Zeroizing;

use super::listening::Listening;
use crate::connection::{Argument, ConnectionOptions, web};
use crate::failure::{Failure, Refusal};
use crate::progress::Interrupt;
use crate::screen::Screen;

/// What `--help` shows below the options.
const EXAMPLES: &str = "\
Examples:
  HFTOK_RUNNER_TOKEN=hftok_runner_… HFTOK_PUSH_TOKEN=… hftok runner push https://control.example/workers/7/environment
  hftok runner push --once --runner-token-file worker.token https://control.example/workers/7/environment

The body is {\"environment\": {\"HF_TOKEN\": \"…\", \"OTHER\": null}}: null is a variable to unset. The role needs hftok_service.";

/// How often it looks whether somebody wants it to stop.
const EVERY: Duration = Duration::from_secs(1);
/// The first pause after a push that failed; each further one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// A control plane that answers at all does so within this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Push a worker's environment to a control plane, again with each change
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Push {
    /// Where it is posted to: https, or this machine. The control plane knows us by HFTOK_PUSH_TOKEN
    #[arg(value_name = "URL")]
    address: String,
    /// A file with the runner token, in place of HFTOK_RUNNER_TOKEN
    #[arg(long, value_name = "FILE")]
    runner_token_file: Option<std::path::PathBuf>,
    /// Push once, and end
    #[arg(long)]
    once: bool,
}

/// The way to the control plane.
struct ControlPlane<'a> {
    /// Sends requests.
    agent: ureq::Agent,
    /// Where it is.
    address: &'a str,
    /// `Bearer `, and the token, if it wants one.
    authorization: Option<Zeroizing<String>>,
}

/// When the next push is due, and why the last one failed.
struct Retry {
    /// Not before.
    at: Instant,
    /// The pause after the next failure.
    pause: Duration,
    /// As it was told.
    reason: String,
    /// Whether it was the control plane that failed, and not hftok.
    is_of_plane: bool,
}

impl Push {
    /// Pushes until it is stopped, or the token ends.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let token = self.token()?;
        let plane = ControlPlane::of(&self.address)?;
        let mut listening = Listening::open(connection)?;
        let id = vec![checked(&mut listening, &token)?];
        let interrupt = Interrupt::watch()?;
        let (mut pushed, mut retry): (Option<String>, Option<Retry>) = (None, None);
        let mut is_time = true;
        while !interrupt.is_wanted() {
            if is_time || retry.as_ref().is_some_and(|retry| retry.at <= Instant::now()) {
                match self.look(&mut listening, &id, &token, &plane, &mut pushed) {
                    Ok(is_new) => {
                        retry = None;
                        if is_new || self.once {
                            screen.note(&format!("hftok: pushed to {}", self.address));
                        }
                        if self.once {
                            return Ok(ExitCode::SUCCESS);
                        }
                    }
                    Err(failure) if self.once || is_over(&failure) => return Err(failure),
                    Err(failure) => {
                        let target = match &failure {
                            Failure::Unreachable { target, .. } => Some(target),
                            _ => None,
                        };
                        let is_of_plane = target == Some(&self.address);
                        let is_lost = target.is_some() && !is_of_plane;
                        retry = Some(Retry::after(retry, &failure, is_of_plane, *screen));
                        if is_lost {
                            listening = again(connection, &interrupt)?;
                        }
                    }
                }
            }
            is_time = match listening.wait(EVERY) {
                // While the control plane is away, the pause decides.
                Ok(is_time) => is_time && !retry.as_ref().is_some_and(|retry| retry.is_of_plane),
                Err(failure) => {
                    screen.failure(&failure);
                    listening = again(connection, &interrupt)?;
                    true
                }
            };
            if !is_time && !listening.ended(&id).unwrap_or_default().is_empty() {
                return Err(over());
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The runner token.
    fn token(&self) -> Result<Zeroizing<String>, Failure> {
        let text = match &self.runner_token_file {
            Some(path) => Zeroizing::new(
                std::fs::read_to_string(path).map_err(Failure::io(path.display().to_string()))?,
            ),
            None => Zeroizing::new(std::env::var("HFTOK_RUNNER_TOKEN").unwrap_or_default()),
        };
        if runner_token::hash_of(text.trim()).is_none() {
            return Err(Failure::Usage(
                "HFTOK_RUNNER_TOKEN or --runner-token-file has a runner token: `hftok runner token create` makes one".to_owned(),
            ));
        }
        Ok(Zeroizing::new(text.trim().to_owned()))
    }

    /// Looks, and pushes what is new. The state is asked for first: what is pushed is that or newer.
    fn look(
        &self,
        listening: &mut Listening,
        id: &[String],
        token: &str,
        plane: &ControlPlane<'_>,
        pushed: &mut Option<String>,
    ) -> Result<bool, Failure> {
        let state = listening.look(id)?.into_values().next().ok_or_else(over)?;
        if pushed.as_ref() == Some(&state) {
            return Ok(false);
        }
        let arguments = [Argument::text("p_runner_token", Some(token))];
        let environment = listening.database().call("runner_environment", &arguments)?;
        plane.post(&environment)?;
        *pushed = Some(state);
        Ok(true)
    }
}

/// Whether there is nothing more to be pushed: the token is over, or was never one.
fn is_over(failure: &Failure) -> bool {
    failure.sqlstate() == Some("PT404")
}

/// The token ended.
fn over() -> Failure {
    Failure::Refused(Box::new(Refusal {
        code: "PT404".to_owned(),
        message: "this is no runner token, or it was revoked, or its time is over".to_owned(),
        hint: Some("Make another one: hftok runner token create".to_owned()),
        ..Refusal::default()
    }))
}

/// The id of the token.
fn checked(listening: &mut Listening, token: &str) -> Result<String, Failure> {
    let asked =
        listening.database().call("check_runner_token", &[Argument::text("p_runner_token", Some(token))]);
    match asked {
        Err(failure) if is_over(&failure) => Err(over()),
        asked => {
            serde_json::from_str(&asked?).map_err(|_| Failure::Answer { function: "check_runner_token" })
        }
    }
}

/// Connects again, as soon as Postgres answers.
fn again(connection: &ConnectionOptions, interrupt: &Interrupt) -> Result<Listening, Failure> {
    loop {
        std::thread::sleep(PAUSE);
        match Listening::open(connection) {
            Err(Failure::Unreachable { .. }) if !interrupt.is_wanted() => {}
            opened => return opened,
        }
    }
}

impl Retry {
    /// After a failure. It is told once, until it is another one.
    fn after(before: Option<Self>, failure: &Failure, is_of_plane: bool, screen: Screen) -> Self {
        let reason = failure.to_string();
        if before.as_ref().is_none_or(|before| before.reason != reason) {
            screen.failure(failure);
        }
        let pause = before.map_or(PAUSE, |before| before.pause);
        Self { at: Instant::now() + pause, pause: (pause * 2).min(PAUSE_MAX), reason, is_of_plane }
    }
}

impl<'a> ControlPlane<'a> {
    /// The control plane at an address.
    fn of(address: &'a str) -> Result<Self, Failure> {
        let agent = web::agent(address)?;
        let uri: ureq::http::Uri =
            address.parse().map_err(|_| Failure::Usage("the address is no URL".to_owned()))?;
        if uri.scheme_str() != Some("https") && !uri.host().is_some_and(web::is_this_machine) {
            return Err(Failure::Usage(format!(
                "{address} is neither https nor on this machine: credentials would cross the network as they are"
            )));
        }
        let token = Zeroizing::new(std::env::var("HFTOK_PUSH_TOKEN").unwrap_or_default());
        let authorization =
            (!token.trim().is_empty()).then(|| Zeroizing::new(format!("Bearer {}", token.trim())));
        Ok(Self { agent, address, authorization })
    }

    /// Posts an environment.
    fn post(&self, environment: &str) -> Result<(), Failure> {
        let body = Zeroizing::new(format!("{{\"environment\":{environment}}}"));
        let mut request = self.agent.post(self.address).header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization.as_str());
        }
        let request = request.config().timeout_global(Some(PATIENCE)).build();
        let unreachable = |reason: String| Failure::Unreachable { target: self.address.to_owned(), reason };
        let answer = request.send(body.as_bytes()).map_err(|error| unreachable(error.to_string()))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status if status.is_redirection() => {
                Err(unreachable(format!("HTTP status {}: no redirect is followed", status.as_u16())))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(unreachable(format!(
                "HTTP status {}: it does not take HFTOK_PUSH_TOKEN",
                answer.status().as_u16()
            ))),
            status => Err(unreachable(format!("HTTP status {}", status.as_u16()))),
        }
    }
}
