//! The environment of the child: what hftok answers over what was inherited.
//!
//! What must stay true: a variable that decides what runs or whom it trusts is never set by an answer; of one provider the
//! child gets either hftok's credential, whole, or the one that was there before; nothing is removed without a word.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use hftok_core::provider::{Provider, builtin, find, is_reserved};
use zeroize::Zeroizing;

use super::mask::Values;
use crate::failure::Failure;

/// Other names of a Hugging Face token. Libraries beside `huggingface_hub`, and older versions of it, read them before `HF_TOKEN`.
const OTHER_NAMES: [&str; 6] = [
    "HUGGING_FACE_HUB_TOKEN",
    "HUGGINGFACE_HUB_TOKEN",
    "HUGGING_FACE_ACCESS_TOKEN",
    "HUGGINGFACEHUB_API_TOKEN",
    "HUGGINGFACE_API_KEY",
    "HF_ACCESS_TOKEN",
];

/// With this variable `huggingface_hub` sends a token only where code names it.
const NOT_IMPLICIT: &str = "HF_HUB_DISABLE_IMPLICIT_TOKEN";

/// What hftok answers: a value a name, or none for a variable to unset.
#[derive(Default, serde::Deserialize, PartialEq, Eq)]
pub struct Answer(BTreeMap<String, Option<Zeroizing<String>>>);

/// The variables of one provider.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Those that hold its credential.
    pub holding: Vec<String>,
    /// All of them.
    pub all: Vec<String>,
}

/// What becomes of the inherited environment.
#[derive(Default, PartialEq, Eq)]
pub struct Variables {
    /// Set, each to a value of hftok's.
    set: BTreeMap<String, Zeroizing<String>>,
    /// Removed.
    removed: Vec<String>,
    /// What people are told of it.
    words: Vec<String>,
}

impl Answer {
    /// Reads what `runner_env()` or a runner answers.
    pub fn read(text: &str, function: &'static str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|_| Failure::Answer { function })
    }

    /// The part of it that is about these providers; all of it, where none is named.
    pub fn only(mut self, providers: &[String]) -> Result<Self, Failure> {
        let find = |name: &String| {
            let unknown = || {
                Failure::Usage(format!(
                    "{name} is no provider of the built-in catalogue: a runner gives it by its token alone"
                ))
            };
            find(name).ok_or_else(unknown)
        };
        let wanted: Vec<&Provider> = providers.iter().map(find).collect::<Result<_, _>>()?;
        if !wanted.is_empty() {
            self.0
                .retain(|name, _| wanted.iter().any(|provider| provider.variables().any(|one| one == name)));
        }
        Ok(self)
    }

    /// Whether it gives a credential to this group.
    fn gives(&self, group: &Group) -> bool {
        group.holding.iter().any(|name| matches!(self.0.get(name), Some(Some(_))))
    }

    /// Names to unset that no provider of the catalogue has.
    pub fn unknown_to_unset(&self) -> impl Iterator<Item = &str> {
        let unset = self.0.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str());
        unset
            .filter(|name| !builtin().iter().any(|provider| provider.variables().any(|known| known == *name)))
    }
}

impl Group {
    /// The variables of a provider of the catalogue.
    pub fn of(provider: &Provider) -> Self {
        let fields = provider.fields.iter().flat_map(|field| &field.env);
        Self {
            holding: fields.chain(&provider.environment.document).cloned().collect(),
            all: provider.variables().map(str::to_owned).collect(),
        }
    }
}

impl Variables {
    /// What `answer` makes of an environment that has `inherited`; `more` are the groups that the catalogue does not know.
    pub fn of(
        answer: Answer,
        more: &[Group],
        inherited: impl Fn(&str) -> bool,
        exclusive: bool,
    ) -> Result<Self, Failure> {
        let groups: Vec<Group> = builtin().iter().map(Group::of).chain(more.iter().cloned()).collect();
        let given: Vec<bool> = groups.iter().map(|group| answer.gives(group)).collect();
        let mut variables = Self::default();
        for (name, value) in &answer.0 {
            let of_it = || groups.iter().zip(&given).filter(|(group, _)| group.all.contains(name));
            if of_it().next().is_none() && is_reserved(name) {
                return Err(Failure::Usage(format!(
                    "the answer names {}, which is no variable for a credential: nothing was started",
                    name.escape_debug()
                )));
            }
            let is_given = of_it().any(|(_, given)| *given);
            // Of a provider that nobody describes, each variable is a credential by itself.
            let holds = of_it().next().is_none() || of_it().any(|(group, _)| group.holding.contains(name));
            match value {
                Some(value) if value.contains('\0') => {
                    return Err(Failure::Usage(format!(
                        "the value of {name} cannot stand in an environment"
                    )));
                }
                Some(value) if holds || exclusive => {
                    variables.set.insert(name.clone(), value.clone());
                }
                // What keeps a process from finding other credentials is for `--exclusive`.
                Some(_) => {}
                None if is_given => variables.remove(name, &inherited, "hftok's credential takes its place"),
                None if exclusive => variables.remove(
                    name,
                    &inherited,
                    "hftok gives none, and --exclusive says that no other one is used",
                ),
                None => {}
            }
        }
        variables.hugging_face(&answer, &inherited, exclusive);
        Ok(variables)
    }

    /// The Hub's token has more names than the catalogue.
    fn hugging_face(&mut self, answer: &Answer, inherited: &impl Fn(&str) -> bool, exclusive: bool) {
        let is_given = self.set.contains_key("HF_TOKEN");
        let is_withheld = exclusive && answer.0.contains_key("HF_TOKEN");
        if !is_given && !is_withheld {
            return;
        }
        for name in OTHER_NAMES {
            self.remove(name, inherited, "it is another name of HF_TOKEN, and some clients read it first");
        }
        if is_given && inherited(NOT_IMPLICIT) {
            self.words.push(format!(
                "{NOT_IMPLICIT} is set: huggingface_hub sends the token only where code names it"
            ));
        }
    }

    /// Removes a variable; where it is there, with a word.
    fn remove(&mut self, name: &str, inherited: &impl Fn(&str) -> bool, why: &str) {
        if inherited(name) && !self.removed.iter().any(|removed| removed == name) {
            self.removed.push(name.to_owned());
            self.words.push(format!("{name} was removed from the environment: {why}"));
        }
    }

    /// Removes what is ours: the way to hftok, which the child was not given. `password` is whether libpq's is ours as well.
    pub fn keep_connection_back(&mut self, names: impl Iterator<Item = OsString>, password: bool) {
        let ours = names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with("HFTOK_"));
        self.removed.extend(ours);
        self.remove("PGPASSWORD", &|_| password, "it opens the vault; --keep-connection leaves it there");
    }

    /// What people are told.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The names that are set, and their values.
    pub fn set(&self) -> impl Iterator<Item = (&str, &Zeroizing<String>)> {
        self.set.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The value that the child will see: hftok's, or the inherited one.
    pub fn seen(&self, name: &str) -> Option<Zeroizing<String>> {
        match self.set.get(name) {
            Some(value) => Some(value.clone()),
            None if self.removed.iter().any(|removed| removed == name) => None,
            None => std::env::var(name).ok().filter(|value| !value.is_empty()).map(Zeroizing::new),
        }
    }

    /// What must not be seen of them: hftok's values, and those of the same kind that were there before.
    pub fn secrets(&self) -> Values {
        let mut values = Values::default();
        for provider in builtin() {
            let document = provider.environment.document.iter();
            let fields = provider.fields.iter().filter(|field| field.secret).flat_map(|field| &field.env);
            for name in fields.chain(document).map(String::as_str) {
                self.seen(name).iter().for_each(|value| values.add(name, value));
            }
        }
        for name in OTHER_NAMES {
            self.seen(name).iter().for_each(|value| values.add(name, value));
        }
        // Of an operator's own provider nobody here knows which field is secret.
        let is_known =
            |name: &str| builtin().iter().any(|provider| provider.variables().any(|known| known == name));
        for (name, value) in self.set().filter(|(name, _)| !is_known(name)) {
            values.add(name, value);
        }
        values
    }

    /// Puts them into what a command is started with.
    pub fn apply(&self, command: &mut std::process::Command) {
        self.removed.iter().for_each(|name| {
            command.env_remove(name);
        });
        self.set.iter().for_each(|(name, value)| {
            command.env(name, OsStr::new(value.as_str()));
        });
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn of(answer: &str, inherited: &[&str], exclusive: bool) -> Variables {
        let answer = Answer::read(answer, "runner_env").expect("an answer");
        Variables::of(answer, &[], |name| inherited.contains(&name), exclusive).expect("variables")
    }

    fn set(variables: &Variables) -> Vec<&str> {
        variables.set().map(|(name, _)| name).collect()
    }

    const GIVEN: &str = r#"{"HF_TOKEN": "hf_a", "HF_OIDC_RESOURCE": null}"#;
    const WITHHELD: &str = r#"{"HF_TOKEN": null, "HF_OIDC_RESOURCE": null, "HUGGING_FACE_HUB_TOKEN": null, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}"#;

    #[test]
    fn what_outranks_a_given_token_is_removed_with_a_word() {
        let variables = of(GIVEN, &["HF_OIDC_RESOURCE", "HUGGING_FACE_ACCESS_TOKEN", "HF_TOKEN"], false);
        assert_eq!(set(&variables), ["HF_TOKEN"]);
        assert_eq!(variables.removed, ["HF_OIDC_RESOURCE", "HUGGING_FACE_ACCESS_TOKEN"]);
        assert_eq!(variables.words().len(), 2);
    }

    #[test]
    fn a_token_that_was_there_passes_through_unless_exclusive() {
        let variables = of(WITHHELD, &["HF_TOKEN", "HF_OIDC_RESOURCE"], false);
        assert!(variables == Variables::default());
        let variables = of(WITHHELD, &["HF_TOKEN"], true);
        assert_eq!(
            (set(&variables), variables.removed.as_slice()),
            (vec![NOT_IMPLICIT], &["HF_TOKEN".to_owned()][..])
        );
    }

    #[test]
    fn a_credential_of_several_fields_is_given_whole() {
        let answer =
            r#"{"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": null}"#;
        let variables = of(answer, &["AWS_SESSION_TOKEN"], false);
        assert_eq!(variables.removed, ["AWS_SESSION_TOKEN"]);
    }

    #[test]
    fn variables_that_decide_what_runs_are_refused() {
        for name in ["PATH", "LD_PRELOAD", "HOME", "PGPASSWORD", "http_proxy", "A=B", ""] {
            for value in ["\"x\"", "null"] {
                let answer =
                    Answer::read(&format!("{{\"{name}\": {value}}}"), "runner_env").expect("an answer");
                let refused =
                    Variables::of(answer, &[], |_| true, true).err().map(|failure| failure.to_string());
                assert!(refused.is_some_and(|words| words.contains("nothing was started")), "{name}");
            }
        }
        let nul = Answer::read(r#"{"MY_TOKEN": "a\u0000b"}"#, "runner_env").expect("an answer");
        assert!(Variables::of(nul, &[], |_| true, false).is_err());
    }

    #[test]
    fn what_is_ours_stays_ours() {
        let mut variables = Variables::default();
        let names = ["HFTOK_JWT", "HF_TOKEN", "HFTOK_RUNNER_TOKEN"].map(OsString::from);
        variables.keep_connection_back(names.into_iter(), true);
        assert_eq!(variables.removed, ["HFTOK_JWT", "HFTOK_RUNNER_TOKEN", "PGPASSWORD"]);
        assert_eq!(variables.words().len(), 1);
    }
}
