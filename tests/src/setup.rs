//! The choices that a cluster is made from.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::Account;
use crate::cluster::Cluster;
use crate::root_key::RootKey;

/// A cluster that does not exist yet.
#[must_use]
pub struct Setup {
    pub(crate) settings: Vec<String>,
    pub(crate) keys: Vec<RootKey>,
    pub(crate) preload: bool,
    pub(crate) durable: bool,
    pub(crate) own_extensions: bool,
    pub(crate) programs: Option<PathBuf>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) address_space: Option<u32>,
}

impl Default for Setup {
    /// hftok preloaded, and a keyring with one fresh key.
    fn default() -> Self {
        Self {
            settings: Vec::new(),
            keys: vec![RootKey::random(1)],
            preload: true,
            durable: false,
            own_extensions: false,
            programs: None,
            environment: Vec::new(),
            address_space: None,
        }
    }
}

impl Setup {
    /// A line of postgresql.conf.
    pub fn setting(mut self, line: &str) -> Self {
        self.settings.push(line.into());
        self
    }

    /// The keyring, its primary key last.
    pub fn keys(mut self, keys: &[RootKey]) -> Self {
        self.keys = keys.to_vec();
        self
    }

    /// A server that knows hftok only as an extension that can be created.
    pub fn without_preload(mut self) -> Self {
        self.preload = false;
        self
    }

    /// With fsync: for tests about what is on disk.
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    /// A server with a folder of extensions of its own: `Cluster::extensions()`.
    pub fn own_extensions(mut self) -> Self {
        self.own_extensions = true;
        self
    }

    /// A server of another Postgres than the one under test, by the folder of its programs.
    pub fn programs(mut self, folder: &Path) -> Self {
        self.programs = Some(folder.into());
        self
    }

    /// A variable of the server's environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// No process of the server gets more memory than so many kB, as where the operating system promises nobody more than it
    /// has.
    pub fn address_space(mut self, kilobytes: u32) -> Self {
        self.address_space = Some(kilobytes);
        self
    }

    /// Makes the cluster and starts it.
    #[track_caller]
    pub fn start(self) -> Cluster {
        let cluster = self.make();
        cluster.start();
        cluster
    }

    /// Makes the cluster: an empty database server that is not running.
    #[track_caller]
    pub fn make(self) -> Cluster {
        let mut cluster = Cluster::in_new_folder(&self.environment, self.address_space);
        if self.own_extensions {
            cluster.copy_installation();
        }
        if let Some(programs) = self.programs {
            cluster.take_programs(programs);
        }
        let mut initdb = cluster.program("initdb");
        initdb.args([
            "--no-locale",
            "--encoding=UTF8",
            "--auth=trust",
            "--username=postgres",
            "--no-sync",
            "-D",
        ]);
        run(initdb.arg(cluster.data()));
        cluster.write_keyring(&self.keys);
        cluster.configure(&format!("unix_socket_directories = '{}'", cluster.folder().display()));
        cluster.configure(
            "listen_addresses = ''\nport = 5432\nshared_buffers = 16MB\nmax_connections = 60\nmax_wal_size = 256MB",
        );
        if !self.durable {
            cluster.configure("fsync = off");
        }
        if self.preload {
            cluster.configure("shared_preload_libraries = 'hftok'");
            // However the library was built.
            cluster.configure("hftok.check_absence = on");
        }
        cluster.configure(&format!("hftok.key_file = '{}'", cluster.keyring().display()));
        cluster.configure("hftok.gateways = 'authenticator'");
        for line in &self.settings {
            cluster.configure(line);
        }
        cluster
    }

    /// Makes another server of a base backup, which does not follow the first, with the text of a keyring, and starts it.
    #[track_caller]
    pub fn clone_of(original: &Cluster, keyring: &str) -> Cluster {
        let cluster = Self::base_backup_of(original, &[]);
        cluster.write_file("keyring", keyring, 0o600);
        cluster.configure(&format!("hftok.key_file = '{}'", cluster.keyring().display()));
        cluster.start();
        cluster
    }

    fn base_backup_of(original: &Cluster, options: &[&str]) -> Cluster {
        let cluster = Cluster::in_new_folder(&[], None);
        let mut copy = cluster.program("pg_basebackup");
        copy.args(options).args(["--checkpoint=fast", "--no-sync", "-U", "postgres", "-p", "5432"]);
        run(copy.arg("-h").arg(original.folder()).arg("-D").arg(cluster.data()));
        cluster.configure(&format!("unix_socket_directories = '{}'", cluster.folder().display()));
        cluster
    }

    /// Makes a hot standby of another cluster, with its settings and its keyring, and starts it.
    #[track_caller]
    pub fn standby_of(primary: &Cluster) -> Cluster {
        let cluster = Self::base_backup_of(primary, &["--write-recovery-conf"]);
        cluster.start();
        cluster
    }
}

/// Runs a program that must succeed, and gives what it printed.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A folder of the Postgres under test, which PG_CONFIG names, by the option that pg_config tells it for.
pub fn installed(option: &str) -> PathBuf {
    let pg_config = std::env::var("PG_CONFIG").unwrap_or_else(|_| "pg_config".into());
    run(Command::new(pg_config).arg(option)).trim().into()
}

/// The folder with its programs.
pub(crate) fn programs() -> PathBuf {
    installed("--bindir")
}

/// The account, looked up before anything is made.
pub(crate) fn account() -> Account {
    Account::of_servers()
}
