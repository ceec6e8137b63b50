//! A throw-away Postgres in a folder of its own.
//!
//! What must stay true: only the server in this folder is ever signalled; and it is stopped, and its folder removed,
//! when the `Cluster` is dropped or, where nothing drops it (a static, a killed test), when the test program ends. With
//! HFTOK_KEEP=1 the folder of a test that failed stays, and that of a static stays always.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::error::DbError;
use postgres::{Client, Config, NoTls};
use tempfile::TempDir;

use crate::account::Account;
use crate::prefix;
use crate::root_key::RootKey;
use crate::setup::{Setup, account, installed, programs, run};
use crate::wait_until;

/// Postgres in a folder of its own.
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    extensions: PathBuf,
    libraries: PathBuf,
    account: Account,
    environment: Vec<(String, String)>,
    /// In kB.
    address_space: Option<u32>,
    server: Mutex<Option<Child>>,
    making_database: Mutex<()>,
    /// A process whose input ends with this program.
    keeper: Child,
}

/// The way in which a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Sessions are ended, everything is written.
    Fast,
    /// The server ends as if it had crashed.
    Immediate,
}

/// Waits for the end of its input, then ends the server, those that a drill made beside it, and whatever else sits in the
/// folder, and removes it. Whoever sits there was started by the test. A folder to be kept was not given up by a first line.
const KEEPER: &str = r#"
    sits_here() { case "$(readlink "/proc/$1/cwd" 2>/dev/null)" in "$folder"/*) ;; *) false ;; esac; }
    folder=$1
    read -r given_up
    for file in "$folder"/data/postmaster.pid "$folder"/drill/*/postmaster.pid; do
        server=$(head -n 1 "$file" 2>/dev/null)
        tries=50
        while [ -n "$server" ] && sits_here "$server" && [ $tries -gt 0 ]; do
            [ $tries -lt 50 ] || kill -s QUIT "$server" 2>/dev/null
            tries=$((tries - 1))
            sleep 0.1
        done
    done
    for process in /proc/[0-9]*; do
        sits_here "${process#/proc/}" && kill -s KILL "${process#/proc/}" 2>/dev/null
    done
    [ "$HFTOK_KEEP" = 1 ] && [ -z "$given_up" ] && exit
    while read -r _ mounted _; do
        case "$mounted" in "$folder"/*) umount --lazy "$mounted" ;; *) ;; esac
    done </proc/mounts
    rm -rf "$folder" || { sleep 1; rm -rf "$folder"; }
"#;

/// Lines of a server's log that are shown when its test fails.
const LOG_LINES_SHOWN: usize = 40;

impl Cluster {
    /// A cluster as most tests want it.
    #[track_caller]
    pub fn start_default() -> Self {
        Setup::default().start()
    }

    pub(crate) fn in_new_folder(environment: &[(String, String)], address_space: Option<u32>) -> Self {
        let account = account();
        // The path of a socket may have 107 bytes.
        let parent = Some(std::env::temp_dir()).filter(|path| path.as_os_str().len() < 60);
        let parent = parent.and_then(|path| path.canonicalize().ok()).unwrap_or_else(|| "/tmp".into());
        let folder =
            tempfile::Builder::new().prefix("hftok").tempdir_in(parent).expect("a folder for the server");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("chmod");
        account.give(folder.path());
        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(folder.path())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Not in the terminal's group: an interruption ends the tests, and the keeper then cleans up.
            .process_group(0)
            .spawn()
            .expect("sh runs");
        Self {
            folder,
            programs: programs(),
            extensions: installed("--sharedir").join("extension"),
            libraries: installed("--pkglibdir"),
            account,
            environment: environment.to_vec(),
            // The whole suite under a limit: CONTRIBUTING.md.
            address_space: address_space
                .or_else(|| std::env::var("HFTOK_ADDRESS_SPACE").ok().and_then(|limit| limit.parse().ok())),
            server: Mutex::new(None),
            making_database: Mutex::new(()),
            keeper,
        }
    }

    /// The folder with everything in it, socket included.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The keyring file.
    pub fn keyring(&self) -> PathBuf {
        self.folder().join("keyring")
    }

    /// The folder with the programs of this Postgres.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// The folder of its extensions: `Setup::own_extensions()` makes it one that a test may write to.
    pub fn extensions(&self) -> &Path {
        &self.extensions
    }

    /// The folder of its libraries, likewise.
    pub fn libraries(&self) -> &Path {
        &self.libraries
    }

    pub(crate) fn take_programs(&mut self, folder: PathBuf) {
        self.programs = folder;
    }

    pub(crate) fn copy_installation(&mut self) {
        [self.programs, self.extensions, self.libraries] = prefix::make(self.folder.path());
    }

    /// Everything that the server logged since it was made.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder().join("log")).unwrap_or_default()).into_owned()
    }

    /// A program of this Postgres, run as the server's account.
    pub fn program(&self, name: &str) -> Command {
        self.account.command(self.programs.join(name))
    }

    /// A client program of this Postgres, which finds this server by its environment.
    pub fn client_program(&self, name: &str, user: &str, database: &str) -> Command {
        let mut program = self.program(name);
        program
            .env("PGHOST", self.folder())
            .env("PGPORT", "5432")
            .env("PGUSER", user)
            .env("PGDATABASE", database);
        program
    }

    /// Writes a file into the folder, owned by the server's account, and gives its path.
    pub fn write_file(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.folder().join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, content).expect("write");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("chmod");
        self.account.give(&path);
        path
    }

    /// Makes a folder in the folder unless it is there, owned by the server's account, and gives its path.
    pub fn make_folder(&self, name: &str) -> PathBuf {
        let path = self.folder().join(name);
        fs::create_dir_all(&path).expect("a folder");
        fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("chmod");
        self.account.give(&path);
        path
    }

    /// Writes the keyring file. The server is not told.
    pub fn write_keyring(&self, keys: &[RootKey]) {
        self.write_file("keyring", RootKey::keyring(keys), 0o600);
    }

    /// Appends lines to postgresql.conf, where the last of a name counts. The server is not told.
    pub fn configure(&self, lines: &str) {
        let path = self.data().join("postgresql.conf");
        let mut file = OpenOptions::new().append(true).open(path).expect("postgresql.conf");
        writeln!(file, "{lines}").expect("write");
    }

    /// Starts the server and waits until it lets clients in.
    #[track_caller]
    pub fn start(&self) {
        let log = OpenOptions::new().create(true).append(true).open(self.folder().join("log")).expect("log");
        let mut command = match self.address_space {
            None => self.program("postgres"),
            Some(limit) => {
                let mut shell = self.account.command("/bin/sh");
                shell.args(["-c", r#"ulimit -v "$0" && exec "$@""#]).arg(limit.to_string());
                shell.arg(self.programs.join("postgres"));
                shell
            }
        };
        command.arg("-D").arg(self.data()).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdout(log.try_clone().expect("log")).stderr(log);
        let mut server = command.spawn().expect("postgres runs");
        wait_until("the server lets clients in", 60, || {
            if let Ok(Some(status)) = server.try_wait() {
                panic!("the server did not start ({status}):\n{}", self.log());
            }
            self.connect("postgres", "postgres").is_ok()
        });
        *self.server.lock().expect("lock") = Some(server);
    }

    /// Stops the server and waits until it is gone.
    #[track_caller]
    pub fn stop(&self, how: Stop) {
        self.end_by(if how == Stop::Fast { "INT" } else { "QUIT" });
    }

    /// Stops the server and starts it again.
    #[track_caller]
    pub fn restart(&self) {
        self.stop(Stop::Fast);
        self.start();
    }

    /// Kills the postmaster, as the operating system does when memory is short, and waits for its children to end.
    #[track_caller]
    pub fn kill_postmaster(&self) {
        self.end_by("KILL");
    }

    /// Kills one of the server's processes, as a bug in some extension would, and waits until the server has begun anew.
    #[track_caller]
    pub fn kill_process(&self, process: u32) {
        assert!(self.kill(process, Duration::from_secs(30)), "the server did not end its sessions");
        wait_until("the server lets clients in again", 60, || self.connect("postgres", "postgres").is_ok());
    }

    /// Kills a process, and waits for at most so long until the postmaster knows: until then it still lets clients in, only to end them.
    /// Says whether it came to know, which it does not of one that had ended by itself.
    #[track_caller]
    pub fn kill(&self, process: u32, most: Duration) -> bool {
        let mut bystander = self.client("postgres", "postgres");
        signal(process, "KILL");
        let begun = Instant::now();
        while bystander.batch_execute("SELECT").is_ok() {
            if begun.elapsed() > most {
                return false;
            }
            sleep(Duration::from_millis(10));
        }
        true
    }

    #[track_caller]
    fn end_by(&self, name: &str) {
        let Some(mut server) = self.server.lock().expect("lock").take() else { return };
        signal(server.id(), name);
        let _ = server.wait();
        wait_until("all processes of the server are gone", 30, || self.processes().is_empty());
    }

    /// The postmaster's process id.
    pub fn postmaster(&self) -> u32 {
        self.server.lock().expect("lock").as_ref().expect("the server runs").id()
    }

    /// Every process of the server: those that sit in its data directory.
    pub fn processes(&self) -> Vec<u32> {
        let data = self.data();
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id| fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd == data)).collect()
    }

    /// Has the settings read again. Does not wait until every process did.
    pub fn reload(&self) {
        signal(self.postmaster(), "HUP");
    }

    /// A session, and the notices and warnings that it is sent.
    #[track_caller]
    pub fn client_noting(&self, user: &str, database: &str) -> (Client, Arc<Mutex<Vec<DbError>>>) {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&notices);
        let mut config = Config::new();
        config.notice_callback(move |notice| noted.lock().expect("lock").push(notice));
        let config = config.host_path(self.folder()).port(5432).user(user).dbname(database);
        (config.connect(NoTls).expect("a session"), notices)
    }

    /// A session, or why there is none.
    pub fn connect(&self, user: &str, database: &str) -> Result<Client, postgres::Error> {
        Config::new().host_path(self.folder()).port(5432).user(user).dbname(database).connect(NoTls)
    }

    /// A session.
    #[track_caller]
    pub fn client(&self, user: &str, database: &str) -> Client {
        self.connect(user, database).unwrap_or_else(|error| panic!("{user} in {database}: {error:?}"))
    }

    /// Makes a database with hftok in it, and gives a superuser's session there.
    #[track_caller]
    pub fn database(&self, name: &str) -> Client {
        let mut client = self.empty_database(name);
        let _alone = self.making_database.lock();
        client.batch_execute("CREATE EXTENSION hftok").expect("CREATE EXTENSION");
        client
    }

    /// Makes a database without hftok, and gives a superuser's session there.
    #[track_caller]
    pub fn empty_database(&self, name: &str) -> Client {
        let _alone = self.making_database.lock();
        self.client("postgres", "postgres")
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .expect("CREATE DATABASE");
        self.client("postgres", name)
    }

    /// Runs a script by psql as a superuser, stopping at the first error, and gives what it printed.
    #[track_caller]
    pub fn psql(&self, database: &str, arguments: &[&str]) -> String {
        let mut psql = self.client_program("psql", "postgres", database);
        run(psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]).args(arguments))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("the end of {}:\n{}", self.folder().join("log").display(), tail.join("\n"));
        }
        if failed && std::env::var_os("HFTOK_KEEP").is_some_and(|keep| keep == "1") {
            self.folder.disable_cleanup(true);
        } else if let Some(input) = &mut self.keeper.stdin {
            let _ = input.write_all(b"given up\n");
        }
        // Closes its input, which it waits for, and waits for its end.
        let _ = self.keeper.wait();
        if let Some(mut server) = self.server.lock().ok().and_then(|mut server| server.take()) {
            let _ = server.wait();
        }
    }
}

/// Sends a signal to a process.
pub fn signal(process: u32, name: &str) {
    let _ = Command::new("/bin/sh").args(["-c", &format!("kill -s {name} {process} 2>/dev/null")]).status();
}
