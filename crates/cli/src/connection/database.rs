//! Postgres.

use postgres::types::ToSql;
use postgres::{Client, Config, NoTls};
use zeroize::Zeroizing;

use super::argument::{Argument, Given};
use crate::failure::{Failure, Refusal};

/// A connection to Postgres.
pub struct Database {
    client: Client,
}

impl Database {
    /// Connects to what `given` names, and otherwise to what libpq's environment does.
    pub fn open(given: Option<&str>) -> Result<Self, Failure> {
        let config = match given {
            Some(text) => text.parse().map_err(failure)?,
            None => of_environment(),
        };
        Ok(Self { client: config.connect(NoTls).map_err(failure)? })
    }

    /// The connection itself, for statements that are no call of one function.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// What a function of schema hftok answers.
    pub fn call(
        &mut self,
        function: &'static str,
        arguments: &[Argument<'_>],
    ) -> Result<Zeroizing<String>, Failure> {
        let named =
            arguments.iter().enumerate().map(|(at, argument)| format!("{} => ${}", argument.name, at + 1));
        let call = format!("hftok.{function}({})", named.collect::<Vec<_>>().join(", "));
        // A function of several rows answers an array over PostgREST, and any other one value; so it does here.
        let text = format!(
            "SELECT CASE WHEN f.proretset THEN coalesce((SELECT jsonb_agg(to_jsonb(r)) FROM {call} AS r), '[]') \
             ELSE (SELECT to_jsonb(r) FROM {call} AS r) END::text \
             FROM pg_catalog.pg_proc AS f WHERE f.oid = 'hftok.{function}'::pg_catalog.regproc"
        );
        self.json(function, &text, &given(arguments))
    }

    /// Rows of a view of schema hftok, as an array of objects.
    pub fn rows(
        &mut self,
        view: &'static str,
        columns: &[&'static str],
        equal: &[(&'static str, &str)],
        order: &[&'static str],
    ) -> Result<Zeroizing<String>, Failure> {
        let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
        let text = format!(
            "SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]')::text FROM (SELECT {} FROM hftok.{view}{}{order}) AS r",
            columns.join(", "),
            condition(equal, 1),
        );
        let values: Vec<Given<'_>> = equal.iter().map(|(_, value)| Given::Text(value)).collect();
        self.json(view, &text, &values)
    }

    /// Sets columns of rows of a view of schema hftok.
    pub fn change(
        &mut self,
        view: &'static str,
        set: &[Argument<'_>],
        equal: &[(&'static str, &str)],
    ) -> Result<u64, Failure> {
        let columns = set.iter().enumerate().map(|(at, column)| format!("{} = ${}", column.name, at + 1));
        let text = format!(
            "UPDATE hftok.{view} SET {}{}",
            columns.collect::<Vec<_>>().join(", "),
            condition(equal, set.len() + 1),
        );
        let mut values = given(set);
        values.extend(equal.iter().map(|(_, value)| Given::Text(value)));
        self.client.execute(&text, &parameters(&values)).map_err(failure)
    }

    /// The one value that a statement answers, which is JSON text.
    fn json(
        &mut self,
        what: &'static str,
        text: &str,
        values: &[Given<'_>],
    ) -> Result<Zeroizing<String>, Failure> {
        let row = self.client.query_one(text, &parameters(values)).map_err(failure)?;
        let json: Option<&str> = row.try_get(0).map_err(|_| Failure::Answer { function: what })?;
        Ok(Zeroizing::new(json.unwrap_or("null").to_owned()))
    }
}

/// What libpq's environment names.
fn of_environment() -> Config {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut config = Config::new();
    config.host(variable("PGHOST").as_deref().unwrap_or("/var/run/postgresql"));
    config.port(variable("PGPORT").and_then(|port| port.parse().ok()).unwrap_or(5432));
    variable("PGUSER").iter().for_each(|user| {
        config.user(user);
    });
    variable("PGDATABASE").iter().for_each(|name| {
        config.dbname(name);
    });
    variable("PGPASSWORD").iter().for_each(|password| {
        config.password(password);
    });
    config
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Self {
        failure(error)
    }
}

/// What went wrong between us and Postgres.
pub fn failure(error: postgres::Error) -> Failure {
    match refusal(&error) {
        Some(refused) => Failure::Refused(Box::new(refused)),
        None => Failure::Unreachable { target: "Postgres".to_owned(), reason: error.to_string() },
    }
}

/// The error of the server, if it was the server's.
fn refusal(error: &postgres::Error) -> Option<Refusal> {
    let error = error.as_db_error()?;
    Some(Refusal {
        code: error.code().code().to_owned(),
        message: error.message().to_owned(),
        detail: error.detail().map(str::to_owned),
        hint: error.hint().map(str::to_owned),
    })
}

fn given<'a>(arguments: &[Argument<'a>]) -> Vec<Given<'a>> {
    arguments.iter().map(|argument| argument.given).collect()
}

fn parameters<'a>(values: &'a [Given<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// The condition that each column has its value; the first parameter has number `first`.
fn condition(equal: &[(&'static str, &str)], first: usize) -> String {
    let terms = equal.iter().enumerate().map(|(at, (column, _))| format!("{column} = ${}", first + at));
    let terms: Vec<String> = terms.collect();
    if terms.is_empty() { String::new() } else { format!(" WHERE {}", terms.join(" AND ")) }
}
