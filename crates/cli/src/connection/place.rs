//! Where a server may be: a host, or the folder of a socket, and a port; libpq allows a list of each.

use std::net::IpAddr;

use super::settings::Settings;
use crate::failure::Failure;

/// One of the places to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of a host, or the folder of a socket.
    pub host: String,
    /// The address to go to, where the host is only a name for certificates and passwords.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

/// Where libpq of Debian looks for a socket. That of its source looks in `/tmp`, where anybody may put one while the server is
/// down, and would be told passwords and values: it is asked where PGHOST names it.
const SOCKET: &str = "/var/run/postgresql";

impl Place {
    /// The places that settings name, in order.
    pub fn of(settings: &Settings) -> Result<Vec<Self>, Failure> {
        let list = |name| settings.get(name).map(|text| text.split(',').map(str::trim).collect::<Vec<_>>());
        let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
        let count = addresses.as_ref().or(hosts.as_ref()).map_or(1, Vec::len);
        let uneven =
            |what: &str| Failure::Usage(format!("the connection names {count} hosts and not as many {what}"));
        if hosts.as_ref().is_some_and(|hosts| hosts.len() != count) {
            return Err(uneven("addresses"));
        }
        if ports.as_ref().is_some_and(|ports| ports.len() != 1 && ports.len() != count) {
            return Err(uneven("ports"));
        }
        let at = |list: &Option<Vec<&str>>, at: usize| {
            list.as_ref()
                .and_then(|list| list.get(at))
                .filter(|text| !text.is_empty())
                .map(|text| (*text).to_owned())
        };
        (0..count)
            .map(|number| {
                let port = at(&ports, number)
                    .or_else(|| ports.as_ref().filter(|all| all.len() == 1).and(at(&ports, 0)));
                let port = match port {
                    Some(port) => port.parse().map_err(|_| Failure::Usage(format!("{port} is no port")))?,
                    None => 5432,
                };
                let address = match at(&addresses, number) {
                    Some(text) => {
                        Some(text.parse().map_err(|_| Failure::Usage(format!("{text} is no address")))?)
                    }
                    None => None,
                };
                let host = at(&hosts, number)
                    .or_else(|| address.map(|address: IpAddr| address.to_string()))
                    .unwrap_or_else(|| SOCKET.to_owned());
                Ok(Self { host, address, port })
            })
            .collect()
    }

    /// Whether it is a socket of this machine.
    pub fn is_socket(&self) -> bool {
        self.address.is_none() && self.host.starts_with('/')
    }

    /// As the password file names it.
    pub fn in_password_file(&self) -> &str {
        if self.is_socket() && [SOCKET, "/tmp"].contains(&self.host.as_str()) {
            "localhost"
        } else {
            &self.host
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_socket() {
            write!(f, "Postgres at {}/.s.PGSQL.{}", self.host, self.port)
        } else {
            write!(f, "Postgres at {} port {}", self.host, self.port)
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may fail")]
mod tests {
    use super::*;

    fn places(said: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let mut settings = Settings::default();
        for (name, value) in said {
            settings.set(name, value).expect("known");
        }
        let places = Place::of(&settings).map_err(|failure| failure.to_string())?;
        Ok(places.iter().map(|place| format!("{:?} {} {}", place.address, place.host, place.port)).collect())
    }

    #[test]
    fn lists_belong_together() {
        assert_eq!(
            places(&[("host", "a,b,/c"), ("port", "1,,3")]).expect("places"),
            ["None a 1", "None b 5432", "None /c 3"]
        );
        assert_eq!(places(&[("host", "a,b"), ("port", "7")]).expect("places"), ["None a 7", "None b 7"]);
        assert_eq!(places(&[("hostaddr", "::1")]).expect("places"), ["Some(::1) ::1 5432"]);
        assert_eq!(places(&[("port", "7")]).expect("places"), ["None /var/run/postgresql 7"]);
        assert!(places(&[("host", "a"), ("hostaddr", "::1,::2")]).is_err());
        assert!(places(&[("host", "a,b"), ("port", "1,2,3")]).is_err());
        assert!(places(&[("port", "70000")]).is_err());
    }
}
