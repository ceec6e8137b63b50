//! Connection strings of libpq: a URL, `key=value` pairs, or the name of a database.
//!
//! What must stay true: no error repeats the text, which may hold a password.

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::settings::Settings;
use crate::failure::Failure;

/// What a connection string says.
pub fn parsed(text: &str) -> Result<Settings, Failure> {
    match text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        Some(rest) => of_url(rest),
        None if text.contains('=') => of_pairs(text),
        None => {
            let mut settings = Settings::default();
            settings.set("dbname", text)?;
            Ok(settings)
        }
    }
}

/// Refuses a password in an argument, which `ps` and the shell's history show.
pub fn refuse_password(text: &str) -> Result<(), Failure> {
    let settings = parsed(text)?;
    if settings.get("password").or_else(|| settings.get("sslpassword")).is_some() {
        return Err(Failure::Usage(
            "a password has no place in an argument, where everybody on this machine can read it: it stands in \
             PGPASSWORD, ~/.pgpass or HFTOK_DATABASE_URL. Change this one"
                .to_owned(),
        ));
    }
    Ok(())
}

/// `[user[:password]@][host[:port][,…]][/dbname][?key=value[&…]]`.
fn of_url(rest: &str) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    // A user name or a password may hold a slash only in its encoded form, as for libpq.
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (account, hosts) = match authority.rsplit_once('@') {
        Some((account, hosts)) => (account, hosts),
        None => ("", authority),
    };
    let (user, password) = account.split_once(':').unwrap_or((account, ""));
    set_decoded(&mut settings, "user", user)?;
    set_decoded(&mut settings, "password", password)?;
    set_decoded(&mut settings, "dbname", database)?;
    let hosts: Vec<(&str, &str)> = hosts.split(',').map(host_and_port).collect::<Result<_, _>>()?;
    let joined = |parts: Vec<&str>| parts.join(",");
    set_decoded(&mut settings, "host", &joined(hosts.iter().map(|(host, _)| *host).collect()))?;
    if hosts.iter().any(|(_, port)| !port.is_empty()) {
        set_decoded(&mut settings, "port", &joined(hosts.iter().map(|(_, port)| *port).collect()))?;
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| wrong("a parameter of the URL has no ="))?;
        match (key, value) {
            // As JDBC says it.
            ("ssl", "true") => settings.set("sslmode", "require")?,
            _ => settings.set(&decoded(key)?, &decoded(value)?)?,
        }
    }
    Ok(settings)
}

/// A host, which is in brackets where it is an IPv6 address, and its port.
fn host_and_port(text: &str) -> Result<(&str, &str), Failure> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or_else(|| wrong("a [ of the URL is never closed"))?;
        return Ok((host, port.strip_prefix(':').unwrap_or(port)));
    }
    Ok(text.split_once(':').unwrap_or((text, "")))
}

/// Sets a keyword to a part of a URL, unless that is empty.
fn set_decoded(settings: &mut Settings, name: &'static str, encoded: &str) -> Result<(), Failure> {
    if encoded.trim_matches(',').is_empty() {
        return Ok(());
    }
    settings.set(name, &decoded(encoded)?)
}

/// A part of a URL without its encoding.
fn decoded(text: &str) -> Result<Zeroizing<String>, Failure> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| wrong("the URL is not UTF-8"))?;
    Ok(Zeroizing::new(text.into_owned()))
}

/// `key = value key='va lue'`, with \ before what stands for itself.
fn of_pairs(text: &str) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or_else(|| wrong("= is missing after a keyword"))?;
        let (value, after) = value(after.trim_start())?;
        settings.set(name.trim_end(), &value)?;
        rest = after.trim_start();
    }
    Ok(settings)
}

/// The value at the beginning of `text`, and what follows it.
fn value(text: &str) -> Result<(Zeroizing<String>, &str), Failure> {
    let quoted = text.starts_with('\'');
    let body = text.strip_prefix('\'').unwrap_or(text);
    let mut value = Zeroizing::new(String::with_capacity(body.len()));
    let mut letters = body.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, body.get(at + 1..).unwrap_or_default())),
            _ if !quoted && letter.is_ascii_whitespace() => {
                return Ok((value, body.get(at..).unwrap_or_default()));
            }
            _ => value.push(letter),
        }
    }
    if quoted { Err(wrong("a ' is never closed")) } else { Ok((value, "")) }
}

/// Why the text is no connection string.
fn wrong(reason: &str) -> Failure {
    Failure::Usage(format!("the connection string cannot be read: {reason}"))
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may fail")]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<(&'static str, String)> {
        let settings = parsed(text).expect("it is read");
        settings.iter().map(|(name, value)| (name, value.to_owned())).collect()
    }

    #[test]
    fn pairs_are_read_as_libpq_reads_them() {
        assert_eq!(
            said(r"host = 'a b\'c' password=\ x\\y  dbname=d"),
            [("dbname", "d"), ("host", "a b'c"), ("password", r" x\y")]
                .map(|(name, value)| (name, value.to_owned()))
        );
    }

    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        assert_eq!(
            said("postgresql://u%40x:p%2Fw@[::1]:1,h2,/d%20b?sslmode=verify-full&application_name=a%26b"),
            [
                ("application_name", "a&b"),
                ("dbname", "d b"),
                ("host", "::1,h2,"),
                ("password", "p/w"),
                ("port", "1,,"),
                ("sslmode", "verify-full"),
                ("user", "u@x"),
            ]
            .map(|(name, value)| (name, value.to_owned()))
        );
        assert_eq!(said("postgres://%2Ftmp/"), [("host", "/tmp".to_owned())]);
        assert_eq!(said("postgres:///?host=/tmp"), [("host", "/tmp".to_owned())]);
        assert_eq!(said("app"), [("dbname", "app".to_owned())]);
    }

    #[test]
    fn no_error_repeats_what_was_given() {
        for text in ["postgres://u:hunter2@[::1/d", "password='hunter2", "password=hunter2 x", "hunter2=1"] {
            let failure = parsed(text).err().expect("refused").to_string();
            assert!(!failure.contains("hunter2") || text.starts_with("hunter2"), "{failure}");
        }
    }
}
