//! PostgREST.

use std::path::Path;

use serde::Deserialize;
use ureq::Agent;
use ureq::http::{Method, Request};
use zeroize::Zeroizing;

use super::argument::Argument;
use crate::failure::{Failure, Refusal};

/// More than any answer of hftok has.
const LARGEST: u64 = 64 * 1024 * 1024;

/// PostgREST at an address, with what it is to know of us.
pub struct Rest {
    agent: Agent,
    address: String,
    jwt: Option<Zeroizing<String>>,
    api_key: Option<Zeroizing<String>>,
}

/// An error as PostgREST tells it.
#[derive(Deserialize)]
struct Told {
    code: Option<String>,
    message: Option<String>,
    details: Option<String>,
    hint: Option<String>,
}

impl Rest {
    /// Reads the JWT (HFTOK_JWT, or a file) and the key of a gateway before PostgREST (HFTOK_API_KEY). Asks nothing yet.
    pub fn open(address: &str, jwt_file: Option<&Path>) -> Result<Self, Failure> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty()).map(Zeroizing::new);
        let jwt = match jwt_file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(Failure::io(path.display().to_string()))?;
                Some(Zeroizing::new(Zeroizing::new(text).trim().to_owned()))
            }
            None => variable("HFTOK_JWT"),
        };
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).build();
        Ok(Self {
            agent: config.new_agent(),
            address: address.trim_end_matches('/').to_owned(),
            jwt,
            api_key: variable("HFTOK_API_KEY"),
        })
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
        match serde_json::from_str::<Told>(&text) {
            Ok(told) => Err(Failure::Refused(Box::new(Refusal {
                code: told.code.unwrap_or_default(),
                message: told.message.unwrap_or_else(|| format!("{what}: HTTP status {}", status.as_u16())),
                detail: told.details,
                hint: told.hint,
            }))),
            Err(_) => Err(unreachable(format!("HTTP status {}", status.as_u16()))),
        }
    }
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
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
