//! Clients that go on asking for a token, each call for a user of its own, and know what they were answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};

use crate::audit::resolve;
use crate::cluster::Cluster;

/// A value that reached its client.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The user that it was asked for, whose name only this call had.
    pub user: String,
    /// When it was there.
    pub at: Instant,
}

/// The outcome of the clients' calls.
#[derive(Debug, Default)]
pub struct Answers {
    /// Values that reached them.
    pub given: Vec<Answer>,
    /// Errors of the server, by their SQLSTATE.
    pub refused: Vec<String>,
    /// Connections that ended or were not to be had.
    pub lost: usize,
}

/// Clients at work, each on a thread of its own.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Answers>>,
}

/// The way in which clients ask.
#[derive(Debug, Clone)]
pub struct Manner {
    /// Before the names of their users.
    pub name: String,
    /// At the beginning of each session.
    pub opening: String,
    /// Between two calls.
    pub pause: Duration,
}

impl Traffic {
    /// Lets so many clients begin.
    pub fn begin(cluster: &Cluster, database: &str, clients: usize, manner: &Manner) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut config = Config::new();
        config.host_path(cluster.folder()).port(5432).user("postgres").dbname(database);
        let clients = (0..clients)
            .map(|number| {
                let (stop, config, manner) = (Arc::clone(&stop), config.clone(), manner.clone());
                spawn(move || ask(&stop, &config, number, &manner))
            })
            .collect();
        Self { stop, clients }
    }

    /// Has them finish, and gives what they came to.
    #[track_caller]
    pub fn end(self) -> Answers {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Answers::default();
        for client in self.clients {
            let answers = client.join().expect("a client panicked");
            all.given.extend(answers.given);
            all.refused.extend(answers.refused);
            all.lost += answers.lost;
        }
        all
    }
}

fn ask(stop: &AtomicBool, config: &Config, number: usize, manner: &Manner) -> Answers {
    let mut answers = Answers::default();
    let mut session: Option<Client> = None;
    let mut call = 0;
    while !stop.load(Ordering::Relaxed) {
        let Some(client) = &mut session else {
            session = config
                .connect(NoTls)
                .ok()
                .and_then(|mut client| client.batch_execute(&manner.opening).is_ok().then_some(client));
            if session.is_none() {
                answers.lost += 1;
                sleep(Duration::from_millis(10));
            }
            continue;
        };
        call += 1;
        let user = format!("{}-{number}-{call}", manner.name);
        match resolve(client, &user) {
            Ok(()) => answers.given.push(Answer { user, at: Instant::now() }),
            Err(error) => match error.as_db_error() {
                Some(refusal) if !client.is_closed() => {
                    answers.refused.push(refusal.code().code().to_owned())
                }
                _ => {
                    answers.lost += 1;
                    session = None;
                }
            },
        }
        if !manner.pause.is_zero() {
            sleep(manner.pause);
        }
    }
    answers
}
