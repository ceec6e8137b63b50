//! What is known of a connection before it is opened, from where libpq takes it and in its order: the connection string, the
//! service file, the environment, the defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::keyword::{self, KEYWORDS, Treatment};
use super::{conninfo, service, variable};
use crate::failure::Failure;

/// Keywords and their values; a value that is empty counts as none.
#[derive(Default)]
pub struct Settings(BTreeMap<&'static str, Zeroizing<String>>);

impl Settings {
    /// What a connection string names, and what libpq adds to it.
    pub fn gathered(given: Option<&str>) -> Result<Self, Failure> {
        let mut settings = given.map_or_else(|| Ok(Self::default()), conninfo::parsed)?;
        for name in ["service", "servicefile"] {
            if let Some(value) = keyword::named(name).and_then(|one| one.variable).and_then(variable) {
                settings.add(name, &value)?;
            }
        }
        if settings.get("service").is_some() {
            service::add_to(&mut settings)?;
        }
        for one in KEYWORDS {
            if let Some(value) = one.variable.and_then(variable) {
                settings.add(one.name, &value)?;
            }
        }
        settings.refuse()?;
        if settings.get("user").is_none() {
            let user = whoami::username()
                .map_err(|_| Failure::Usage("this account has no name: set PGUSER".to_owned()))?;
            settings.set("user", &user)?;
        }
        if settings.get("dbname").is_none() {
            let user = settings.get("user").unwrap_or_default().to_owned();
            settings.set("dbname", &user)?;
        }
        Ok(settings)
    }

    /// Sets a keyword.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        // The name may be a misplaced part of a password.
        let known = keyword::named(name).ok_or_else(|| {
            let letters = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            let shown = if name.chars().all(letters) { format!(" \"{name}\"") } else { String::new() };
            Failure::Usage(format!("the connection has a keyword{shown} that libpq does not know"))
        })?;
        self.0.insert(known.name, Zeroizing::new(value.to_owned()));
        Ok(())
    }

    /// Sets a keyword that nothing before it has set.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        if self.get(name).is_none() { self.set(name, value) } else { Ok(()) }
    }

    /// What a keyword is set to.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All that is set.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// A number.
    pub fn number(&self, name: &'static str) -> Result<Option<u64>, Failure> {
        let wrong = |_| Failure::Usage(format!("{name} of the connection is no number"));
        self.get(name).map(|value| value.trim().parse().map_err(wrong)).transpose()
    }

    /// A path, or one below `~/.postgresql`.
    pub fn file(&self, name: &'static str, usual: &str) -> Option<PathBuf> {
        match self.get(name) {
            Some(path) => Some(PathBuf::from(path)),
            None => Some(std::env::home_dir()?.join(".postgresql").join(usual)),
        }
    }

    /// Refuses what hftok cannot keep.
    fn refuse(&self) -> Result<(), Failure> {
        for one in KEYWORDS {
            let Some(value) = self.get(one.name) else { continue };
            if let Treatment::Refused(harmless) = one.treatment
                && !harmless.contains(&value)
            {
                let name = one.name;
                return Err(Failure::Usage(format!("hftok cannot keep what {name} asks of a connection")));
            }
        }
        Ok(())
    }
}
