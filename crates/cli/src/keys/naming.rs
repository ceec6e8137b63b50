//! `hftok keyring name`: a keyring that names no installation is given a name, so that copies are told from the original.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hftok_core::identity::Installation;
use serde::Serialize;
use zeroize::Zeroizing;

use super::drawn;
use super::file::KeyringFile;
use super::place::{Place, put};
use crate::failure::Failure;
use crate::screen::Screen;

/// Name the installation in a keyring that names none
///
/// A server whose keys are in use takes a keyring with another name only if it is told so: SELECT hftok.unseal(p_replace =>
/// true), and then SELECT hftok.adopt_database() in every database.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hftok keyring name /etc/hftok/keyring prod")]
pub struct Name {
    /// The keyring
    file: PathBuf,
    /// Another on each server [default: a random one]
    #[arg(value_parser = installation)]
    name: Option<String>,
}

/// A name that an installation can have.
pub fn installation(given: &str) -> Result<String, String> {
    let parsed = Installation::parse(given).filter(|_| !given.is_empty());
    parsed.map(|_| given.to_owned()).ok_or_else(|| "up to 63 of A-Z a-z 0-9 . - _".to_owned())
}

/// A name that nobody else has.
pub fn random() -> Result<String, Failure> {
    Ok(format!("hftok-{}", drawn::name()?))
}

/// What was named.
#[derive(Serialize)]
struct Named {
    /// The keyring.
    file: String,
    /// Its name.
    installation: String,
}

impl Name {
    /// Carries it out.
    pub fn run(self, screen: &Screen) -> Result<ExitCode, Failure> {
        let ring = KeyringFile::read_alone(&self.file)?;
        let file = ring.path.display().to_string();
        let former = ring.ring.installation().as_str();
        if !former.is_empty() {
            return Err(Failure::Unfit {
                object: file,
                fault: format!("it names installation {former} already"),
                remedy: "A name stays: the databases of the installation know it.".to_owned(),
            });
        }
        let installation = match self.name {
            Some(given) => given,
            None => random()?,
        };
        let line = format!("installation: {installation}\n");
        let mut text = Zeroizing::new(Vec::with_capacity(ring.text.len() + line.len()));
        text.extend_from_slice(line.as_bytes());
        text.extend_from_slice(&ring.text);
        put(&ring.path, &text, Some(ring.owner), Place::Former)?;
        let named = Named { file, installation };
        screen.answer(&named, || {
            format!(
                "{}: installation {}\nWhere its keys are in use: SELECT hftok.unseal(p_replace => true), and then \
                 SELECT hftok.adopt_database() in every database.",
                named.file, named.installation
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
