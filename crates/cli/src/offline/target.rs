//! A database into which things are copied.
//!
//! What must stay true: what is there stays as it is. So a copy that is repeated, or goes on after it was stopped, does nothing
//! twice, and reveals nothing twice.

use std::collections::HashSet;

use postgres::Statement;
use postgres::types::ToSql;
use serde::{Deserialize, Serialize};

use super::holdings::{self, Holding, Kind, Revealed};
use crate::connection::{Database, database_failure as failure};
use crate::failure::{Failure, Refusal};

/// What became of things.
#[derive(Debug, Default, Serialize)]
pub struct Copied {
    /// Named secrets that are new there.
    pub secrets: u64,
    /// Credentials.
    pub credentials: u64,
    /// Integrations.
    pub integrations: u64,
    /// Memberships.
    pub members: u64,
    /// Administrators of the application.
    pub administrators: u64,
    /// Things that were there already.
    pub there_already: u64,
    /// Things that were not copied, with the reason.
    pub left_out: Vec<LeftOut>,
}

/// A thing that was not copied.
#[derive(Debug, Serialize)]
pub struct LeftOut {
    /// The thing, for people.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// A membership, or an administrator, as the source has it.
#[derive(Deserialize)]
pub struct Person {
    /// The organisation; none for an administrator.
    org_id: Option<String>,
    /// The user.
    user_id: String,
    /// The role in the organisation.
    role: Option<String>,
}

/// Where things are copied to.
pub struct Target {
    /// It.
    database: Database,
    /// What is there, by [`address`].
    there: HashSet<String>,
    /// Saves a named secret.
    secret: Statement,
    /// Saves a credential.
    credential: Statement,
    /// Makes an integration.
    integration: Statement,
    /// What became of things so far.
    pub copied: Copied,
}

impl Target {
    /// Looks at what is there.
    pub fn new(mut database: Database, kinds: &[Kind]) -> Result<Self, Failure> {
        let there = holdings::list(&mut database, kinds)?.iter().map(address).collect();
        let client = database.client();
        let mut prepare = |text: &str| client.prepare(text).map_err(failure);
        Ok(Self {
            there,
            secret: prepare("SELECT hftok.put_secret($1, $2, p_description => $3, p_expected_version => 0)")?,
            credential: prepare(
                "SELECT hftok.save_credential($1, $2, p_model => $3, p_user_id => $4, p_org_id => $5, p_global => $6,
                    p_label => $7, p_expires_at => $8::text::timestamptz, p_allowed_hosts => $9, p_on_unusable => $10,
                    p_slot => $11, p_position => $12, p_expected_version => 0)",
            )?,
            integration: prepare(
                "SELECT hftok.create_integration_with_vault($1, $2, $3, p_config => $4::text::jsonb, p_user_id => $5)",
            )?,
            database,
            copied: Copied::default(),
        })
    }

    /// Whether such a thing is there.
    pub fn has(&self, one: &Holding) -> bool {
        self.there.contains(&address(one))
    }

    /// Copies a thing, unless it is there; its value is asked for only then.
    pub fn take(
        &mut self,
        one: &Holding,
        value: impl FnOnce() -> Result<Option<Revealed>, Failure>,
    ) -> Result<(), Failure> {
        if self.has(one) {
            self.copied.there_already += 1;
            return Ok(());
        }
        if one.kind == Kind::Secret && one.name.is_none() {
            self.leave(one, "it has no name, by which it would be found again".to_owned());
            return Ok(());
        }
        match value()? {
            Some(Ok(value)) => self.save(one, &value),
            Some(Err(reason)) => {
                self.leave(one, reason);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Saves a thing with its value.
    fn save(&mut self, one: &Holding, value: &str) -> Result<(), Failure> {
        let client = self.database.client();
        let saved = match one.kind {
            Kind::Secret => client.execute(&self.secret, &[&one.name, &value, &one.description]),
            Kind::Integration => {
                let config = one.config.as_ref().map_or_else(|| "{}".to_owned(), ToString::to_string);
                client.execute(&self.integration, &[&one.name, &one.provider, &value, &config, &one.user_id])
            }
            Kind::Credential => {
                let model = one.model.as_deref().filter(|model| !model.is_empty());
                let slot = one.slot.as_deref().unwrap_or_default();
                let given: [&(dyn ToSql + Sync); 12] = [
                    &one.provider,
                    &value,
                    &model,
                    &one.user_id,
                    &one.org_id,
                    &one.global,
                    &one.label,
                    &one.expires_at,
                    &one.allowed_hosts,
                    &one.on_unusable,
                    &slot,
                    &one.position,
                ];
                client.execute(&self.credential, &given)
            }
        };
        match saved.map_err(failure) {
            Ok(_) => {
                self.there.insert(address(one));
                let count = match one.kind {
                    Kind::Secret => &mut self.copied.secrets,
                    Kind::Credential => &mut self.copied.credentials,
                    Kind::Integration => &mut self.copied.integrations,
                };
                *count += 1;
            }
            // Somebody was faster.
            Err(Failure::Refused(refusal)) if refusal.code == "PT409" => self.copied.there_already += 1,
            Err(Failure::Refused(refusal)) if is_about_one(&refusal) => self.leave(one, refusal.message),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Tells of a thing that is not copied.
    fn leave(&mut self, one: &Holding, reason: String) {
        self.copied.left_out.push(LeftOut { what: one.title(), reason });
    }

    /// The members and administrators of a source who are not there; the others are counted.
    pub fn new_people(&mut self, source: &mut Database) -> Result<Vec<Person>, Failure> {
        let here: HashSet<String> = people(&mut self.database)?.iter().map(Person::address).collect();
        let mut all = people(source)?;
        let before = all.len();
        all.retain(|person| !here.contains(&person.address()));
        self.copied.there_already += (before - all.len()) as u64;
        Ok(all)
    }

    /// Adds a member or an administrator.
    pub fn add(&mut self, person: &Person) -> Result<(), Failure> {
        let client = self.database.client();
        let (added, count) = match &person.org_id {
            Some(org) => (
                client.execute(
                    "SELECT hftok.add_member($1, $2, $3)",
                    &[org, &person.user_id, &person.role.as_deref().unwrap_or("member")],
                ),
                &mut self.copied.members,
            ),
            None => (
                client.execute("SELECT hftok.grant_administrator($1)", &[&person.user_id]),
                &mut self.copied.administrators,
            ),
        };
        added.map_err(failure)?;
        *count += 1;
        Ok(())
    }
}

impl Person {
    /// Whether it is an administrator of the application, and no member.
    pub fn is_administrator(&self) -> bool {
        self.org_id.is_none()
    }

    /// What tells it from others. Somebody who is there with another role keeps that.
    fn address(&self) -> String {
        serde_json::json!([self.org_id, self.user_id]).to_string()
    }
}

/// Members, owners first, and administrators.
fn people(database: &mut Database) -> Result<Vec<Person>, Failure> {
    let query = "SELECT pg_catalog.jsonb_build_object('org_id', m.org_id, 'user_id', m.user_id, 'role', m.role)::text
        FROM hftok.members AS m
        UNION ALL SELECT pg_catalog.jsonb_build_object('org_id', NULL, 'user_id', a.user_id, 'role', NULL)::text FROM hftok.administrators AS a";
    let unknown = || Failure::Answer { function: "members or administrators" };
    let mut all: Vec<Person> = Vec::new();
    for row in database.client().query(query, &[]).map_err(failure)? {
        let text: &str = row.try_get(0).map_err(|_| unknown())?;
        all.push(serde_json::from_str(text).map_err(|_| unknown())?);
    }
    all.sort_by_key(|person| person.role.as_deref() != Some("owner"));
    Ok(all)
}

/// What tells a thing from others of its database: two of one address are the same thing.
fn address(one: &Holding) -> String {
    let owner = serde_json::json!([one.kind, one.user_id, one.org_id, one.global, one.provider]);
    let model = one.model.as_deref().unwrap_or_default();
    let slot = one.slot.as_deref().unwrap_or_default();
    serde_json::json!([owner, model, slot, one.name]).to_string()
}

/// Whether the server refused one thing, and would take others.
fn is_about_one(refusal: &Refusal) -> bool {
    matches!(refusal.code.as_str(), "22023" | "PT404" | "PT413" | "PT422" | "23505")
}
