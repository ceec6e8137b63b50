//! `hftok set`: saves a credential, or a named secret.
//!
//! What must stay true: the value comes from a prompt, standard input or a file, and goes to the server and nowhere else.

use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::address::Address;
use super::fields;
use crate::connection::{Argument, ConnectionOptions, Server};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::value::ValueOptions;

/// Save a credential; the value is asked for, or read from standard input or a file
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  hftok set                                          my Hugging Face token, which is asked for
  hftok set --model meta-llama/Llama-3.1-8B          for this model only
  hftok set -p openai --org acme < key               an organisation's, from standard input
  hftok set -p google_cloud --value-file key.json    a file that the provider made
  hftok set --name smtp_password                     a named secret of the operator"
)]
pub struct Set {
    /// Where it is to be.
    #[command(flatten)]
    address: Address,
    /// Where the value comes from.
    #[command(flatten)]
    value: ValueOptions,
    /// A word of your own for it
    #[arg(long, conflicts_with = "name")]
    label: Option<String>,
    /// When it ends: a date, or a time as Postgres reads it
    #[arg(long, value_name = "TIME", conflicts_with = "name")]
    expires: Option<String>,
    /// It may be sent to this host only; may be repeated
    #[arg(long = "host", value_name = "HOST", conflicts_with = "name")]
    hosts: Vec<String>,
    /// What a request does that finds it unusable: stop, or continue with the next level
    #[arg(long, value_name = "stop|continue", value_parser = ["stop", "continue"], hide_possible_values = true, conflicts_with = "name")]
    on_unusable: Option<String>,
    /// Its place among several credentials for the same use
    #[arg(long, value_name = "NUMBER", conflicts_with = "name")]
    position: Option<i32>,
    /// What a named secret is for
    #[arg(long, requires = "name")]
    description: Option<String>,
    /// Only if this is the version now: 0 is none yet, -1 is any
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    expected_version: Option<i32>,
}

/// The answer of `save_credential`.
#[derive(Debug, Deserialize, Serialize)]
struct Saved {
    /// Its id.
    secret_id: String,
    /// Its version now.
    version: i32,
    /// Its mask.
    preview: String,
    /// Reasons to doubt it.
    warnings: Option<Vec<String>>,
}

impl Set {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let mut server = connection.open()?;
        let value = self.read(&mut server)?;
        match &self.address.name {
            Some(name) => self.put(name, &value, &mut server, screen)?,
            None => self.save(&value, &mut server, screen)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The value; somebody at a terminal is asked for it.
    fn read(&self, server: &mut Server) -> Result<Zeroizing<String>, Failure> {
        if self.address.name.is_none() && self.value.is_asked_for() {
            return fields::asked(server, &self.address.provider);
        }
        self.value.read(&format!("Value of {} (not shown): ", self.address))
    }

    /// Saves a credential.
    fn save(&self, value: &str, server: &mut Server, screen: &Screen) -> Result<(), Failure> {
        let mut arguments = self.address.arguments();
        arguments.push(Argument::text("p_secret", Some(value)));
        arguments.push(Argument::text("p_label", self.label.as_deref()));
        arguments.push(Argument::text("p_expires_at", self.expires.as_deref()));
        arguments.push(Argument::texts(
            "p_allowed_hosts",
            Some(self.hosts.as_slice()).filter(|given| !given.is_empty()),
        ));
        arguments.push(Argument::text("p_on_unusable", self.on_unusable.as_deref()));
        arguments.push(Argument::number("p_position", self.position.map(i64::from)));
        arguments.push(Argument::number("p_expected_version", self.expected_version.map(i64::from)));
        let saved: Saved = server.call("save_credential", &arguments)?;
        for warning in saved.warnings.iter().flatten() {
            screen.note(&format!("warning: {}", in_words(warning)));
        }
        screen.answer(&saved, || {
            format!("saved {}: {} (version {})", self.address, saved.preview, saved.version)
        })
    }

    /// Saves a named secret.
    fn put(&self, name: &str, value: &str, server: &mut Server, screen: &Screen) -> Result<(), Failure> {
        let arguments = [
            Argument::text("p_name", Some(name)),
            Argument::text("p_secret", Some(value)),
            Argument::text("p_description", self.description.as_deref()),
            Argument::number("p_expected_version", self.expected_version.map(i64::from)),
        ];
        let id: String = server.call("put_secret", &arguments)?;
        let answer = serde_json::json!({ "secret_id": id, "name": name });
        screen.answer(&answer, || format!("saved {}", self.address))
    }
}

/// A doubt of hftok's. The words of the catalogue are as they are.
fn in_words(warning: &str) -> String {
    match warning {
        "deprecated" => "the provider has deprecated keys of this kind".to_owned(),
        "legacy" => "the provider has newer kinds of keys than this one".to_owned(),
        other => other.replace('_', " "),
    }
}
