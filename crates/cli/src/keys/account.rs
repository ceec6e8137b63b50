//! The account that a keyring belongs to.

use std::fs;
use std::str::FromStr;

/// An account of this machine, by its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: u32,
    /// Its group; none where only the user is known.
    pub group: Option<u32>,
}

impl FromStr for Account {
    type Err = String;

    /// A name of /etc/passwd, `UID` or `UID:GID`. Whoever is known by a directory service alone is given by numbers: asking
    /// one needs the C library's plug-ins, which this program does without.
    fn from_str(given: &str) -> Result<Self, String> {
        let numbers = || {
            let (user, group) =
                given.split_once(':').map_or((given, None), |(user, group)| (user, Some(group)));
            let group = group.map(str::parse).transpose().ok()?;
            Some(Self { user: user.parse().ok()?, group })
        };
        let passwd = || {
            let accounts = fs::read_to_string("/etc/passwd").ok()?;
            accounts.lines().find_map(|line| of_line(line, given))
        };
        numbers().or_else(passwd).ok_or_else(|| "no account of /etc/passwd: give UID:GID".to_owned())
    }
}

/// The account of a line of /etc/passwd, if it has this name.
fn of_line(line: &str, name: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let found = fields.next().filter(|first| *first == name && !name.is_empty());
    found?;
    let user = fields.nth(1)?.parse().ok()?;
    Some(Account { user, group: Some(fields.next()?.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::{Account, of_line};

    #[test]
    fn an_account_is_a_name_or_numbers() {
        assert_eq!("0:7".parse(), Ok(Account { user: 0, group: Some(7) }));
        assert_eq!("12".parse(), Ok(Account { user: 12, group: None }));
        assert_eq!("root".parse(), Ok(Account { user: 0, group: Some(0) }));
        for bad in ["", ":", "0:", "x y", "-1", "0:0:0"] {
            assert!(bad.parse::<Account>().is_err(), "{bad}");
        }
        let line = "postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash";
        assert_eq!(of_line(line, "postgres"), Some(Account { user: 101, group: Some(104) }));
        assert_eq!(of_line(line, "post"), None);
    }
}
