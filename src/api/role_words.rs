//! An application's own words for roles, and what each means.

use crate::error::Error;
use crate::store::members::Role;

/// The meanings of an application's words for roles; those of hftok's own mean what they say. `None` is no member.
#[derive(Default)]
pub struct RoleWords(Vec<(String, Option<Role>)>);

impl RoleWords {
    /// Reads entries `word=role`.
    pub fn parse<'a>(entries: impl Iterator<Item = &'a str>) -> Result<Self, Error> {
        const COMPLAINT: Error = Error::BadInput(
            "a meaning of a role is word=owner, word=admin, word=member or word=none; the word * is every other one",
        );
        let parse = |entry: &str| {
            let (word, role) = entry.rsplit_once('=').ok_or(COMPLAINT)?;
            match (role.trim(), Role::parse(role.trim())) {
                (_, Some(role)) => Ok((folded(word), Some(role))),
                ("none", None) => Ok((folded(word), None)),
                _ => Err(COMPLAINT),
            }
        };
        entries.map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// The role that a word means.
    pub fn role(&self, word: &str) -> Option<Role> {
        let word = folded(word);
        let given = |word: &str| self.0.iter().find(|(known, _)| known == word).map(|(_, role)| *role);
        given(&word).or_else(|| Role::parse(&word).map(Some)).or_else(|| given("*")).flatten()
    }
}

/// A word of a role as it is compared. Postgres writes booleans as one letter.
pub fn folded(word: &str) -> String {
    match word.trim().to_lowercase().as_str() {
        "t" => "true".to_owned(),
        "f" => "false".to_owned(),
        word => word.to_owned(),
    }
}
