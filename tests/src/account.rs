//! The operating-system account that servers run as: Postgres refuses to be root.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// An account by its numbers.
#[derive(Debug, Clone, Copy)]
pub struct Account {
    uid: u32,
    gid: u32,
    is_other: bool,
}

impl Account {
    /// HFTOK_TEST_USER (`postgres` when it isn't set) when tests run as root, otherwise whoever runs them.
    pub fn of_servers() -> Self {
        static ACCOUNT: OnceLock<Account> = OnceLock::new();
        *ACCOUNT.get_or_init(|| {
            if !is_root() {
                return Self { uid: number("-u", None), gid: number("-g", None), is_other: false };
            }
            let user = std::env::var("HFTOK_TEST_USER").unwrap_or_else(|_| "postgres".into());
            Self { uid: number("-u", Some(&user)), gid: number("-g", Some(&user)), is_other: true }
        })
    }

    /// A command that runs as this account, outside of folders that it may not enter.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir("/");
        if self.is_other {
            command.uid(self.uid).gid(self.gid);
        }
        // Settings for other servers in the caller's environment must not reach these programs.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG")) {
            command.env_remove(name);
        }
        command.env_remove("RUST_BACKTRACE");
        command
    }

    /// Gives a file or folder to this account.
    pub fn give(&self, path: &Path) {
        if self.is_other {
            chown(path, Some(self.uid), Some(self.gid)).expect("chown");
        }
    }
}

/// Whether the tests run as root, who may look into every process.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0)
}

fn number(what: &str, user: Option<&str>) -> u32 {
    let output = Command::new("id").arg(what).args(user).output().expect("id runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("there is no user {user:?} to run Postgres as: set HFTOK_TEST_USER"))
}
