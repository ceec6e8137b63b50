//! What can be taken along of a database, one thing at a time: named secrets, credentials, integrations.
//!
//! What must stay true: a value is revealed by hftok's own functions, so that each is in the audit; what these do not give out
//! is told with the reason and never fetched in another way.

use clap::ValueEnum;
use postgres::{Client, Statement};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::connection::{Database, database_failure as failure};
use crate::failure::{Failure, Refusal};

/// The kinds of things that have values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Named secrets of the operator.
    #[value(name = "secrets")]
    Secret,
    /// Credentials of users, organisations and the installation.
    #[value(name = "credentials")]
    Credential,
    /// Integrations of users.
    #[value(name = "integrations")]
    Integration,
}

impl Kind {
    /// In the order in which they are taken along.
    pub const ALL: [Self; 3] = [Self::Secret, Self::Credential, Self::Integration];

    /// A query that answers a row of JSON each: members are those of [`Holding`].
    fn query(self) -> &'static str {
        match self {
            Self::Secret => {
                "SELECT pg_catalog.to_jsonb(r)::text FROM (
                    SELECT 'secret' AS kind, s.id, s.version, s.name, s.description FROM hftok.secrets AS s
                    ORDER BY s.name, s.id) AS r"
            }
            Self::Credential => {
                "SELECT pg_catalog.to_jsonb(r)::text FROM (
                    SELECT 'credential' AS kind, c.secret_id AS id, c.version, c.provider, c.model, c.slot, c.\"position\", c.label,
                        CASE WHEN c.scope = 'user' THEN c.scope_id END AS user_id,
                        CASE WHEN c.scope = 'org' THEN c.scope_id END AS org_id,
                        c.scope = 'global' AS global, c.expires_at, c.allowed_hosts, c.on_unusable, c.enabled, c.status
                    FROM hftok.credentials AS c
                    ORDER BY c.scope, c.scope_id, c.provider, c.model, c.\"position\", c.slot) AS r"
            }
            Self::Integration => {
                "SELECT pg_catalog.to_jsonb(r)::text FROM (
                    SELECT 'integration' AS kind, i.id, i.version, i.type AS provider, i.name, i.config, i.user_id, i.org_id,
                        i.enabled, i.status
                    FROM hftok.integrations AS i ORDER BY i.user_id, i.org_id, i.name, i.id) AS r"
            }
        }
    }
}

/// A thing that has a value, without it. One form for all kinds, as it lies in an export.
#[derive(Serialize, Deserialize)]
pub struct Holding {
    /// What it is.
    pub kind: Kind,
    /// Its id where it comes from.
    pub id: String,
    /// The version of its value.
    pub version: Option<i32>,
    /// The provider, of what has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The user who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The organisation that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// Whether it is the installation's.
    #[serde(default)]
    pub global: bool,
    /// The model that it is reserved for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Which of several keys of one owner for one use it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Its place among these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i32>,
    /// The owner's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Of a named secret and an integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of a named secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The hosts it may be sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_hosts: Option<Vec<String>>,
    /// Whether the walk goes on when it cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_unusable: Option<String>,
    /// Whether its owner wants it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Why it may not be usable.
    #[serde(default, skip_serializing)]
    pub status: Option<String>,
    /// What an application keeps with an integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<serde_json::Value>,
}

impl Holding {
    /// Its owner, for people.
    pub fn owner(&self) -> String {
        match (&self.user_id, &self.org_id) {
            (Some(user), _) => format!("user {user}"),
            (None, Some(org)) => format!("org {org}"),
            (None, None) if self.global => "global".to_owned(),
            (None, None) => "vault".to_owned(),
        }
    }

    /// What it is called in a word beside the answer.
    pub fn title(&self) -> String {
        let kind = match self.kind {
            Kind::Secret => "secret",
            Kind::Credential => "credential",
            Kind::Integration => "integration",
        };
        let parts =
            [self.provider.as_deref(), self.model.as_deref(), self.slot.as_deref(), self.name.as_deref()];
        let mut title = format!("{kind} of {}", self.owner());
        parts.into_iter().flatten().filter(|part| !part.is_empty()).for_each(|part| {
            title.push(' ');
            title.push_str(part);
        });
        title
    }
}

/// Everything of these kinds, without values.
pub fn list(database: &mut Database, kinds: &[Kind]) -> Result<Vec<Holding>, Failure> {
    let mut all = Vec::new();
    for kind in kinds {
        for row in database.client().query(kind.query(), &[]).map_err(failure)? {
            let unknown = || Failure::Answer { function: "credentials, secrets or integrations" };
            let text: &str = row.try_get(0).map_err(|_| unknown())?;
            all.push(serde_json::from_str(text).map_err(|_| unknown())?);
        }
    }
    Ok(all)
}

/// A value, or why hftok does not give it out.
pub type Revealed = Result<Zeroizing<String>, String>;

/// Reveals one value after the other.
pub struct Revealer {
    /// Of a named secret.
    secret: Statement,
    /// Of a credential.
    credential: Statement,
    /// Of an integration.
    integration: Statement,
}

impl Revealer {
    /// Has the server plan each question once.
    pub fn new(client: &mut Client) -> Result<Self, Failure> {
        let mut prepare = |text: &str| client.prepare(text).map_err(failure);
        Ok(Self {
            secret: prepare("SELECT s.decrypted_secret FROM hftok.decrypted_secrets AS s WHERE s.id = $1::text::uuid")?,
            credential: prepare(
                "SELECT r.token FROM hftok.resolve_token(p_provider => $1, p_user_id => $2, p_org_id => $3, p_model => $4,
                    p_host => $5, p_levels => $6, p_slot => $7) AS r WHERE r.secret_id = $8::text::uuid",
            )?,
            integration: prepare(
                "SELECT CASE pg_catalog.jsonb_typeof(c.given) WHEN 'string' THEN c.given #>> '{}' ELSE c.given::text END FROM hftok.get_integration_credentials($1::text::uuid, p_user_id => $2) AS c (given)",
            )?,
        })
    }

    /// The value of a thing; `None` where it is gone since it was listed.
    pub fn reveal(&self, client: &mut Client, one: &Holding) -> Result<Option<Revealed>, Failure> {
        let found = match one.kind {
            Kind::Secret => client.query_opt(&self.secret, &[&one.id]),
            Kind::Integration if one.user_id.is_none() => {
                return Ok(Some(
                    Err("it is an organisation's, and given out to its members only".to_owned()),
                ));
            }
            Kind::Integration => client.query_opt(&self.integration, &[&one.id, &one.user_id]),
            Kind::Credential => {
                let model = one.model.as_deref().filter(|model| !model.is_empty());
                let host = one.allowed_hosts.as_deref().and_then(|hosts| hosts.first());
                let level = match (&one.user_id, &one.org_id) {
                    (Some(_), _) => "user",
                    (None, Some(_)) => "org",
                    (None, None) => "global",
                };
                let levels = [if model.is_some() { format!("{level}_model") } else { level.to_owned() }];
                let slot = one.slot.as_deref().unwrap_or_default();
                let given: [&(dyn postgres::types::ToSql + Sync); 8] = [
                    &one.provider,
                    &one.user_id,
                    &one.org_id,
                    &model,
                    &host,
                    &levels.as_slice(),
                    &slot,
                    &one.id,
                ];
                client.query_opt(&self.credential, &given)
            }
        };
        let row = match found.map_err(failure) {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(unusable(one).map(Err)),
            Err(Failure::Refused(refusal)) if refusal.code == "PT404" => return Ok(None),
            Err(Failure::Refused(refusal)) if refusal.code == "PT422" => return Ok(Some(Err(why(&refusal)))),
            Err(error) => return Err(error),
        };
        let value: Option<&str> =
            row.try_get(0).map_err(|_| Failure::Answer { function: "resolve_token" })?;
        Ok(Some(
            value.map(|value| Zeroizing::new(value.to_owned())).ok_or_else(|| "it does not open".to_owned()),
        ))
    }
}

/// Why a walk went on past a credential; `None` where it would not have, so that the credential is gone.
fn unusable(one: &Holding) -> Option<String> {
    let status = one.status.as_deref().filter(|status| !matches!(*status, "verified" | "unverified"))?;
    Some(format!("it cannot be used: {status}"))
}

/// Why a credential is not given out, in a word of hftok's.
fn why(refusal: &Refusal) -> String {
    let detail = refusal.detail.as_deref().unwrap_or_default();
    let outcome = serde_json::from_str::<serde_json::Value>(detail).ok();
    let outcome = outcome.as_ref().and_then(|detail| detail.get("outcome")?.as_str()).unwrap_or("refused");
    format!("it cannot be used: {outcome}")
}
