//! Events as an auditor asks for them.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::when;
use crate::connection::{Argument, Server};
use crate::failure::Failure;
use crate::screen::Table;

/// Which events are wanted.
#[derive(Debug, Args)]
pub struct Wanted {
    /// From this time on: a span (1h, 7d) is so long ago, else as Postgres reads times
    #[arg(long, value_name = "TIME", value_parser = when::time)]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = when::time)]
    until: Option<String>,
    /// Of this user or organisation: who did it, to whom it belongs, or whom it is about
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// About this secret, integration or key
    #[arg(long, value_name = "UUID")]
    object: Option<String>,
    /// By this role of Postgres
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Of this kind
    #[arg(long)]
    kind: Option<Kind>,
}

/// A kind of event.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// A value was handed out
    Reveal,
    /// Something stored was changed
    Change,
    /// A call was refused
    Refusal,
    /// Something was done with keys
    Key,
    /// Something was done with the audit itself
    Audit,
}

/// A row of view `audit_events`.
#[derive(Debug, Deserialize, Serialize)]
pub struct Event {
    /// Its number.
    pub id: i64,
    /// When.
    at: String,
    /// The kind of event.
    kind: String,
    /// The function, view or operation.
    action: String,
    /// The result, as one word.
    outcome: String,
    /// The number of equal events that this one stands for.
    count: i64,
    /// The user of the application.
    actor_user: Option<String>,
    /// The role whose privilege was used.
    role_name: Option<String>,
    /// The role that began the statement.
    outer_role: Option<String>,
    /// The role that logged in.
    login_role: Option<String>,
    /// The secret, or another object with an id.
    object_id: Option<String>,
    /// Its version.
    version: Option<i32>,
    /// The kind of owner.
    owner_scope: Option<String>,
    /// The owner.
    owner_id: Option<String>,
    /// The provider.
    provider: Option<String>,
    /// The level of the walk; the role of a member.
    level: Option<String>,
    /// The user that a membership is about.
    subject: Option<String>,
    /// Whether hftok had a key to protect the event with until it was chained.
    protected: bool,
    /// The address of the client.
    client_addr: Option<String>,
    /// The name that the client gives itself.
    application_name: Option<String>,
    /// The id of the HTTP request.
    request_id: Option<String>,
    /// The digest.
    digest: Option<String>,
    /// Its leaf in the tree.
    chain_hash: Option<String>,
}

impl Kind {
    /// The word as it is stored.
    fn word(self) -> &'static str {
        match self {
            Self::Reveal => "reveal",
            Self::Change => "change",
            Self::Refusal => "refusal",
            Self::Key => "key",
            Self::Audit => "audit",
        }
    }
}

impl Wanted {
    /// The newest so many events that are wanted, the oldest of them first.
    pub fn newest(&self, server: &mut Server, newest: i64) -> Result<Vec<Event>, Failure> {
        let mut found: Vec<Event> = server.call(
            "find_audit_events",
            &[
                Argument::text("p_from", self.since.as_deref()),
                Argument::text("p_to", self.until.as_deref()),
                Argument::text("p_user", self.user.as_deref()),
                Argument::text("p_object_id", self.object.as_deref()),
                Argument::text("p_role", self.role.as_deref()),
                Argument::text("p_kind", self.kind.map(Kind::word)),
                Argument::number("p_newest", Some(newest)),
            ],
        )?;
        found.sort_unstable_by_key(|event| event.id);
        Ok(found)
    }

    /// The events that are wanted after the one with this number, the oldest first. Numbers follow one another, times need not:
    /// an event may have waited.
    pub fn after(&self, server: &mut Server, last: i64) -> Result<Vec<Event>, Failure> {
        let mut many = 256;
        loop {
            let mut found = self.newest(server, many)?;
            let is_all = i64::try_from(found.len()).is_ok_and(|count| count < many);
            if is_all || found.first().is_some_and(|event| event.id <= last) || many >= MANY_MAX {
                found.retain(|event| event.id > last);
                return Ok(found);
            }
            many *= 4;
        }
    }
}

/// No more events are asked for at a time.
pub const MANY_MAX: i64 = 1_000_000;

impl Event {
    /// Whoever did it.
    fn who(&self) -> &str {
        self.actor_user.as_deref().or(self.role_name.as_deref()).unwrap_or("-")
    }

    /// What it was done to.
    fn what(&self) -> String {
        let mut parts = Vec::new();
        match (&self.owner_scope, &self.owner_id) {
            (Some(scope), Some(id)) => parts.push(format!("{scope} {id}")),
            (scope, id) => parts.extend(scope.iter().chain(id).cloned()),
        }
        parts.extend(self.provider.clone());
        parts.extend(self.level.as_ref().map(|level| format!("({level})")));
        parts.extend(self.subject.as_ref().map(|subject| format!("about {subject}")));
        parts.extend(self.object_id.clone());
        parts.extend(self.version.map(|version| format!("v{version}")));
        parts.extend((self.count != 1).then(|| format!("x{}", self.count)));
        parts.extend((!self.protected).then(|| "UNPROTECTED".to_owned()));
        parts.join(" ")
    }

    /// A line for people.
    pub fn line(&self) -> String {
        let Self { id, at, kind, action, outcome, .. } = self;
        let from = self.client_addr.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
        let what = self.what();
        format!("{id}  {at}  {kind} {action} {outcome}  by {}{from}  {what}", self.who())
    }
}

/// Events as a table.
pub fn table(events: &[Event]) -> Table {
    let mut table = Table::new(&["ID", "AT", "KIND", "ACTION", "OUTCOME", "BY", "ON"]);
    for event in events {
        table.row(vec![
            event.id.to_string(),
            event.at.clone(),
            event.kind.clone(),
            event.action.clone(),
            event.outcome.clone(),
            event.who().to_owned(),
            event.what(),
        ]);
    }
    table
}
