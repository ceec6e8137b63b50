//! Opens a connection: the places one after the other, each with its password and with TLS as sslmode asks for it.
//!
//! What must stay true: a server that refuses us ends it, as for libpq; only one that is not there sends us to the next.

use std::io::IsTerminal as _;
use std::time::Duration;

use postgres::config::{ChannelBinding, SslMode};
use postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::place::Place;
use super::settings::Settings;
use super::tls::{self, Mode};
use super::{passfile, trouble};
use crate::failure::Failure;
use crate::{screen, value};

/// Opens a connection.
pub fn connect(settings: &Settings) -> Result<Client, Failure> {
    let places = Place::of(settings)?;
    let mode = Mode::of(settings)?;
    let tls = if mode > Mode::Disable && places.iter().any(|place| !place.is_socket()) {
        Some((mode, tls::client(mode, settings)?))
    } else {
        None
    };
    let mut last = Failure::Usage("the connection names no host".to_owned());
    for session in sessions(settings)? {
        for place in &places {
            let way = Way { settings, place, tls: tls.as_ref().filter(|_| !place.is_socket()) };
            match way.open() {
                Ok(mut client) => match unsuited(&mut client, session)? {
                    None => return Ok(client),
                    Some(reason) => last = Failure::Unreachable { target: place.to_string(), reason },
                },
                Err(failure @ Failure::Unreachable { .. }) => last = failure,
                Err(failure) => return Err(failure),
            }
        }
    }
    Err(last)
}

/// The kinds of session that will do, in the order in which they are looked for.
fn sessions(settings: &Settings) -> Result<&'static [&'static str], Failure> {
    Ok(match settings.get("target_session_attrs") {
        None | Some("any") => &["any"],
        Some("read-write") => &["read-write"],
        Some("read-only") => &["read-only"],
        Some("primary") => &["primary"],
        Some("standby") => &["standby"],
        Some("prefer-standby") => &["standby", "any"],
        Some(_) => {
            return Err(Failure::Usage(
                "target_session_attrs is one of any, read-write, read-only, primary, standby, prefer-standby"
                    .to_owned(),
            ));
        }
    })
}

/// Why a session will not do.
fn unsuited(client: &mut Client, wanted: &str) -> Result<Option<String>, Failure> {
    if wanted == "any" {
        return Ok(None);
    }
    let text = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')";
    let row = client.query_typed_one(text, &[]).map_err(trouble::failure)?;
    let unknown = |_| Failure::Answer { function: "transaction_read_only" };
    let standby: bool = row.try_get(0).map_err(unknown)?;
    let read_only: String = row.try_get(1).map_err(unknown)?;
    let read_only = standby || read_only == "on";
    let suits = match wanted {
        "read-write" => !read_only,
        "read-only" => read_only,
        "standby" => standby,
        _ => !standby,
    };
    Ok((!suits).then(|| format!("it is not {wanted}, which target_session_attrs asks for")))
}

/// One place, and how to go there.
struct Way<'a> {
    /// All that is known of the connection.
    settings: &'a Settings,
    /// Where it goes.
    place: &'a Place,
    /// None where there is to be no TLS.
    tls: Option<&'a (Mode, MakeRustlsConnect)>,
}

impl Way<'_> {
    /// Opens it. Somebody at a terminal is asked for a password that the server wants and nobody gave.
    fn open(&self) -> Result<Client, Failure> {
        let mut config = self.config()?;
        match self.with_tls(&config) {
            Err(error) if trouble::lacks_password(&error) && std::io::stdin().is_terminal() => {
                let user = config.get_user().unwrap_or_default();
                let asked = value::asked(&format!("Password of {user} for {}: ", self.place))?;
                config.password(asked.as_bytes());
                self.with_tls(&config)
            }
            opened => opened,
        }
        .map_err(|error| trouble::while_connecting(self.place.to_string(), error))
    }

    /// With TLS, and, if it is only preferred, without it where it fails.
    fn with_tls(&self, config: &Config) -> Result<Client, postgres::Error> {
        let Some((mode, tls)) = self.tls else {
            return config.clone().ssl_mode(SslMode::Disable).connect(NoTls);
        };
        if *mode > Mode::Prefer {
            return config.clone().ssl_mode(SslMode::Require).connect(tls.clone());
        }
        match config.clone().ssl_mode(SslMode::Prefer).connect(tls.clone()) {
            Err(error) if trouble::is_of_tls(&error) => {
                config.clone().ssl_mode(SslMode::Disable).connect(NoTls)
            }
            opened => opened,
        }
    }

    /// All that does not depend on TLS.
    fn config(&self) -> Result<Config, Failure> {
        let (settings, place) = (self.settings, self.place);
        let mut config = Config::new();
        config.host(&place.host).port(place.port);
        if let Some(address) = place.address {
            config.hostaddr(address);
        }
        config.user(settings.get("user").unwrap_or_default());
        config.dbname(settings.get("dbname").unwrap_or_default());
        let name = settings.get("application_name").or_else(|| settings.get("fallback_application_name"));
        config.application_name(name.unwrap_or("hftok"));
        if let Some(options) = settings.get("options") {
            config.options(options);
        }
        match settings.get("password") {
            Some(password) => {
                config.password(password);
            }
            None => {
                let kept = passfile::password(settings, place.in_password_file(), place.port);
                kept.iter().for_each(|password| {
                    config.password(password.as_bytes());
                });
            }
        }
        config.channel_binding(match settings.get("channel_binding") {
            None | Some("prefer") => ChannelBinding::Prefer,
            Some("disable") => ChannelBinding::Disable,
            Some("require") => ChannelBinding::Require,
            Some(_) => {
                return Err(Failure::Usage("channel_binding is one of disable, prefer, require".to_owned()));
            }
        });
        self.add_times(&mut config)?;
        config.notice_callback(|notice| {
            screen::word(&format!("{}: {}", notice.severity().to_lowercase(), notice.message()));
        });
        Ok(config)
    }

    /// How long to wait, and how to notice that nobody is there any more.
    fn add_times(&self, config: &mut Config) -> Result<(), Failure> {
        let number = |name| self.settings.number(name).map(|given| given.filter(|given| *given > 0));
        let seconds = |name| number(name).map(|given| given.map(Duration::from_secs));
        // 0 is for ever, and 1 is as libpq takes it: a server is given two seconds at least.
        if let Some(time) = seconds("connect_timeout")? {
            config.connect_timeout(time.max(Duration::from_secs(2)));
        }
        if let Some(time) = seconds("keepalives_idle")? {
            config.keepalives_idle(time);
        }
        if let Some(time) = seconds("keepalives_interval")? {
            config.keepalives_interval(time);
        }
        if let Some(count) =
            self.settings.number("keepalives_count")?.and_then(|count| u32::try_from(count).ok())
        {
            config.keepalives_retries(count);
        }
        if let Some(time) = self.settings.number("tcp_user_timeout")?.filter(|given| *given > 0) {
            config.tcp_user_timeout(Duration::from_millis(time));
        }
        config.keepalives(self.settings.number("keepalives")? != Some(0));
        Ok(())
    }
}
