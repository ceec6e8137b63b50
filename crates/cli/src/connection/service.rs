//! The service file: connections by a name.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::settings::Settings;
use crate::failure::Failure;

/// Where packages put the file of the whole machine: Debian's, Red Hat's.
const SYSTEM: [&str; 2] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql"];

/// Adds what the service that `settings` names says, where `settings` says nothing of it.
pub fn add_to(settings: &mut Settings) -> Result<(), Failure> {
    let name = settings.get("service").unwrap_or_default().to_owned();
    let named = settings.get("servicefile").map(PathBuf::from);
    // A file that was named must be there; the others need not.
    if let Some(path) = &named
        && !path.is_file()
    {
        return Err(Failure::Usage(format!("there is no service file {}", path.display())));
    }
    let own = named.or_else(|| Some(std::env::home_dir()?.join(".pg_service.conf")));
    let folders: Vec<PathBuf> = match std::env::var_os("PGSYSCONFDIR") {
        Some(folder) => vec![folder.into()],
        None => SYSTEM.iter().map(PathBuf::from).collect(),
    };
    let system = folders.into_iter().map(|folder| folder.join("pg_service.conf"));
    for path in own.into_iter().chain(system) {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Failure::io(path.display().to_string())(error)),
        };
        if add_section(settings, &text, &name, &path)? {
            return Ok(());
        }
    }
    Err(Failure::Usage(format!("no service file has a service \"{name}\"")))
}

/// Adds the lines of section `name`; false when there is none.
fn add_section(settings: &mut Settings, text: &str, name: &str, path: &Path) -> Result<bool, Failure> {
    let mut found = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(section) = line.strip_prefix('[') {
            if found {
                break;
            }
            found = section.strip_suffix(']') == Some(name);
        } else if found && !line.is_empty() && !line.starts_with('#') {
            let wrong = |what: &str| Failure::Usage(format!("line {} of {} {what}", at + 1, path.display()));
            let (key, value) = line.split_once('=').ok_or_else(|| wrong("has no ="))?;
            if key.trim() == "service" || key.trim() == "servicefile" {
                return Err(wrong("names a service within a service"));
            }
            settings
                .add(key.trim(), value.trim())
                .map_err(|_| wrong("has a keyword that libpq does not know"))?;
        }
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn a_service_adds_what_was_not_said() {
        let mut settings = Settings::default();
        settings.set("port", "1").expect("known");
        let text = "[other]\nhost=no\n# a word\n[mine]\nhost = db.example \nport=2\n\n[mine2]\nuser=x\n";
        assert!(add_section(&mut settings, text, "mine", Path::new("f")).expect("read"));
        let said: Vec<_> = settings.iter().collect();
        assert_eq!(said, [("host", "db.example"), ("port", "1")]);
        assert!(!add_section(&mut settings, text, "none", Path::new("f")).expect("read"));
    }
}
