//! Postgres.

use postgres::Client;
use postgres::types::{ToSql, Type};
use zeroize::Zeroizing;

use super::argument::{Argument, Given};
use super::connect::connect;
use super::settings::Settings;
pub use super::trouble::failure;
use crate::failure::Failure;

/// A connection to Postgres.
pub struct Database {
    /// It talks to Postgres only while it is asked something.
    client: Client,
}

impl Database {
    /// Connects to what `given` names, and otherwise to what libpq's environment does.
    pub fn open(given: Option<&str>) -> Result<Self, Failure> {
        Ok(Self { client: connect(&Settings::gathered(given)?)? })
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
            "SELECT CASE WHEN f.proretset \
             THEN coalesce((SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(r)) FROM {call} AS r), '[]') \
             ELSE (SELECT pg_catalog.to_jsonb(r) FROM {call} AS r) END::pg_catalog.text FROM pg_catalog.pg_proc AS f \
             WHERE f.oid OPERATOR(pg_catalog.=) 'hftok.{function}'::pg_catalog.regproc"
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
            "SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(r)), '[]')::pg_catalog.text \
             FROM (SELECT {} FROM hftok.{view}{}{order}) AS r",
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
            "UPDATE hftok.{view} SET {}{} RETURNING true",
            columns.collect::<Vec<_>>().join(", "),
            condition(equal, set.len() + 1),
        );
        let mut values = given(set);
        values.extend(equal.iter().map(|(_, value)| Given::Text(value)));
        Ok(self.client.query_typed(&text, &parameters(&values)).map_err(failure)?.len() as u64)
    }

    /// The one value that a statement answers, which is JSON text.
    fn json(
        &mut self,
        what: &'static str,
        text: &str,
        values: &[Given<'_>],
    ) -> Result<Zeroizing<String>, Failure> {
        // Without a statement that is prepared: one way there and back, and a pooler may stand between.
        let row = self.client.query_typed_one(text, &parameters(values)).map_err(failure)?;
        let json: Option<&str> = row.try_get(0).map_err(|_| Failure::Answer { function: what })?;
        Ok(Zeroizing::new(json.unwrap_or("null").to_owned()))
    }
}

/// What is given for each argument.
fn given<'a>(arguments: &[Argument<'a>]) -> Vec<Given<'a>> {
    arguments.iter().map(|argument| argument.given).collect()
}

/// Postgres finds the types itself, by what each parameter is for.
fn parameters<'a>(values: &'a [Given<'_>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::UNKNOWN)).collect()
}

/// The condition that each column has its value; the first parameter has number `first`.
fn condition(equal: &[(&'static str, &str)], first: usize) -> String {
    let terms = equal
        .iter()
        .enumerate()
        .map(|(at, (column, _))| format!("{column} OPERATOR(pg_catalog.=) ${}", first + at));
    let terms: Vec<String> = terms.collect();
    if terms.is_empty() { String::new() } else { format!(" WHERE {}", terms.join(" AND ")) }
}
