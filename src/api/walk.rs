//! The walk over the levels with real credentials: what `core::walk` decides, applied to rows.

use hftok_core::audit::event::Object;
use hftok_core::binding::Scope;
use hftok_core::plaintext::Plaintext;
use hftok_core::provider::Provider;
use hftok_core::walk::{Found, Level, Outcome, host_allowed};
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use super::owner::{Owner, identifier};
use crate::audit::reveals;
use crate::error::Error;
use crate::pg::statement;
use crate::settings;
use crate::store::candidate::Candidate;
use crate::store::versions::Previous;
use crate::store::{owners, providers};

/// What is asked for.
pub struct Request {
    provider: std::borrow::Cow<'static, Provider>,
    user: Option<String>,
    org: Option<String>,
    model: Option<String>,
    host: Option<String>,
    levels: Vec<Level>,
}

/// A level, and what it came to.
pub struct Step {
    /// The level.
    pub level: Level,
    /// What it came to.
    pub outcome: Outcome,
    /// Its credential, when it has one that is stored.
    pub secret: Option<Candidate>,
}

/// What a walk ended with.
pub struct Taken {
    /// Where it was found.
    pub level: Level,
    /// The value.
    pub value: Plaintext,
    /// Which credential it was, when it is one that is stored.
    pub stored: Option<Stored>,
}

/// Which credential a value came from.
#[derive(Clone, Copy)]
pub struct Stored {
    /// Its id.
    pub id: Uuid,
    /// Its version.
    pub version: i32,
    /// When it ends.
    pub expires_at: Option<TimestampWithTimeZone>,
}

impl From<&Candidate> for Stored {
    fn from(secret: &Candidate) -> Self {
        Self { id: secret.row.id, version: secret.row.version, expires_at: secret.row.expires_at }
    }
}

/// What is there at a level.
enum There {
    Nothing,
    Damaged,
    Stored(Box<Candidate>),
    Variable(Plaintext),
}

impl Request {
    /// Parses the parameters that all functions of the walk share.
    pub fn new(
        provider: Option<&str>,
        user: Option<&str>,
        org: Option<&str>,
        model: Option<&str>,
        host: Option<&str>,
        levels: Option<Vec<String>>,
    ) -> Result<Self, Error> {
        let parse = |word: &String| {
            Level::parse(word).ok_or(Error::BadInput("p_levels names a level that does not exist"))
        };
        let user = user.map(identifier).transpose()?;
        if let Some(user) = &user {
            statement::act_for(user);
        }
        Ok(Self {
            provider: providers::find(provider.ok_or(Error::BadInput("p_provider must not be null"))?)?,
            user,
            org: org.map(identifier).transpose()?,
            model: model.filter(|model| !model.is_empty()).map(str::to_owned),
            host: host.map(str::to_owned),
            levels: match levels {
                None => Level::ALL.to_vec(),
                Some(words) => words.iter().map(parse).collect::<Result<_, _>>()?,
            },
        })
    }

    /// The user named.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The organisation named.
    pub fn org(&self) -> Option<&str> {
        self.org.as_deref()
    }

    /// Walks until a credential can be used, and shows each level to `visit`. `None` when no level has one; the first
    /// that stops the walk is an error.
    pub fn walk(&self, mut visit: impl FnMut(Step)) -> Result<Option<Taken>, Error> {
        let mut end = None;
        for level in Level::ALL {
            if end.is_some() || !self.levels.contains(&level) {
                visit(Step { level, outcome: Outcome::NotReached, secret: None });
                continue;
            }
            let (outcome, value, secret) = self.ask(level)?;
            let may_continue = secret.as_ref().is_some_and(|secret| secret.may_continue);
            let secret_id = secret.as_ref().map(|secret| secret.row.id);
            if let (Outcome::Used, Some(value)) = (outcome, value) {
                end = Some(Ok(Taken { level, value, stored: secret.as_ref().map(Stored::from) }));
            } else if !outcome.goes_on(may_continue) {
                end = Some(Err(Error::Unusable { level, outcome, secret_id }));
            }
            visit(Step { level, outcome, secret });
        }
        end.transpose()
    }

    /// Records that the value found at a level is handed out.
    pub fn record(&self, level: Level, stored: Option<Stored>) -> Result<(), Error> {
        let owner = self.owner(level);
        let object = Object {
            id: stored.map(|stored| *stored.id.as_bytes()),
            version: stored.map(|stored| stored.version),
            scope: owner.as_ref().map(|owner| owner.scope.as_str()),
            owner: owner.as_ref().map(|owner| owner.id.as_str()).filter(|id| !id.is_empty()),
            provider: Some(&self.provider.id),
            level: Some(level.as_str()),
            ..Object::default()
        };
        reveals::record(object, self.user())
    }

    /// Whether a previous version may be handed out: it is held against its own end, and against its own hosts on top of
    /// those of the current one, which the walk looked at.
    pub fn admit_version(&self, level: Level, previous: &Previous) -> Result<(), Error> {
        let own_hosts = previous.row.allowed_hosts.as_deref();
        let host = self.host.as_deref();
        let found = Found {
            is_member: true,
            is_enabled: true,
            is_expired: previous.is_expired,
            is_invalid: false,
            host_allowed: own_hosts.is_none() || host_allowed(host, own_hosts, &[]),
        };
        match found.objection() {
            None => Ok(()),
            Some(outcome) => Err(Error::Unusable { level, outcome, secret_id: Some(previous.row.id) }),
        }
    }

    /// Asks one level. The value is there exactly when the outcome is `Used`.
    fn ask(&self, level: Level) -> Result<(Outcome, Option<Plaintext>, Option<Candidate>), Error> {
        match self.look(level)? {
            There::Nothing => Ok((Outcome::Absent, None, None)),
            There::Damaged => Ok((Outcome::DecryptFailed, None, None)),
            There::Variable(value) => {
                if host_allowed(self.host.as_deref(), None, &self.provider.hosts) {
                    Ok((Outcome::Used, Some(value), None))
                } else {
                    Ok((Outcome::HostRefused, None, None))
                }
            }
            There::Stored(secret) => {
                if let Some(outcome) = self.found(level, &secret)?.objection() {
                    return Ok((outcome, None, Some(*secret)));
                }
                match secret.row.open() {
                    Ok(value) => Ok((Outcome::Used, Some(value), Some(*secret))),
                    Err(
                        Error::Damaged { .. } | Error::DataKeyMissing { .. } | Error::DataKeyDamaged { .. },
                    ) => Ok((Outcome::DecryptFailed, None, Some(*secret))),
                    Err(error) => Err(error),
                }
            }
        }
    }

    fn look(&self, level: Level) -> Result<There, Error> {
        if level == Level::Environment {
            let variables = settings::environment(&self.provider.id);
            let value = variables.iter().find_map(|name| Plaintext::of_environment(name));
            return Ok(value.map_or(There::Nothing, There::Variable));
        }
        let Some(owner) = self.owner(level) else { return Ok(There::Nothing) };
        let model = match (level.is_for_model(), &self.model) {
            (true, None) => return Ok(There::Nothing),
            (true, Some(model)) => model.as_str(),
            (false, _) => "",
        };
        match Candidate::find(&owner.binding(&self.provider.id, model)) {
            Ok(found) => Ok(found.map_or(There::Nothing, |secret| There::Stored(Box::new(secret)))),
            Err(Error::Damaged { .. }) => Ok(There::Damaged),
            Err(error) => Err(error),
        }
    }

    /// Whose credential a level is about; nobody's when the request does not name them.
    fn owner(&self, level: Level) -> Option<Owner> {
        let (scope, id) = match level {
            Level::User | Level::UserModel => (Scope::User, self.user.clone()?),
            Level::Org | Level::OrgModel => (Scope::Org, self.org.clone()?),
            Level::Global | Level::GlobalModel => (Scope::Global, String::new()),
            Level::Environment => return None,
        };
        Some(Owner { scope, id })
    }

    fn found(&self, level: Level, secret: &Candidate) -> Result<Found, Error> {
        let is_member = match (level, &self.user, &self.org) {
            (Level::Org | Level::OrgModel, Some(user), Some(org)) => owners::role(org, user)?.is_some(),
            _ => true,
        };
        Ok(Found {
            is_member,
            is_enabled: secret.is_enabled,
            is_expired: secret.is_expired,
            is_invalid: secret.is_invalid,
            host_allowed: host_allowed(
                self.host.as_deref(),
                secret.row.allowed_hosts.as_deref(),
                &self.provider.hosts,
            ),
        })
    }
}
