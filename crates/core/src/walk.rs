//! The walk without a database: rules that decide which credential a request may use.
//!
//! Levels are asked in a fixed order. One that is *absent* is passed over. One that is there but cannot be used stops
//! the walk, unless its owner allowed going on; one that does not open always stops it. So nobody pays with somebody
//! else's key without knowing. Of several keys of one owner the first that can be used is used. `docs/the-walk.md` has the
//! table that a test checks cell by cell.

use crate::binding::Scope;

/// A place that a credential may come from. The levels stand in the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The user's for this model.
    UserModel,
    /// The organisation's for this model.
    OrgModel,
    /// The installation's for this model.
    GlobalModel,
    /// The user's.
    User,
    /// The organisation's.
    Org,
    /// The installation's.
    Global,
    /// A variable of the server's environment.
    Environment,
}

/// The result of asking a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its credential is the one.
    Used,
    /// It has none.
    Absent,
    /// Its credential has ended.
    Expired,
    /// Its credential is switched off.
    Disabled,
    /// The provider refused it.
    Invalid,
    /// The provider asked for a rest, which is not over.
    RateLimited,
    /// It does not open.
    DecryptFailed,
    /// The user named does not belong to the organisation.
    NotMember,
    /// It may not be sent to this host.
    HostRefused,
    /// Its organisation has sealed it.
    Sealed,
    /// The walk was over before.
    NotReached,
}

/// The facts that are known of a credential before it is opened.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// The user named, if any, belongs to its organisation, if it has one.
    pub is_member: bool,
    /// Not switched off.
    pub is_enabled: bool,
    /// Its time is over.
    pub is_expired: bool,
    /// The provider refused it.
    pub is_invalid: bool,
    /// The provider asked for a rest, which is not over.
    pub is_resting: bool,
    /// It may be sent where the request wants to send it.
    pub host_allowed: bool,
}

impl Level {
    /// All levels, in order.
    pub const ALL: [Self; 7] = [
        Self::UserModel,
        Self::OrgModel,
        Self::GlobalModel,
        Self::User,
        Self::Org,
        Self::Global,
        Self::Environment,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserModel => "user_model",
            Self::OrgModel => "org_model",
            Self::GlobalModel => "global_model",
            Self::User => "user",
            Self::Org => "org",
            Self::Global => "global",
            Self::Environment => "environment",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == word)
    }

    /// The level that a credential of this scope is for, if it is for one.
    pub fn of(scope: Scope, is_for_model: bool) -> Option<Self> {
        match (scope, is_for_model) {
            (Scope::User, true) => Some(Self::UserModel),
            (Scope::User, false) => Some(Self::User),
            (Scope::Org, true) => Some(Self::OrgModel),
            (Scope::Org, false) => Some(Self::Org),
            (Scope::Global, true) => Some(Self::GlobalModel),
            (Scope::Global, false) => Some(Self::Global),
            (Scope::Vault | Scope::Integration | Scope::OrgIntegration, _) => None,
        }
    }

    /// Whether it is about one model.
    pub fn is_for_model(self) -> bool {
        matches!(self, Self::UserModel | Self::OrgModel | Self::GlobalModel)
    }
}

impl Outcome {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Absent => "absent",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
            Self::Invalid => "invalid",
            Self::RateLimited => "rate_limited",
            Self::DecryptFailed => "decrypt_failed",
            Self::NotMember => "not_member",
            Self::HostRefused => "host_refused",
            Self::Sealed => "sealed",
            Self::NotReached => "not_reached",
        }
    }

    /// Whether the next level is asked; `may_continue` is what the owner of this one allows.
    pub fn goes_on(self, may_continue: bool) -> bool {
        match self {
            Self::Absent => true,
            Self::Used | Self::DecryptFailed | Self::Sealed | Self::NotReached => false,
            Self::Expired
            | Self::Disabled
            | Self::Invalid
            | Self::RateLimited
            | Self::NotMember
            | Self::HostRefused => may_continue,
        }
    }

    /// Whether the owner's next key for the same use is asked. It is the owner's own, so nobody's leave is needed; but one that
    /// does not open is no reason to take another.
    pub fn passes_on(self) -> bool {
        self.goes_on(true)
    }
}

impl Found {
    /// The first objection to the credential. Objections are asked in this order: whether the caller may know of it at
    /// all, the owner's decisions, the things that happened to it, and the wishes of this request.
    pub fn objection(&self) -> Option<Outcome> {
        [
            (!self.is_member, Outcome::NotMember),
            (!self.is_enabled, Outcome::Disabled),
            (self.is_expired, Outcome::Expired),
            (self.is_invalid, Outcome::Invalid),
            (self.is_resting, Outcome::RateLimited),
            (!self.host_allowed, Outcome::HostRefused),
        ]
        .into_iter()
        .find_map(|(holds, outcome)| holds.then_some(outcome))
    }
}

/// The keys of one owner for one use, as far as they have been asked: in their order, until one ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys<T> {
    /// The key that speaks for the level: the one that is used or does not open, else the first.
    pub told: T,
    /// Its outcome.
    pub outcome: Outcome,
    /// Whether the owner lets the walk go on to another owner: only if each of the keys says so.
    pub may_continue: bool,
}

impl<T> Keys<T> {
    /// After the first key.
    pub fn first(told: T, outcome: Outcome, may_continue: bool) -> Self {
        Self { told, outcome, may_continue }
    }

    /// After one key more, which is asked only if those before it pass on.
    pub fn then(self, told: T, outcome: Outcome, may_continue: bool) -> Self {
        if outcome.passes_on() {
            Self { may_continue: self.may_continue && may_continue, ..self }
        } else {
            Self { told, outcome, may_continue }
        }
    }
}

/// Whether a credential may be sent to `host`. `own` are the hosts its owner restricts it to, `usual` those of the
/// catalogue. Restricted, it is released only for a host on its list; otherwise the catalogue decides when a host is
/// named, and nothing does when none is.
pub fn host_allowed(host: Option<&str>, own: Option<&[String]>, usual: &[String]) -> bool {
    match (host, own) {
        (None, own) => own.is_none(),
        (Some(host), own) => own.unwrap_or(usual).iter().any(|pattern| host_matches(pattern, host)),
    }
}

/// Whether a text can be the pattern of a host: labels of letters, digits and hyphens, of which each may be `*`. A text
/// that is no pattern would match nothing, without its author knowing.
pub fn is_host_pattern(pattern: &str) -> bool {
    pattern.split('.').all(|label| label == "*" || is_label(label)) && pattern != "*"
}

/// Whether every host that `narrow` matches is matched by `wide` as well.
pub fn host_covers(wide: &str, narrow: &str) -> bool {
    let fits = |(wide, narrow): (&str, &str)| wide == "*" || wide.eq_ignore_ascii_case(narrow);
    match (wide.strip_prefix("*."), narrow.strip_prefix("*.")) {
        (None, None) => {
            wide.split('.').count() == narrow.split('.').count()
                && wide.split('.').zip(narrow.split('.')).all(fits)
        }
        // In front `*.` stands for several labels, which no pattern of a fixed length matches.
        (None, Some(_)) => false,
        (Some(domain), inner) => {
            // The `*.` of `wide` takes one label of `narrow` at least.
            let labels = inner.map_or(narrow.split('.').count() - 1, |inner| inner.split('.').count());
            let narrow = inner.unwrap_or(narrow);
            labels >= domain.split('.').count() && domain.rsplit('.').zip(narrow.rsplit('.')).all(fits)
        }
    }
}

/// Letters, digits and hyphens: nothing that a client could take for the end of a host name.
fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Host names are compared label by label without regard to case. In a pattern `*` stands for one label, and `*.` in
/// front for one or more. A text that is no host name matches nothing, because a client that connects would read it
/// otherwise.
fn host_matches(pattern: &str, host: &str) -> bool {
    let host = host.strip_suffix(":443").unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    if !host.split('.').all(is_label) {
        return false;
    }
    let fits = |(pattern, label): (&str, &str)| pattern == "*" || pattern.eq_ignore_ascii_case(label);
    match pattern.strip_prefix("*.") {
        Some(domain) => {
            let (mut wanted, mut labels) = (domain.rsplit('.'), host.rsplit('.'));
            wanted.by_ref().all(|part| labels.next().is_some_and(|label| fits((part, label))))
                && labels.next().is_some()
        }
        None => {
            pattern.split('.').count() == host.split('.').count()
                && pattern.split('.').zip(host.split('.')).all(fits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, Outcome, host_allowed};

    fn list(hosts: &[&str]) -> Vec<String> {
        hosts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for level in Level::ALL {
            assert_eq!(Level::parse(level.as_str()), Some(level));
        }
        assert_eq!(Level::parse("none"), None);
    }

    #[test]
    fn hosts() {
        let usual = list(&["api.example.com", "*.cloud.example.com"]);
        let allowed = |host| host_allowed(Some(host), None, &usual);
        assert!(allowed("API.example.com") && allowed("a.b.Cloud.Example.com"));
        assert!(
            !allowed("cloud.example.com")
                && !allowed("evilcloud.example.com")
                && !allowed(".cloud.example.com.evil")
        );
        assert!(
            allowed("api.example.com.") && allowed("api.example.com:443") && !allowed("api.example.com:8443")
        );
        for trick in [
            "evil.com/.cloud.example.com",
            "evil.com\\@x.cloud.example.com",
            "a..cloud.example.com",
            "evil.com#.cloud.example.com",
        ] {
            assert!(!allowed(trick), "{trick}");
        }
        let middle = list(&["sts.*.example.com"]);
        assert!(host_allowed(Some("sts.eu.example.com"), None, &middle));
        assert!(
            !host_allowed(Some("sts.a.b.example.com"), None, &middle)
                && !host_allowed(Some("sts.example.com"), None, &middle)
        );
        assert!(!allowed("") && !allowed("éé.cloud.example.co"));
        assert!(host_allowed(None, None, &usual));
        assert!(!host_allowed(None, Some(&usual), &usual), "restricted to hosts, and none named");
        assert!(!host_allowed(Some("api.example.com"), Some(&list(&["other"])), &usual));
        assert!(!host_allowed(Some("api.example.com"), Some(&[]), &usual));
    }

    /// Against every host of a few labels: one pattern covers another exactly if it matches all that the other does.
    #[test]
    fn a_pattern_covers_what_matches_nothing_else() {
        let labels = ["a", "b", "example"];
        let mut hosts: Vec<String> = labels.iter().map(ToString::to_string).collect();
        for from in [0, 3, 12] {
            let longer: Vec<String> =
                hosts[from..].iter().flat_map(|host| labels.map(|label| format!("{label}.{host}"))).collect();
            hosts.extend(longer);
        }
        let patterns = [
            "a.example",
            "*.example",
            "a.*.example",
            "*.a.example",
            "*.*.example",
            "b.a.example",
            "A.Example",
            "*.a.*",
            "a",
        ];
        for (wide, narrow) in
            patterns.iter().flat_map(|wide| patterns.iter().map(move |narrow| (wide, narrow)))
        {
            let matches = |pattern: &str, host: &str| super::host_matches(pattern, host);
            let all = hosts.iter().filter(|host| matches(narrow, host)).all(|host| matches(wide, host));
            assert_eq!(super::host_covers(wide, narrow), all, "{wide} {narrow}");
        }
    }

    #[test]
    fn patterns_of_hosts() {
        for pattern in ["a.example", "localhost", "*.a.example", "sts.*.a.example", "10.0.0.1"] {
            assert!(super::is_host_pattern(pattern), "{pattern}");
        }
        for pattern in [
            "",
            "*",
            "https://a.example",
            "a.example/",
            "a..example",
            ".a",
            "a.",
            "a b",
            "x*.a.example",
            "é.example",
        ] {
            assert!(!super::is_host_pattern(pattern), "{pattern}");
        }
    }

    #[test]
    fn only_the_absent_and_the_allowed_go_on() {
        assert!(Outcome::Absent.goes_on(false));
        assert!(!Outcome::DecryptFailed.goes_on(true) && !Outcome::Sealed.goes_on(true));
        assert!(Outcome::Expired.goes_on(true) && !Outcome::Expired.goes_on(false));
    }
}
