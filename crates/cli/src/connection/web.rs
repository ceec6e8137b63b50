//! HTTP, as all commands speak it.
//!
//! What must stay true: no redirect is followed, because a token would go along; a host of this machine is asked without a
//! proxy; over TLS the authorities of this machine are believed, and those that are built in where it has none.

use std::net::IpAddr;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::authorities;
use crate::failure::Failure;

/// Longer than any connection takes to be made.
const CONNECTS: Duration = Duration::from_secs(30);

/// What asks an address.
pub fn agent(address: &str) -> Result<Agent, Failure> {
    let uri: ureq::http::Uri =
        address.parse().map_err(|_| Failure::Usage("the address is no URL".to_owned()))?;
    let encrypted = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(Failure::Usage("an address begins with https:// or http://".to_owned())),
    };
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Failure::Usage("a user and a password have no place in an address".to_owned()));
    }
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_connect(Some(CONNECTS))
        .user_agent(concat!("hftok/", env!("CARGO_PKG_VERSION")));
    if uri.host().is_some_and(is_this_machine) {
        config = config.proxy(None);
    }
    if encrypted {
        config = config.tls_config(tls());
    }
    Ok(config.build().new_agent())
}

/// TLS that believes the authorities of this machine, which may be those of a private network.
pub fn tls() -> TlsConfig {
    let believed = authorities::of_machine();
    if believed.is_empty() {
        return TlsConfig::default();
    }
    let believed = believed.iter().map(|one| Certificate::from_der(one).to_owned());
    TlsConfig::builder().root_certs(RootCerts::from(believed)).build()
}

/// Whether a host is this machine, by its name or its address.
pub fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_no_password() {
        for wrong in
            ["", "example.com", "ftp://example.com", "http://u:hunter2@example.com/", "http://u@[::1]/"]
        {
            let failure = agent(wrong).expect_err("refused").to_string();
            assert!(!failure.contains("hunter2"), "{failure}");
        }
        assert!(agent("http://127.0.0.1:3000").is_ok());
        assert!(
            is_this_machine("[::1]") && is_this_machine("LocalHost") && !is_this_machine("127.example.com")
        );
    }
}
