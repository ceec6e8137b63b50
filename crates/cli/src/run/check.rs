//! `--check`: providers are asked whether they take the credentials before the command starts.
//!
//! What must stay true: a credential goes to its own provider only, by TLS, and no redirect takes it elsewhere; only a clear no
//! keeps the command from starting: nobody's work stops because a provider is down; no message has a value.

use std::time::Duration;

use hftok_core::provider::{Provider, Test, builtin, find};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::Body;
use ureq::http::{HeaderValue, Request, Response, Uri};
use zeroize::Zeroizing;

use super::hub;
use super::source::{Source, SourceOptions};
use super::variables::Variables;
use crate::connection::web;
use crate::failure::Failure;

/// A provider that answers at all does so by then.
const PATIENCE: Duration = Duration::from_secs(10);
/// Nothing beyond it is looked at.
const LOOKED_AT: u64 = 64 * 1024;

/// What a provider says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It takes the credential.
    Good,
    /// It does not.
    Bad,
    /// It said neither.
    Unclear,
}

/// Asks each provider whose credentials the command gets. Answers what people are to be told, or fails by a clear no.
pub fn all(
    variables: &Variables,
    options: &SourceOptions,
    source: &mut Source,
) -> Result<Vec<String>, Failure> {
    let is_given = |provider: &Provider| {
        let mut names = provider.fields.iter().flat_map(|field| &field.env);
        names.any(|name| variables.set().any(|(set, _)| set == name))
    };
    let wanted: Vec<&Provider> = if options.providers.is_empty() {
        builtin().iter().filter(|provider| is_given(provider)).collect()
    } else {
        options.providers.iter().filter_map(|name| find(name)).collect()
    };
    let mut words = Vec::new();
    for provider in &wanted {
        if provider.id != hub::PROVIDER {
            words.extend(one(provider, variables, source, options)?);
        }
    }
    // The Hub is asked about a model also where nobody has a token for it.
    if wanted.iter().any(|provider| provider.id == hub::PROVIDER) || options.providers.is_empty() {
        words.extend(hub::check(variables, options, source)?);
    }
    Ok(words)
}

/// Asks a provider by the catalogue's request.
fn one(
    provider: &Provider,
    variables: &Variables,
    source: &mut Source,
    options: &SourceOptions,
) -> Result<Option<String>, Failure> {
    let label = &provider.label;
    let field = |name: &str| {
        let env = &provider.fields.iter().find(|field| field.name == name)?.env;
        env.iter().find_map(|name| variables.seen(name))
    };
    let is_there = provider.fields.iter().any(|one| one.secret && field(&one.name).is_some());
    let Some(test) = provider.test.as_ref().filter(|_| is_there) else { return Ok(None) };
    let Some(request) = request(provider, test, field) else {
        return Ok(Some(format!("{label} cannot be asked about this credential: it goes unchecked")));
    };
    let verdict = match asked(request) {
        None => Verdict::Unclear,
        Some(mut answer) => {
            let status = answer.status().as_u16();
            let body = answer.body_mut().with_config().limit(LOOKED_AT).read_to_string();
            verdict(test, status, &Zeroizing::new(body.unwrap_or_default()))
        }
    };
    match verdict {
        Verdict::Good => Ok(None),
        Verdict::Unclear => Ok(Some(format!("{label} gave no clear answer: the credential goes unchecked"))),
        Verdict::Bad => {
            let name = provider.fields.iter().flat_map(|field| &field.env).next();
            let origin = source.origin(&provider.id, name.map_or("", String::as_str), variables, options);
            Err(Failure::Credential {
                what: format!("{label} refuses {origin}: nothing was started"),
                remedy: source.remedy(&provider.id, &provider.docs_url, options),
            })
        }
    }
}

/// Sends a request; none where there was no answer.
pub fn asked<B: ureq::AsSendBody>(request: Request<B>) -> Option<Response<Body>> {
    let agent = web::agent(&request.uri().to_string()).ok()?;
    agent.run(agent.configure_request(request).timeout_global(Some(PATIENCE)).build()).ok()
}

/// The request, unless a field is missing, cannot stand where it must, or leads to a host that is none of the provider's.
fn request(
    provider: &Provider,
    test: &Test,
    field: impl Fn(&str) -> Option<Zeroizing<String>>,
) -> Option<Request<Vec<u8>>> {
    let plain = |text: &str| text.to_owned();
    // An address that is a field stands in front; what stands further behind is encoded.
    let url = match test.url.strip_prefix("{endpoint}") {
        Some(rest) => {
            format!("{}{}", field("endpoint")?.trim_end_matches('/'), filled(rest, &field, encoded)?.as_str())
        }
        None => filled(&test.url, &field, encoded)?.to_string(),
    };
    let uri: Uri = url.parse().ok()?;
    let is_its_own =
        provider.hosts.iter().any(|host| hftok_core::walk::host_covers(host, uri.host().unwrap_or_default()));
    if uri.scheme_str() != Some("https") || !is_its_own {
        return None;
    }
    let mut request = Request::builder().method(test.method.as_str()).uri(uri);
    for (name, value) in &test.headers {
        let mut value = HeaderValue::from_str(&filled(value, &field, plain)?).ok()?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    let body = test.body.as_deref().unwrap_or_default();
    request.body(filled(body, &field, encoded)?.as_bytes().to_vec()).ok()
}

/// A text with fields in place of their names.
fn filled(
    text: &str,
    field: &impl Fn(&str) -> Option<Zeroizing<String>>,
    encode: impl Fn(&str) -> String,
) -> Option<Zeroizing<String>> {
    let mut filled = Zeroizing::new(String::with_capacity(4096));
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        // The body `{}` has no name in it.
        let Some((name, behind)) = after.split_once('}').filter(|(name, _)| !name.is_empty()) else { break };
        filled.push_str(before);
        filled.push_str(&Zeroizing::new(encode(field(name)?.trim())));
        rest = behind;
    }
    filled.push_str(rest);
    Some(filled)
}

/// Text as it stands in an address and a form.
pub fn encoded(text: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, PLAIN).to_string()
}

/// What the catalogue makes of an answer: what stands in the body outranks the status, and a no outranks a yes.
fn verdict(test: &Test, status: u16, body: &str) -> Verdict {
    let told = |said: &str| match said {
        "verified" => Verdict::Good,
        "invalid" => Verdict::Bad,
        _ => Verdict::Unclear,
    };
    let status = status.to_string();
    let inside = test.answers.iter().filter_map(|(said, verdict)| {
        let condition = said.strip_prefix(status.as_str())?.strip_prefix(' ')?;
        holds(condition, body).then(|| told(verdict))
    });
    let inside: Vec<Verdict> = inside.collect();
    let worst = [Verdict::Bad, Verdict::Unclear, Verdict::Good].into_iter().find(|one| inside.contains(one));
    worst.unwrap_or_else(|| test.answers.get(&status).map_or(Verdict::Unclear, |said| told(said)))
}

/// `member=value` of a JSON body, or a word of it.
fn holds(condition: &str, body: &str) -> bool {
    let Some((path, wanted)) = condition.split_once('=') else {
        let is_apart = |rest: Option<char>| rest.is_none_or(|next| !next.is_alphanumeric() && next != '_');
        return body.match_indices(condition).any(|(at, word)| {
            let (before, behind) = (body.get(..at), body.get(at + word.len()..));
            is_apart(before.and_then(|text| text.chars().next_back()))
                && is_apart(behind.and_then(|text| text.chars().next()))
        });
    };
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let member = path.split('.').try_fold(&body, |at, name| at.get(name));
    member.is_some_and(|value| match value {
        serde_json::Value::String(text) => text == wanted,
        serde_json::Value::Bool(value) => wanted.parse() == Ok(*value),
        serde_json::Value::Number(number) => wanted.parse().ok().as_ref() == Some(number),
        _ => false,
    })
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may fail")]
mod tests {
    use super::*;

    fn test(provider: &str) -> &'static Test {
        find(provider).and_then(|provider| provider.test.as_ref()).expect("a test")
    }

    #[test]
    fn the_body_outranks_the_status_and_a_no_outranks_a_yes() {
        assert_eq!(verdict(test("openai"), 200, ""), Verdict::Good);
        assert_eq!(verdict(test("openai"), 401, ""), Verdict::Bad);
        assert_eq!(verdict(test("openai"), 500, ""), Verdict::Unclear);
        assert_eq!(verdict(test("google"), 400, r#"{"reason": "API_KEY_INVALID"}"#), Verdict::Bad);
        assert_eq!(verdict(test("google"), 400, "NOT_API_KEY_INVALID"), Verdict::Unclear);
        assert_eq!(verdict(test("cohere"), 200, r#"{"valid": false}"#), Verdict::Bad);
        assert_eq!(
            verdict(test("xai"), 200, r#"{"api_key_blocked": false, "api_key_disabled": true}"#),
            Verdict::Bad
        );
    }

    #[test]
    fn a_credential_goes_to_its_own_provider_by_tls() {
        let of = |provider: &str, values: &'static [(&str, &str)]| {
            let provider = find(provider).expect("a provider");
            request(provider, provider.test.as_ref()?, |name| {
                values
                    .iter()
                    .find(|(field, _)| *field == name)
                    .map(|(_, value)| Zeroizing::new((*value).to_owned()))
            })
        };
        let sent = of("openai", &[("api_key", "sk-1")]).expect("a request");
        assert_eq!(sent.headers()["Authorization"], "Bearer sk-1");
        assert!(!format!("{sent:?}").contains("sk-1"));
        assert!(
            of("azure_openai", &[("api_key", "k"), ("endpoint", "https://a.openai.azure.com/")]).is_some()
        );
        assert!(of("azure_openai", &[("api_key", "k"), ("endpoint", "https://evil.example")]).is_none());
        assert!(of("azure_openai", &[("api_key", "k"), ("endpoint", "http://a.openai.azure.com")]).is_none());
        assert!(of("openai", &[("api_key", "sk\n1")]).is_none());
        assert!(of("aws", &[("access_key_id", "AKIA"), ("secret_access_key", "s")]).is_none());
        let tenant = of("azure", &[("client_id", "a"), ("client_secret", "b&c"), ("tenant_id", "x/../y")])
            .expect("a request");
        assert_eq!(tenant.uri().path(), "/x%2F..%2Fy/oauth2/v2.0/token");
        assert!(String::from_utf8_lossy(tenant.body()).contains("client_secret=b%26c"));
        assert_eq!(of("perplexity", &[("api_key", "k")]).expect("a request").body(), b"{}");
    }
}
