//! The application's backend at work, while its keys move: it writes tokens and reads them again, and none of that may fail.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use hftok_tests::cluster::Cluster;
use postgres::{Client, Config, NoTls};

use super::old_app::{BUSY, NEW, OLD, token};

/// The release of the application that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Release {
    /// Knows nothing of hftok.
    Old,
    /// Writes to both, reads hftok first.
    Both,
    /// Knows nothing of the column.
    New,
    /// None any more.
    End,
}

/// The outcome of the backend's rounds.
#[derive(Debug, Default)]
pub struct Came {
    /// The token that each user has.
    pub tokens: BTreeMap<i64, String>,
    /// Errors, and answers that differ from what had been written.
    pub faults: Vec<String>,
    /// Number of times that it wrote and read.
    pub rounds: usize,
    /// The longest round.
    pub longest: Duration,
}

/// The backend, on a thread of its own.
pub struct Backend {
    release: Arc<AtomicU8>,
    runs: JoinHandle<Came>,
}

impl Backend {
    /// Lets the first release begin.
    pub fn begin(cluster: &Cluster, database: &str) -> Self {
        let release = Arc::new(AtomicU8::new(Release::Old as u8));
        let mut config = Config::new();
        config.host_path(cluster.folder()).port(5432).user("backend").dbname(database);
        let told = Arc::clone(&release);
        Self { release, runs: spawn(move || work(&told, &config)) }
    }

    /// Replaces the release that runs, and lets it work for a while.
    pub fn deploy(&self, release: Release) {
        self.release.store(release as u8, Ordering::SeqCst);
        sleep(Duration::from_millis(500));
    }

    /// Stops it.
    #[track_caller]
    pub fn end(self) -> Came {
        self.release.store(Release::End as u8, Ordering::SeqCst);
        self.runs.join().expect("the backend panicked")
    }
}

fn work(release: &AtomicU8, config: &Config) -> Came {
    let mut came = Came::default();
    let mut session: Option<Client> = None;
    loop {
        let release = match release.load(Ordering::SeqCst) {
            0 => Release::Old,
            1 => Release::Both,
            2 => Release::New,
            _ => return came,
        };
        let Some(client) = &mut session else {
            session = config.connect(NoTls).ok();
            sleep(Duration::from_millis(10));
            continue;
        };
        let user = BUSY.start + came.rounds as i64 % (BUSY.end - BUSY.start);
        let canary = if release == Release::New { NEW } else { OLD };
        let value = token(canary, 100_000 + came.rounds);
        let begin = Instant::now();
        let read = write(client, release, user, &value).and_then(|()| read(client, release, user));
        match read {
            Ok(read) => {
                if read.as_deref() != Some(value.as_str()) {
                    came.faults.push(format!("{release:?}: user {user} does not have what was written"));
                }
                came.tokens.insert(user, value);
                came.longest = came.longest.max(begin.elapsed());
            }
            // The server was killed: whether it was written shows when the user is written to again, which all are.
            Err(_) if client.is_closed() => session = None,
            Err(error) => came.faults.push(format!("{release:?}: {error:?}")),
        }
        came.rounds += 1;
        sleep(Duration::from_millis(2));
    }
}

fn write(client: &mut Client, release: Release, user: i64, value: &str) -> Result<(), postgres::Error> {
    let mut both = client.transaction()?;
    if release != Release::New {
        both.execute("UPDATE users SET huggingface_token = $2 WHERE id = $1", &[&user, &value])?;
    }
    if release != Release::Old {
        both.execute("SELECT hftok.save_hf_token($1, p_user_id => $2)", &[&value, &user.to_string()])?;
    }
    both.commit()
}

fn read(client: &mut Client, release: Release, user: i64) -> Result<Option<String>, postgres::Error> {
    if release == Release::Old {
        let row = client.query_one("SELECT huggingface_token FROM users WHERE id = $1", &[&user])?;
        return Ok(row.get(0));
    }
    let own = "SELECT hftok.resolve_hf_token($1, p_levels => '{user}')";
    Ok(client.query_one(own, &[&user.to_string()])?.get(0))
}
