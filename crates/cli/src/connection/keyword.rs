//! What libpq can be told of a connection: each keyword, its variable, and what hftok does with it.
//!
//! What must stay true: a keyword that protects the connection is honoured or refused, never ignored.

use Treatment::{Honoured, Ignored, Refused};

/// What hftok does with a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// As libpq does.
    Honoured,
    /// It makes no difference to hftok.
    Ignored,
    /// hftok cannot keep what it promises, unless it says one of these.
    Refused(&'static [&'static str]),
}

/// A keyword of libpq.
#[derive(Debug)]
pub struct Keyword {
    /// As connection strings and service files name it.
    pub name: &'static str,
    /// The variable that gives its default.
    pub variable: Option<&'static str>,
    /// What hftok does with it.
    pub treatment: Treatment,
}

/// A keyword with a variable.
const fn keyword(name: &'static str, variable: &'static str, treatment: Treatment) -> Keyword {
    Keyword { name, variable: Some(variable), treatment }
}

/// A keyword without a variable.
const fn unnamed(name: &'static str, treatment: Treatment) -> Keyword {
    Keyword { name, variable: None, treatment }
}

/// Every keyword up to libpq 18.
pub const KEYWORDS: &[Keyword] = &[
    keyword("service", "PGSERVICE", Honoured),
    keyword("servicefile", "PGSERVICEFILE", Honoured),
    keyword("host", "PGHOST", Honoured),
    keyword("hostaddr", "PGHOSTADDR", Honoured),
    keyword("port", "PGPORT", Honoured),
    keyword("dbname", "PGDATABASE", Honoured),
    keyword("user", "PGUSER", Honoured),
    keyword("password", "PGPASSWORD", Honoured),
    keyword("passfile", "PGPASSFILE", Honoured),
    keyword("options", "PGOPTIONS", Honoured),
    keyword("application_name", "PGAPPNAME", Honoured),
    unnamed("fallback_application_name", Honoured),
    keyword("connect_timeout", "PGCONNECT_TIMEOUT", Honoured),
    keyword("target_session_attrs", "PGTARGETSESSIONATTRS", Honoured),
    keyword("load_balance_hosts", "PGLOADBALANCEHOSTS", Ignored),
    keyword("channel_binding", "PGCHANNELBINDING", Honoured),
    keyword("sslmode", "PGSSLMODE", Honoured),
    keyword("sslrootcert", "PGSSLROOTCERT", Honoured),
    keyword("sslcert", "PGSSLCERT", Honoured),
    keyword("sslkey", "PGSSLKEY", Honoured),
    unnamed("keepalives", Honoured),
    unnamed("keepalives_idle", Honoured),
    unnamed("keepalives_interval", Honoured),
    unnamed("keepalives_count", Honoured),
    unnamed("tcp_user_timeout", Honoured),
    keyword("sslcrl", "PGSSLCRL", Refused(&[])),
    keyword("sslcrldir", "PGSSLCRLDIR", Refused(&[])),
    unnamed("sslpassword", Refused(&[])),
    keyword("sslcertmode", "PGSSLCERTMODE", Refused(&["allow"])),
    keyword("sslnegotiation", "PGSSLNEGOTIATION", Refused(&["postgres"])),
    keyword("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Refused(&["TLSv1", "TLSv1.1", "TLSv1.2"])),
    keyword("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Refused(&["TLSv1.3"])),
    keyword("requirepeer", "PGREQUIREPEER", Refused(&[])),
    keyword("require_auth", "PGREQUIREAUTH", Refused(&[])),
    keyword("gssencmode", "PGGSSENCMODE", Refused(&["disable", "prefer"])),
    unnamed("replication", Refused(&["off", "false", "no", "0"])),
    unnamed("scram_client_key", Refused(&[])),
    unnamed("scram_server_key", Refused(&[])),
    keyword("client_encoding", "PGCLIENTENCODING", Ignored),
    keyword("sslcompression", "PGSSLCOMPRESSION", Ignored),
    keyword("sslsni", "PGSSLSNI", Ignored),
    keyword("krbsrvname", "PGKRBSRVNAME", Ignored),
    keyword("gsslib", "PGGSSLIB", Ignored),
    keyword("gssdelegation", "PGGSSDELEGATION", Ignored),
    keyword("min_protocol_version", "PGMINPROTOCOLVERSION", Ignored),
    keyword("max_protocol_version", "PGMAXPROTOCOLVERSION", Ignored),
    unnamed("sslkeylogfile", Ignored),
];

/// The keyword of this name.
pub fn named(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name == name)
}
