//! Arguments of a call, in the two forms in which they travel: text for Postgres, JSON for PostgREST.
//!
//! Postgres reads each text by the input function of the argument's own type, so that a call says no types.

use postgres::types::private::BytesMut;
use postgres::types::{Format, IsNull, ToSql, Type};
use serde::Serialize;
use zeroize::Zeroizing;

/// A named argument.
#[derive(Debug)]
pub struct Argument<'a> {
    /// As the function names it.
    pub name: &'static str,
    /// What is given.
    pub given: Given<'a>,
}

/// What is given for an argument.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Given<'a> {
    /// NULL.
    Nothing,
    /// Text; a value too.
    Text(&'a str),
    /// An array of text.
    Texts(&'a [String]),
    /// A boolean.
    Flag(bool),
    /// A number.
    Number(i64),
}

impl<'a> Argument<'a> {
    /// Text, or NULL where there is none.
    pub fn text(name: &'static str, text: Option<&'a str>) -> Self {
        Self { name, given: text.map_or(Given::Nothing, Given::Text) }
    }

    /// An array of text, or NULL where there is none.
    pub fn texts(name: &'static str, texts: Option<&'a [String]>) -> Self {
        Self { name, given: texts.map_or(Given::Nothing, Given::Texts) }
    }

    /// A boolean.
    pub fn flag(name: &'static str, flag: bool) -> Self {
        Self { name, given: Given::Flag(flag) }
    }

    /// A number, or NULL where there is none.
    pub fn number(name: &'static str, number: Option<i64>) -> Self {
        Self { name, given: number.map_or(Given::Nothing, Given::Number) }
    }
}

// What is given may be a value.
impl std::fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given(..)")
    }
}

impl Given<'_> {
    /// As the input function of its type reads it; none for NULL.
    fn input(self) -> Option<Zeroizing<String>> {
        Some(Zeroizing::new(match self {
            Self::Nothing => return None,
            Self::Text(text) => text.to_owned(),
            Self::Texts(texts) => array(texts),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
        }))
    }
}

/// An array of text as Postgres reads it.
fn array(texts: &[String]) -> String {
    let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", texts.iter().map(quoted).collect::<Vec<_>>().join(","))
}

impl ToSql for Given<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match self.input() {
            None => IsNull::Yes,
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                IsNull::No
            }
        })
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    postgres::types::to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_keeps_quotes_and_commas() {
        let texts = ["a,b", "c\"d", "e\\f", ""].map(str::to_owned);
        assert_eq!(array(&texts), r#"{"a,b","c\"d","e\\f",""}"#);
    }

    #[test]
    fn nothing_is_shown_of_what_is_given() {
        assert_eq!(
            format!("{:?}", Argument::text("p_secret", Some("hf_value"))),
            r#"Argument { name: "p_secret", given: Given(..) }"#
        );
    }
}
