//! Whether a value can be a credential of a provider.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::{Field, Format, Provider};
use crate::is_uuid;

/// A value that was accepted.
#[derive(Debug)]
pub struct Checked<'a> {
    /// The value without white space around it.
    pub value: &'a str,
    /// Reasons to doubt the value.
    pub warnings: Vec<Warning>,
}

/// A doubt about a value that is stored all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// It looks like no key of the provider that is known.
    FormatUnrecognised,
    /// A remark of the catalogue on keys of this kind: deprecated, legacy.
    Remark(String),
    /// A temporary key of AWS without its session token.
    SessionTokenMissing,
}

/// Why a value is certainly no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Nothing, or only white space.
    #[error("the credential is blank")]
    Blank,
    /// A character that cannot be sent in a header.
    #[error("the credential contains white space or control characters: give it in one piece")]
    Control,
    /// The mask under which it is shown.
    #[error("the credential is a masked one: it was copied from where only its mask is shown")]
    Masked,
    /// `Bearer ` in front.
    #[error("the credential begins with \"Bearer\": give the key alone")]
    Bearer,
    /// A line of a file of variables.
    #[error("the credential is a line NAME=value: give the value alone")]
    Assignment,
    /// Quotation marks around it.
    #[error("the credential is in quotation marks: give it without")]
    Quoted,
    /// An example.
    #[error("the credential is a placeholder")]
    Placeholder,
    /// Another provider's.
    #[error("the credential is one of another provider")]
    OtherProvider,
    /// A secret of a store of secrets.
    #[error("the credential opens a store of secrets, not a provider")]
    SecretStore,
    /// A JSON object where a key is needed.
    #[error("the credential of this provider is the key alone, not an object")]
    NotAKey,
    /// Not a JSON object where one is needed.
    #[error("the credential must be a JSON object with the fields of this provider")]
    NotAnObject,
    /// A field that must be there is not. The name is the provider's, never one of the value.
    #[error("the field \"{0}\" of the credential is missing")]
    FieldMissing(String),
    /// A field has a value that it cannot have.
    #[error("the field \"{0}\" of the credential has a value that it cannot have")]
    FieldWrong(String),
    /// A field holds a text that no part of a credential is.
    #[error("{fault} (field \"{field}\")")]
    InField {
        /// Its name, which is the provider's.
        field: String,
        /// The fault.
        fault: Box<Rejection>,
    },
    /// More than [`BYTES_MAX`].
    #[error("the credential is longer than {BYTES_MAX} bytes")]
    TooLong,
    /// There is no memory to look at it.
    #[error("there is no memory for the credential")]
    NoMemory,
}

impl Rejection {
    /// The field that is at fault, where one is.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::FieldMissing(field) | Self::FieldWrong(field) | Self::InField { field, .. } => Some(field),
            _ => None,
        }
    }

    /// The same, of a field of the credential.
    fn in_field(self, field: &str) -> Self {
        if self.field().is_some() {
            return self;
        }
        Self::InField { field: field.to_owned(), fault: Box::new(self) }
    }
}

/// No credential is longer: the longest known, certificates with their keys, have some ten thousand bytes.
pub const BYTES_MAX: usize = 64 * 1024;

/// No credential has more members.
pub(super) const MEMBERS_MAX: usize = 100;

/// Prefixes of secret stores, which no provider gives to its keys.
const STORES: [&str; 4] = ["hvs.", "hvb.", "ops_eyJ", "dp.pt."];

impl Provider {
    /// Looks at a value. `others` are the providers whose keys it must not be.
    pub fn check<'a, 'p>(
        &self,
        value: &'a str,
        others: impl IntoIterator<Item = &'p Provider>,
    ) -> Result<Checked<'a>, Rejection> {
        if !self.has_several_fields() && value.trim_start().starts_with('{') {
            return Err(if value.trim().len() > BYTES_MAX { Rejection::TooLong } else { Rejection::NotAKey });
        }
        self.check_document(value, others)
    }

    /// The same for the credentials of an integration, which may be an object also when there is only one field.
    pub fn check_document<'a, 'p>(
        &self,
        value: &'a str,
        others: impl IntoIterator<Item = &'p Provider>,
    ) -> Result<Checked<'a>, Rejection> {
        let value = value.trim();
        if value.is_empty() {
            return Err(Rejection::Blank);
        }
        // Before anything is copied.
        if value.len() > BYTES_MAX {
            return Err(Rejection::TooLong);
        }
        if value.contains(crate::plaintext::MASK) {
            return Err(Rejection::Masked);
        }
        let warnings = if self.has_several_fields() || value.starts_with('{') {
            self.check_object(value, others)?
        } else {
            self.check_key(value, others)?
        };
        Ok(Checked { value, warnings })
    }

    /// A credential that is one word.
    fn check_key<'p>(
        &self,
        value: &str,
        others: impl IntoIterator<Item = &'p Provider>,
    ) -> Result<Vec<Warning>, Rejection> {
        plausible(value)?;
        let ours = self.formats.iter().filter(|format| format.claims(value) || format.fits(value));
        let others = others.into_iter().filter(|other| other.id != self.id).flat_map(|other| &other.formats);
        let theirs = others.filter(|format| format.claims(value));
        // The longer prefix decides: `sk-ant-…` is no key of a provider whose keys begin with `sk-`.
        let is_theirs =
            theirs.map(|format| format.prefix.len()).max() > ours.map(|format| format.prefix.len()).max();
        if is_theirs && !self.any {
            return Err(Rejection::OtherProvider);
        }
        Ok(recognise(&self.formats, value))
    }

    /// A credential that is a JSON object of fields.
    fn check_object<'p>(
        &self,
        value: &str,
        others: impl IntoIterator<Item = &'p Provider>,
    ) -> Result<Vec<Warning>, Rejection> {
        let members = members(value).ok_or(Rejection::NotAnObject)?;
        if let [field] = self.fields.as_slice() {
            return match members
                .get(&field.name)
                .map(|member| member.trim())
                .filter(|member| !member.is_empty())
            {
                Some(member) => self.check_key(member, others).map_err(|fault| fault.in_field(&field.name)),
                None if self.any && !members.is_empty() => Ok(Vec::new()),
                None => Err(Rejection::FieldMissing(field.name.clone())),
            };
        }
        let mut warnings = Vec::new();
        for field in &self.fields {
            match members.get(&field.name).map(|member| member.trim()) {
                None | Some("") if field.optional => {}
                None | Some("") => return Err(Rejection::FieldMissing(field.name.clone())),
                Some(member) => {
                    warnings.extend(field.check(member).map_err(|fault| fault.in_field(&field.name))?);
                }
            }
        }
        let begins =
            |name: &str, prefix: &str| members.get(name).is_some_and(|member| member.starts_with(prefix));
        if self.id == "aws" && begins("access_key_id", "ASIA") && !members.contains_key("session_token") {
            warnings.push(Warning::SessionTokenMissing);
        }
        warnings.dedup();
        Ok(warnings)
    }
}

impl Field {
    /// Rules about a single field, which no other field softens.
    fn check(&self, value: &str) -> Result<Vec<Warning>, Rejection> {
        if !self.equals.is_empty() && !self.equals.iter().any(|allowed| allowed == value) {
            return Err(Rejection::FieldWrong(self.name.clone()));
        }
        if (self.uuid && !is_uuid(value)) || (self.not_uuid && is_uuid(value)) {
            return Err(Rejection::FieldWrong(self.name.clone()));
        }
        if value.contains(crate::plaintext::MASK) {
            return Err(Rejection::Masked);
        }
        let is_pem = value.starts_with("-----BEGIN ");
        if value.chars().any(|letter| letter.is_control() && !(is_pem && matches!(letter, '\n' | '\r'))) {
            return Err(Rejection::Control);
        }
        if self.secret && !is_pem {
            plausible(value)?;
        }
        Ok(recognise(&self.formats, value))
    }
}

/// Finds fault with a value that none of a provider's formats fits. A warning only: providers change their formats.
fn recognise(formats: &[Format], value: &str) -> Vec<Warning> {
    if formats.is_empty() {
        return Vec::new();
    }
    match formats.iter().find(|format| format.fits(value)) {
        Some(format) => format.warning.iter().cloned().map(Warning::Remark).collect(),
        None => vec![Warning::FormatUnrecognised],
    }
}

/// Refuses a value that no key of any provider looks like.
fn plausible(value: &str) -> Result<(), Rejection> {
    if value.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Err(Rejection::Bearer);
    }
    if is_assignment(value) {
        return Err(Rejection::Assignment);
    }
    if ['"', '\'', '`'].iter().any(|quote| value.starts_with(*quote) || value.ends_with(*quote)) {
        return Err(Rejection::Quoted);
    }
    if value.starts_with('<') && value.ends_with('>') || is_placeholder(value) {
        return Err(Rejection::Placeholder);
    }
    if value.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
        return Err(Rejection::Control);
    }
    if STORES.iter().any(|prefix| value.starts_with(prefix)) {
        return Err(Rejection::SecretStore);
    }
    Ok(())
}

/// Whether it is a line as shells and files of variables have it. Base64 has `=` at its end only.
fn is_assignment(value: &str) -> bool {
    let is_exported = value.starts_with("export ");
    let line = value.strip_prefix("export ").unwrap_or(value).trim_start();
    let Some((name, rest)) = line.split_once('=') else { return false };
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_variable = name.contains('_') && !name.bytes().any(|byte| byte.is_ascii_lowercase());
    let lower = name.to_ascii_lowercase();
    let is_of_a_key = ["key", "token", "secret", "password"].iter().any(|word| lower.ends_with(word));
    is_name && !rest.is_empty() && !rest.starts_with('=') && (is_exported || is_variable || is_of_a_key)
}

/// Recognises what stands in examples, which somebody is sure to paste one day.
fn is_placeholder(value: &str) -> bool {
    let lower = Zeroizing::new(value.to_ascii_lowercase());
    let body = lower.rsplit(['_', '-']).next().unwrap_or_default();
    let all = |filler| body.bytes().all(|byte| byte == filler);
    let repeated =
        body.len() >= 3 && body.len() * 2 >= value.len() && b"x*.0".iter().any(|filler| all(*filler));
    repeated
        || lower.starts_with("your")
        || lower.contains("your-")
        || lower.contains("your_")
        || lower.contains("changeme")
        || value.ends_with("EXAMPLE")
        || value.ends_with("EXAMPLEKEY")
}

/// The members of a JSON object that are text, in memory that is wiped. Others are passed over.
struct Members(BTreeMap<String, Zeroizing<String>>);

/// The members of a JSON object that are text; `None` when it is no JSON object.
pub fn members(value: &str) -> Option<BTreeMap<String, Zeroizing<String>>> {
    serde_json::from_str(value).ok().map(|Members(members)| members)
}

/// A member: text, or something else.
struct Member(Option<Zeroizing<String>>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                let mut count = 0;
                while let Some((name, Member(value))) = map.next_entry::<String, Member>()? {
                    count += 1;
                    if count > MEMBERS_MAX {
                        return Err(A::Error::custom("too many members"));
                    }
                    if let Some(value) = value {
                        members.insert(name, value);
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Member;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Member, E> {
                Ok(Member(Some(Zeroizing::new(text.to_owned()))))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Member, E> {
                Ok(Member(None))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Member, E> {
                Ok(Member(None))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Member, E> {
                Ok(Member(None))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Member, E> {
                Ok(Member(None))
            }
            fn visit_unit<E>(self) -> Result<Member, E> {
                Ok(Member(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Member, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Member(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Member(None))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FormatUnrecognised => "format_unrecognised",
            Self::Remark(remark) => remark,
            Self::SessionTokenMissing => "session_token_missing",
        })
    }
}
