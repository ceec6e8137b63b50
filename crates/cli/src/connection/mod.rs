//! The way to hftok: Postgres as any client of it is told, or PostgREST with a JWT.
//!
//! Commands for people work over both, and ask [`Server`] in three ways: call a function, read a view, change rows of a view.
//! Commands for operators need Postgres itself: [`ConnectionOptions::postgres`].

mod argument;
mod authorities;
mod connect;
mod conninfo;
mod database;
mod keyword;
mod passfile;
mod place;
mod rest;
mod service;
mod settings;
mod tls;
mod trouble;
pub mod web;

use std::path::PathBuf;

use clap::Args;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub use argument::{Argument, Given};
pub use database::{Database, failure as database_failure};
use rest::Rest;

use crate::failure::Failure;

/// Where hftok is. Without any of these, libpq's environment says it, as for psql.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionOptions {
    /// Postgres: a URL or `key=value` pairs without a password [env: HFTOK_DATABASE_URL] [default: PGHOST … as psql]
    #[arg(long, short = 'd', value_name = "URL", global = true)]
    pub database: Option<String>,
    /// PostgREST: its address; the JWT is in HFTOK_JWT or --jwt-file [env: HFTOK_API_URL]
    #[arg(long, value_name = "URL", global = true, conflicts_with = "database")]
    pub api: Option<String>,
    /// A file with the JWT for PostgREST
    #[arg(long, value_name = "FILE", global = true)]
    pub jwt_file: Option<PathBuf>,
}

impl ConnectionOptions {
    /// Opens the way that the options name, or, without any, the variables.
    pub fn open(&self) -> Result<Server, Failure> {
        match self.api()? {
            Some(address) => Ok(Server::Rest(Rest::open(&address, self.jwt_file.as_deref())?)),
            None => Ok(Server::Database(self.database()?)),
        }
    }

    /// A connection to Postgres, for commands that PostgREST cannot serve.
    pub fn postgres(&self) -> Result<Database, Failure> {
        match &self.api {
            Some(_) => {
                Err(Failure::Usage("this command needs Postgres itself: name it by --database".to_owned()))
            }
            None => self.database(),
        }
    }

    /// The address of PostgREST, if that is the way.
    fn api(&self) -> Result<Option<String>, Failure> {
        if self.api.is_some() || self.database.is_some() {
            return Ok(self.api.clone());
        }
        match (variable("HFTOK_API_URL"), variable("HFTOK_DATABASE_URL")) {
            (Some(_), Some(_)) => Err(Failure::Usage(
                "HFTOK_API_URL and HFTOK_DATABASE_URL are both set: choose by --api or --database".to_owned(),
            )),
            (api, _) => Ok(api.map(|address| address.to_string())),
        }
    }

    /// Postgres as the option names it, or the variable, or libpq's environment.
    fn database(&self) -> Result<Database, Failure> {
        match (&self.database, variable("HFTOK_DATABASE_URL")) {
            (Some(given), _) => {
                conninfo::refuse_password(given)?;
                Database::open(Some(given))
            }
            (None, given) => Database::open(given.as_ref().map(|given| given.as_str())),
        }
    }
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<Zeroizing<String>> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(Zeroizing::new)
}

/// hftok, by either way.
pub enum Server {
    /// Postgres.
    Database(Database),
    /// PostgREST.
    Rest(Rest),
}

impl Server {
    /// What a function answers, as JSON text that is wiped when it is dropped: a scalar, an object, or an array of rows.
    pub fn call_text(
        &mut self,
        function: &'static str,
        arguments: &[Argument<'_>],
    ) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Database(database) => database.call(function, arguments),
            Self::Rest(rest) => rest.call(function, arguments),
        }
    }

    /// What a function that reveals nothing answers.
    pub fn call<T: DeserializeOwned>(
        &mut self,
        function: &'static str,
        arguments: &[Argument<'_>],
    ) -> Result<T, Failure> {
        let text = self.call_text(function, arguments)?;
        serde_json::from_str(&text).map_err(|_| Failure::Answer { function })
    }

    /// The rows of a view where each column of `equal` has that value, by the columns of `T`, in the order of `order`.
    pub fn rows<T: DeserializeOwned>(
        &mut self,
        view: &'static str,
        columns: &[&'static str],
        equal: &[(&'static str, &str)],
        order: &[&'static str],
    ) -> Result<Vec<T>, Failure> {
        let text = match self {
            Self::Database(database) => database.rows(view, columns, equal, order)?,
            Self::Rest(rest) => rest.rows(view, columns, equal, order)?,
        };
        serde_json::from_str(&text).map_err(|_| Failure::Answer { function: view })
    }

    /// Sets columns of the rows of a view where each column of `equal` has that value, and counts these rows.
    pub fn change(
        &mut self,
        view: &'static str,
        set: &[Argument<'_>],
        equal: &[(&'static str, &str)],
    ) -> Result<u64, Failure> {
        match self {
            Self::Database(database) => database.change(view, set, equal),
            Self::Rest(rest) => rest.change(view, set, equal),
        }
    }
}
