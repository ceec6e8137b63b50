//! The addresses that a provider's credentials are taken to: its test, and the base of the OpenAI protocol.
//!
//! What must stay true: each is on one of the provider's hosts by https, or begins with a field that is not secret, which
//! whoever makes the request holds against the hosts. Plain HTTP is for the backend's own machine.

use super::Provider;
use crate::walk::host_allowed;

/// Hosts of the machine that the backend runs on.
const OWN_MACHINE: [&str; 2] = ["localhost", "127.0.0.1"];
/// What a base address may have beside letters and digits: nothing that begins a query or has to be encoded.
const PUNCTUATION: &[u8] = b":/.-_~{}";

/// Whether a test, if there is one, takes the credential to one of the provider's hosts.
pub(super) fn is_test_sound(provider: &Provider) -> bool {
    let Some(test) = &provider.test else { return true };
    let is_plain = ["GET", "POST"].contains(&test.method.as_str())
        && !test.headers.keys().any(|name| name.eq_ignore_ascii_case("host"));
    is_plain && goes_to_host(&test.url, provider)
}

/// Whether the base of the OpenAI protocol, if there is one, is on one of the provider's hosts. The protocol has one key.
pub(super) fn is_base_sound(provider: &Provider) -> bool {
    let Some(base) = &provider.openai else { return true };
    let is_plain = base.bytes().all(|byte| byte.is_ascii_alphanumeric() || PUNCTUATION.contains(&byte))
        && !base.split('/').any(|part| part == "..");
    let mut secrets = provider.fields.iter().filter(|field| field.secret);
    let has_one_key = secrets.next().is_some_and(|key| !key.optional) && secrets.next().is_none();
    is_plain && has_one_key && has_own_fields_only(base, provider) && goes_to_host(base, provider)
}

/// Whether each `{name}` in an address is a field that may be read there.
fn has_own_fields_only(address: &str, provider: &Provider) -> bool {
    let mut parts = address.split('{');
    // In front of the first `{`.
    let is_closed = parts.next().is_some_and(|before| !before.contains('}'));
    is_closed
        && parts.all(|part| match part.split_once('}') {
            Some((name, rest)) => !rest.contains('}') && is_open_field(name, provider),
            None => false,
        })
}

/// Whether this is the name of a field that is always there and not secret.
fn is_open_field(name: &str, provider: &Provider) -> bool {
    provider.fields.iter().any(|field| field.name == name && !field.secret && !field.optional)
}

/// Whether an address is on one of the provider's hosts, or on what a field says.
fn goes_to_host(url: &str, provider: &Provider) -> bool {
    begins_with_endpoint(url, provider) || is_address_within(url, provider)
}

/// Whether an address begins with what a field says, which whoever makes the request holds against the hosts.
fn begins_with_endpoint(url: &str, provider: &Provider) -> bool {
    let parts = url.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    parts.is_some_and(|(name, rest)| {
        (rest.is_empty() || rest.starts_with('/'))
            && provider.fields.iter().any(|field| field.name == name && !field.secret)
    })
}

/// Whether the host of an address is one of the provider's own.
fn is_address_within(url: &str, provider: &Provider) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.split_once(':').map_or(authority, |(host, _)| host);
    let is_direct =
        scheme == "https" && authority == host || is_own_machine(host) && ["http", "https"].contains(&scheme);
    is_direct && host_allowed(Some(host), None, &provider.hosts)
}

/// Plain HTTP is for these alone.
pub(super) fn is_own_machine(host: &str) -> bool {
    OWN_MACHINE.contains(&host)
}
