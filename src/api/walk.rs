//! The walk over the levels with real credentials: what `core::walk` decides, applied to rows.

use hftok_core::audit::event::Object;
use hftok_core::binding::{Binding, Scope};
use hftok_core::plaintext::Plaintext;
use hftok_core::walk::{Found, Keys, Level, Outcome, host_allowed};

use super::input::{self, required, short};
use super::owner::identifier;
use super::steps::{CredentialVersion, LevelResult, Resolved, Seen, seconds_to};
use super::walk_arguments::WalkArguments;
use crate::audit::reveals;
use crate::error::Error;
use crate::pg::call::statement;
use crate::pg::server::guc::RequireUser;
use crate::settings;
use crate::store::lookup::{Candidate, Likely, Lookup, Sought};
use crate::store::members;
use crate::store::providers::{self, Entry};
use crate::store::versions::Previous;

/// So often is a level asked again whose keys were not found as they had been listed.
const SLOTS_ASKED_AGAIN: usize = 2;

/// A request for a credential.
pub struct Request {
    /// The provider that a credential is wanted for; none where the caller takes one that does not exist for one without credentials.
    provider: Option<Entry>,
    /// The user who asks, or for whom a backend asks.
    user: Option<String>,
    /// The organisation in whose name they act.
    org: Option<String>,
    /// The model, for credentials that are kept for one.
    model: Option<String>,
    /// The host that the credential will be sent to; a credential that is not for it is passed over.
    host: Option<String>,
    /// All when none are named.
    levels: Option<Vec<Level>>,
    /// The one key that is wanted of those that an owner has for the use; the first that can be used when empty.
    slot: String,
}

impl Request {
    /// Parses the provider, and the arguments that all functions of the walk share.
    pub fn new(provider: Option<&str>, arguments: WalkArguments<'_>) -> Result<Self, Error> {
        Self::new_or(None, provider, arguments)
    }

    /// The same, where `p_unknown` says what becomes of a provider that does not exist.
    pub fn new_or(
        unknown: Option<&str>,
        provider: Option<&str>,
        arguments: WalkArguments<'_>,
    ) -> Result<Self, Error> {
        let is_taken = input::takes_unknown(unknown)?;
        let WalkArguments { user, org, model, host, levels } = arguments;
        let parse = |word: &String| {
            Level::parse(word).ok_or(Error::BadInput("p_levels names a level that does not exist"))
        };
        let provider = match providers::in_use(required(provider, "p_provider must not be null")?) {
            Err(Error::UnknownProvider { .. }) if is_taken => None,
            found => Some(found?),
        };
        Ok(Self {
            provider,
            user: user.map(identifier).transpose()?,
            org: org.map(identifier).transpose()?,
            model: short(model, "p_model may have 1024 bytes at most")?
                .filter(|model| !model.is_empty())
                .map(str::to_owned),
            host: short(host, "p_host may have 1024 bytes at most")?.map(str::to_owned),
            levels: levels.map(|words| words.iter().map(parse).collect()).transpose()?,
            slot: String::new(),
        })
    }

    /// The same, for one of the keys that an owner has for the use.
    pub fn only(self, slot: Option<&str>) -> Result<Self, Error> {
        Ok(Self { slot: input::slot(slot)?.to_owned(), ..self })
    }

    /// The same without the installation's levels, where one key is asked for by its slot.
    pub fn without_slots_of_all(self) -> Self {
        if self.slot.is_empty() {
            return self;
        }
        let is_own = |level: &Level| !matches!(level, Level::Global | Level::GlobalModel);
        let levels = self.levels.unwrap_or_else(|| Level::ALL.to_vec()).into_iter().filter(is_own).collect();
        Self { levels: Some(levels), ..self }
    }

    /// The same, made by somebody who may ask for anybody: what follows is done for the user named.
    ///
    /// With `hftok.require_user = always` they must say for whom, or at which levels: a user whom a client left out would
    /// otherwise be served by the installation's credential.
    pub fn on_behalf(self) -> Result<Self, Error> {
        let is_for_nobody = self.user.is_none() && self.org.is_none() && self.levels.is_none();
        if is_for_nobody && settings::require_user() == RequireUser::Always {
            return Err(Error::BadInput(
                "name p_user_id, p_org_id or p_levels: hftok.require_user does not allow a walk for nobody",
            ));
        }
        if let Some(user) = &self.user {
            statement::act_for(user);
        }
        Ok(self)
    }

    /// The user named.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The organisation named.
    pub fn org(&self) -> Option<&str> {
        self.org.as_deref()
    }

    /// The same, for one level alone.
    pub fn at(self, level: Level) -> Self {
        Self { levels: Some(vec![level]), ..self }
    }

    /// Walks until a credential can be used, and shows each level to `visit`. `None` when no level has one; the first
    /// that stops the walk is an error.
    pub fn walk(&self, visit: impl FnMut(LevelResult)) -> Result<Option<Resolved>, Error> {
        self.walk_to(None, visit)
    }

    /// The same, where it was said which credential is likely.
    pub fn walk_to(
        &self,
        likely: Option<Likely<'_>>,
        mut visit: impl FnMut(LevelResult),
    ) -> Result<Option<Resolved>, Error> {
        let likely = likely.map(|likely| likely.sought());
        let mut lookup = Lookup::now()?;
        let mut end = None;
        for level in Level::ALL {
            if end.is_some() || !self.is_asked(level) {
                visit(LevelResult { level, outcome: Outcome::NotReached, secret: None });
                continue;
            }
            let (step, value) = self.ask(&mut lookup, level, likely.as_ref())?;
            let stored = step.secret.as_ref().map(|secret| secret.stored);
            let may_continue = step.secret.as_ref().is_some_and(|secret| secret.may_continue);
            if let (Outcome::Used, Some(value)) = (step.outcome, value) {
                let slot = step.secret.as_ref().map(|secret| secret.slot.clone()).unwrap_or_default();
                end = Some(Ok(Resolved { level, value, stored, slot }));
            } else if !step.outcome.goes_on(may_continue) {
                let secret_id = stored.map(|stored| stored.id);
                let has_own_hosts = step.secret.as_ref().is_some_and(|secret| secret.has_own_hosts);
                let rested_until = step.secret.as_ref().and_then(|secret| secret.rested_until);
                let retry_after =
                    rested_until.filter(|_| step.outcome == Outcome::RateLimited).map(seconds_to);
                let outcome = step.outcome;
                end = Some(Err(Error::Unusable { level, outcome, secret_id, has_own_hosts, retry_after }));
            }
            visit(step);
        }
        end.transpose()
    }

    /// Whether the walk may come to a level.
    pub fn is_asked(&self, level: Level) -> bool {
        self.levels.as_ref().is_none_or(|levels| levels.contains(&level))
    }

    /// Records that the value found at a level is handed out.
    pub fn record(&self, level: Level, stored: Option<CredentialVersion>) -> Result<(), Error> {
        self.record_to(None, level, stored)
    }

    /// The same, where it is known to whom.
    pub fn record_to(
        &self,
        recipient: Option<&str>,
        level: Level,
        stored: Option<CredentialVersion>,
    ) -> Result<(), Error> {
        let (scope, owner) = self.owner(level).map_or(("", ""), |(scope, id)| (scope.as_str(), id));
        let object = Object {
            id: stored.map(|stored| *stored.id.as_bytes()),
            version: stored.map(|stored| stored.version),
            level: Some(level.as_str()),
            subject: recipient,
            ..Object::owned(scope, owner, self.provider_id())
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
            is_resting: false,
            host_allowed: own_hosts.is_none() || host_allowed(host, own_hosts, &[]),
        };
        match found.objection() {
            None => Ok(()),
            Some(outcome) => {
                let (secret_id, has_own_hosts) = (Some(previous.row.id), own_hosts.is_some());
                Err(Error::Unusable { level, outcome, secret_id, has_own_hosts, retry_after: None })
            }
        }
    }

    /// Asks one level. The value is there exactly when the outcome is `Used`.
    fn ask(
        &self,
        lookup: &mut Lookup,
        level: Level,
        likely: Option<&Sought<'_>>,
    ) -> Result<(LevelResult, Option<Plaintext>), Error> {
        let without = |outcome| LevelResult { level, outcome, secret: None };
        if level == Level::Environment {
            // A variable is in no slot: whoever names one wants that key, and not the installation's.
            if !self.slot.is_empty() || self.provider.is_none() {
                return Ok((without(Outcome::Absent), None));
            }
            let variables = settings::environment(self.provider_id());
            let Some(value) = variables.iter().find_map(|name| Plaintext::of_environment(name)) else {
                return Ok((without(Outcome::Absent), None));
            };
            return Ok(if host_allowed(self.host.as_deref(), None, self.hosts()) {
                (without(Outcome::Used), Some(value))
            } else {
                (without(Outcome::HostRefused), None)
            });
        }
        let Some(binding) = self.binding(level) else { return Ok((without(Outcome::Absent), None)) };
        if self.slot.is_empty() && lookup.may_have_slots(&binding) {
            return self.ask_slots(lookup, level, &binding);
        }
        let other = Sought::perhaps(binding);
        let sought = likely.filter(|likely| likely.is_of(&binding)).unwrap_or(&other);
        match lookup.find(sought, |secret| self.judge(level, secret)) {
            Ok(found) => Ok(found.unwrap_or((without(Outcome::Absent), None))),
            Err(Error::Damaged { .. }) => Ok((without(Outcome::DecryptFailed), None)),
            Err(error) => Err(error),
        }
    }

    /// Asks a level whose owner may have several keys, in their order, until one ends it.
    fn ask_slots(
        &self,
        lookup: &mut Lookup,
        level: Level,
        binding: &Binding<'_>,
    ) -> Result<(LevelResult, Option<Plaintext>), Error> {
        let mut asked = self.ask_slots_now(lookup, level, binding)?;
        for _ in 0..SLOTS_ASKED_AGAIN {
            // A key without a row may have been saved or deleted since the moment that the walk sees: it is asked for once more, now.
            if asked.0.outcome != Outcome::DecryptFailed || asked.0.secret.is_some() {
                break;
            }
            *lookup = Lookup::now()?;
            asked = self.ask_slots_now(lookup, level, binding)?;
        }
        Ok(asked)
    }

    /// The same at one moment.
    fn ask_slots_now(
        &self,
        lookup: &mut Lookup,
        level: Level,
        binding: &Binding<'_>,
    ) -> Result<(LevelResult, Option<Plaintext>), Error> {
        let without = |outcome| (LevelResult { level, outcome, secret: None }, None);
        let mut keys: Option<Keys<(LevelResult, Option<Plaintext>)>> = None;
        let mut rested_until = None;
        for slot in lookup.slots(binding)? {
            let one = Binding { slot: &slot, ..*binding };
            // One that was changed behind hftok's back, and so is not found under what it says, is not passed over: whoever did it
            // would choose which key is used.
            let found = match lookup.find(&Sought::perhaps(one), |secret| self.judge(level, secret)) {
                Ok(Some(found)) => found,
                Ok(None) | Err(Error::Damaged { .. }) => without(Outcome::DecryptFailed),
                Err(error) => return Err(error),
            };
            let (outcome, secret) = (found.0.outcome, found.0.secret.as_ref());
            let may_continue = secret.is_some_and(|secret| secret.may_continue);
            let ends = [rested_until, secret.and_then(|secret| secret.rested_until)];
            rested_until = ends.into_iter().flatten().min();
            let asked = match keys {
                None => Keys::first(found, outcome, may_continue),
                Some(keys) => keys.then(found, outcome, may_continue),
            };
            let is_over = !asked.outcome.passes_on();
            keys = Some(asked);
            if is_over {
                break;
            }
        }
        let Some(Keys { told: (mut step, value), may_continue, .. }) = keys else {
            return Ok(without(Outcome::Absent));
        };
        if let Some(secret) = &mut step.secret {
            (secret.may_continue, secret.rested_until) = (may_continue, rested_until);
        }
        Ok((step, value))
    }

    /// Whether a secret may be used, and its value if so.
    fn judge(&self, level: Level, secret: &Candidate<'_>) -> Result<(LevelResult, Option<Plaintext>), Error> {
        let mut away = None;
        let (outcome, value) = match self.found(level, secret)?.objection() {
            Some(outcome) => (outcome, None),
            None => match secret.open() {
                Ok(value) => (Outcome::Used, Some(value)),
                Err(error) if error.is_damage() => (Outcome::DecryptFailed, None),
                Err(Error::OrgSealed { .. }) => (Outcome::Sealed, None),
                Err(Error::OrgKeyAway { fault, .. }) => {
                    away = Some(fault);
                    (Outcome::Sealed, None)
                }
                Err(error) => return Err(error),
            },
        };
        Ok((LevelResult { level, outcome, secret: Some(Seen { away, ..Seen::from(secret) }) }, value))
    }

    /// The provider's name; empty for one that does not exist.
    fn provider_id(&self) -> &str {
        self.provider.as_deref().map_or("", |provider| provider.id.as_str())
    }

    /// The hosts that the catalogue has for the provider.
    fn hosts(&self) -> &[String] {
        self.provider.as_deref().map_or(&[], |provider| provider.hosts.as_slice())
    }

    /// The binding of a level's credential; none when the request does not name its owner, or the provider does not exist.
    fn binding(&self, level: Level) -> Option<Binding<'_>> {
        let provider = self.provider.as_deref()?.id.as_str();
        let (scope, scope_id) = self.owner(level)?;
        let model = if level.is_for_model() { self.model.as_deref()? } else { "" };
        Some(Binding { scope, scope_id, provider, model, name: "", slot: &self.slot })
    }

    /// The owner of a level's credential; none when the request does not name one.
    fn owner(&self, level: Level) -> Option<(Scope, &str)> {
        match level {
            Level::User | Level::UserModel => Some((Scope::User, self.user()?)),
            Level::Org | Level::OrgModel => Some((Scope::Org, self.org()?)),
            Level::Global | Level::GlobalModel => Some((Scope::Global, "")),
            Level::Environment => None,
        }
    }

    /// A credential of an organisation serves its members only, and that is asked when it was found.
    fn found(&self, level: Level, secret: &Candidate<'_>) -> Result<Found, Error> {
        let is_member = match (level, &self.user, &self.org) {
            (Level::Org | Level::OrgModel, Some(user), Some(org)) => members::role(org, user)?.is_some(),
            _ => true,
        };
        Ok(Found {
            is_member,
            is_enabled: secret.is_enabled,
            is_expired: secret.is_expired(),
            is_invalid: secret.is_invalid,
            is_resting: secret.is_resting(),
            host_allowed: host_allowed(self.host.as_deref(), secret.allowed_hosts.as_deref(), self.hosts()),
        })
    }
}
