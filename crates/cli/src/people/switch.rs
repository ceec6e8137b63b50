//! `hftok enable` and `hftok disable`: a credential that is disabled stays, and is not used.

use std::process::ExitCode;

use clap::Args;

use super::address::{Address, Found};
use crate::connection::{Argument, ConnectionOptions, Given};
use crate::failure::{Failure, Refusal};
use crate::screen::Screen;

/// Allow a credential to be used again
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hftok enable\n  hftok enable -p openai --org acme")]
pub struct Enable {
    /// Which one.
    #[command(flatten)]
    address: Address,
}

/// Keep a credential from being used; its value stays
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hftok disable\n  hftok disable -p openai --org acme")]
pub struct Disable {
    /// Which one.
    #[command(flatten)]
    address: Address,
}

impl Enable {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        switched(&self.address, true, connection, screen)
    }
}

impl Disable {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        switched(&self.address, false, connection, screen)
    }
}

/// Sets whether a credential may be used.
fn switched(
    address: &Address,
    enabled: bool,
    connection: &ConnectionOptions,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    if address.name.is_some() {
        return Err(Failure::Usage(
            "a named secret is always enabled: hftok delete takes it away".to_owned(),
        ));
    }
    let mut server = connection.open()?;
    let Found::Credential(found) = address.find(&mut server)? else { return Err(address.absent()) };
    let set = [Argument { name: "enabled", given: Given::Flag(enabled) }];
    if server.change("credentials", &set, &[("secret_id", &found.secret_id)])? == 0 {
        return Err(Failure::Refused(Box::new(Refusal {
            code: "42501".to_owned(),
            message: format!("you may see {address}, but not change it"),
            detail: None,
            hint: Some("its owner, or an administrator, may".to_owned()),
        })));
    }
    let word = if enabled { "enabled" } else { "disabled" };
    let answer = serde_json::json!({ "secret_id": found.secret_id, "enabled": enabled });
    screen.answer(&answer, || format!("{word} {address}: {}", found.preview))?;
    Ok(ExitCode::SUCCESS)
}
