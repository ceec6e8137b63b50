//! PostgREST.

use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use ureq::Agent;
use ureq::http::{Method, Request};
use zeroize::Zeroizing;

use super::argument::Argument;
use super::trouble::is_end;
use super::variable;
use super::web::{self, is_this_machine};
use crate::failure::{Failure, Refusal};
use crate::screen::word;

/// More than any answer of hftok has.
const LARGEST: u64 = 64 * 1024 * 1024;

/// PostgREST at an address, with what it is to know of us.
pub struct Rest {
    /// Asks over HTTP.
    agent: Agent,
    /// Without a slash at its end.
    address: String,
    /// Says who calls.
    jwt: Option<Zeroizing<String>>,
    /// Opens a gateway before PostgREST.
    api_key: Option<Zeroizing<String>>,
}

/// An error as PostgREST tells it.
#[derive(Deserialize)]
struct Told {
    /// SQLSTATE, or PostgREST's own.
    code: Option<String>,
    /// What happened.
    message: Option<String>,
    /// The object, or JSON.
    details: Option<String>,
    /// The remedy.
    hint: Option<String>,
}

impl Rest {
    /// Reads the JWT (HFTOK_JWT, or a file) and the key of a gateway before PostgREST (HFTOK_API_KEY). Asks nothing yet.
    pub fn open(address: &str, jwt_file: Option<&Path>) -> Result<Self, Failure> {
        let agent = web::agent(address)?;
        let jwt = match jwt_file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(Failure::io(path.display().to_string()))?;
                Some(Zeroizing::new(Zeroizing::new(text).trim().to_owned()))
            }
            None => variable("HFTOK_JWT"),
        };
        let (jwt, api_key) = identity(jwt, variable("HFTOK_API_KEY"));
        let address = address.trim_end_matches('/').to_owned();
        let host: Option<ureq::http::Uri> = address.parse().ok();
        if address.starts_with("http://")
            && !host.and_then(|uri| uri.host().map(is_this_machine)).unwrap_or(false)
        {
            word("warning: nothing is encrypted on the way to an http:// address");
        }
        Ok(Self { agent, address, jwt, api_key })
    }

    /// What a function answers.
    pub fn call(
        &mut self,
        function: &'static str,
        arguments: &[Argument<'_>],
    ) -> Result<Zeroizing<String>, Failure> {
        self.ask(Method::POST, &format!("rpc/{function}"), Some(object(arguments)), function)
    }

    /// Rows of a view, as an array of objects.
    pub fn rows(
        &mut self,
        view: &'static str,
        columns: &[&'static str],
        equal: &[(&'static str, &str)],
        order: &[&'static str],
    ) -> Result<Zeroizing<String>, Failure> {
        let order = if order.is_empty() { String::new() } else { format!("&order={}", order.join(",")) };
        let path = format!("{view}?select={}{}{order}", columns.join(","), condition(equal));
        self.ask(Method::GET, &path, None, view)
    }

    /// Sets columns of rows of a view.
    pub fn change(
        &mut self,
        view: &'static str,
        set: &[Argument<'_>],
        equal: &[(&'static str, &str)],
    ) -> Result<u64, Failure> {
        let path = format!("{view}?{}", condition(equal).trim_start_matches('&'));
        let changed = self.ask(Method::PATCH, &path, Some(object(set)), view)?;
        let rows: Vec<serde::de::IgnoredAny> =
            serde_json::from_str(&changed).map_err(|_| Failure::Answer { function: view })?;
        Ok(rows.len() as u64)
    }

    /// Asks once, and takes an error apart.
    fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Zeroizing<String>>,
        what: &'static str,
    ) -> Result<Zeroizing<String>, Failure> {
        let target = || self.address.clone();
        let unreachable = |reason: String| Failure::Unreachable { target: target(), reason };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.address))
            .header("Accept-Profile", "hftok")
            .header("Content-Profile", "hftok")
            .header("Content-Type", "application/json")
            .header("Prefer", "return=representation");
        if let Some(jwt) = &self.jwt {
            request = request.header("Authorization", format!("Bearer {}", jwt.as_str()));
        }
        if let Some(key) = &self.api_key {
            request = request.header("apikey", key.as_str());
        }
        // Of a header that is none, only its value can be at fault: the message does not show it.
        let wrong = |_| Failure::Usage("the address, the JWT or the key cannot be sent over HTTP".to_owned());
        let answer = match body {
            Some(body) => self.agent.run(request.body(body.as_bytes()).map_err(wrong)?),
            None => self.agent.run(request.body(()).map_err(wrong)?),
        };
        let mut answer = answer.map_err(|error| unreachable(error.to_string()))?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(LARGEST).read_to_string();
        let text = Zeroizing::new(text.map_err(|error| unreachable(error.to_string()))?);
        if status.is_success() {
            return Ok(if text.is_empty() { Zeroizing::new("null".to_owned()) } else { text });
        }
        let status = status.as_u16();
        let Ok(told) = serde_json::from_str::<Told>(&text) else {
            return Err(unreachable(format!("HTTP status {status}: is this the address of PostgREST?")));
        };
        // PostgREST gives an empty code and an empty message where its session broke off within the request: Postgres gave it none.
        if told.code.as_deref() == Some("") && told.message.as_deref() == Some("") {
            return Err(unreachable(
                "Postgres broke off before it answered; a change may have been made".to_owned(),
            ));
        }
        let code = told.code.unwrap_or_default();
        // PostgREST itself is there, and has no connection to Postgres.
        let has_none = matches!(code.as_str(), "PGRST000" | "PGRST001" | "PGRST002" | "PGRST003");
        if has_none || is_end(&code) {
            return Err(unreachable(told.message.unwrap_or_else(|| format!("HTTP status {status}"))));
        }
        let hint = told.hint.or_else(|| remedy(&code, status).map(str::to_owned));
        let message = told.message.unwrap_or_else(|| format!("{what}: HTTP status {status}"));
        Err(Failure::Refused(Box::new(Refusal { code, message, detail: told.details, hint })))
    }
}

/// Who calls: a JWT, and a key for the gateway before PostgREST. Supabase's newer keys (`sb_…`) are no JWTs: its gateway takes the
/// role from `apikey` alone. Its older ones are, and serve as the JWT where there is no other.
fn identity(
    jwt: Option<Zeroizing<String>>,
    key: Option<Zeroizing<String>>,
) -> (Option<Zeroizing<String>>, Option<Zeroizing<String>>) {
    let is_key = |given: &Zeroizing<String>| given.starts_with("sb_");
    match (jwt, key) {
        (Some(jwt), _) if is_key(&jwt) => (None, Some(jwt)),
        (None, Some(key)) if !is_key(&key) => (Some(key.clone()), Some(key)),
        others => others,
    }
}

/// What to do about an error that is PostgREST's, or that of a gateway before it.
fn remedy(code: &str, status: u16) -> Option<&'static str> {
    Some(match code {
        "PGRST106" => {
            "PostgREST does not expose schema hftok: add it to db-schemas (Supabase: Exposed schemas)"
        }
        "PGRST202" | "PGRST205" => {
            "SELECT hftok.enable_rpc(); as a superuser, or ALTER EXTENSION hftok UPDATE; where the extension is older"
        }
        "PGRST301" | "PGRST303" => "the JWT is too old or no JWT of this server: take a new one",
        "PGRST302" => "a JWT is needed: HFTOK_JWT or --jwt-file",
        "" if status == 401 => "the gateway wants its key: HFTOK_API_KEY",
        _ => return None,
    })
}

/// Arguments as a JSON object.
fn object(arguments: &[Argument<'_>]) -> Zeroizing<String> {
    let member = |argument: &Argument<'_>| {
        // Text, numbers and lists of text are always JSON.
        let given = Zeroizing::new(serde_json::to_string(&argument.given).unwrap_or_default());
        Zeroizing::new(format!("\"{}\":{}", argument.name, given.as_str()))
    };
    let members: Vec<Zeroizing<String>> = arguments.iter().map(member).collect();
    let texts: Vec<&str> = members.iter().map(|member| member.as_str()).collect();
    Zeroizing::new(format!("{{{}}}", texts.join(",")))
}

/// The condition that each column has its value.
fn condition(equal: &[(&'static str, &str)]) -> String {
    equal.iter().map(|(column, value)| format!("&{column}=eq.{}", encoded(value))).collect()
}

/// Text as it stands in an address.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_no_jwt_goes_to_the_gateway_alone() {
        let of = |jwt: Option<&str>, key: Option<&str>| {
            let given = |text: &str| Zeroizing::new(text.to_owned());
            let (jwt, key) = identity(jwt.map(given), key.map(given));
            (jwt.map(|text| text.to_string()), key.map(|text| text.to_string()))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of(Some("sb_secret_x"), None), (None, some("sb_secret_x")));
        assert_eq!(of(None, Some("sb_publishable_x")), (None, some("sb_publishable_x")));
        assert_eq!(of(Some("ey.a.b"), Some("sb_publishable_x")), (some("ey.a.b"), some("sb_publishable_x")));
        assert_eq!(of(None, Some("ey.anon.b")), (some("ey.anon.b"), some("ey.anon.b")));
        assert_eq!(of(None, None), (None, None));
    }
}
