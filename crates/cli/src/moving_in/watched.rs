//! A statement that works for minutes on one connection, while another one says how far it is, or stops it.
//!
//! What must stay true: what the statement has committed stays when it is stopped; it also stops when this process is killed.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hftok_core::{hex, random};
use postgres::Client;

use crate::connection::{ConnectionOptions, Database};
use crate::failure::Failure;
use crate::progress::{Bar, Interrupt};

/// How often ^C is looked for.
const GLANCE: Duration = Duration::from_millis(50);
/// How often progress is asked for, at most.
const LOOK: Duration = Duration::from_millis(500);
/// SQLSTATE query_canceled.
const CANCELLED: &str = "57014";

/// Two connections: one that works, and one that watches.
pub struct Watched {
    /// The one that works.
    worker: Database,
    /// The one that watches.
    watcher: Database,
    /// By which the watcher finds the statement.
    mark: Arc<str>,
}

impl Watched {
    /// Opens both.
    pub fn open(connection: &ConnectionOptions) -> Result<Self, Failure> {
        let mut worker = connection.postgres()?;
        // Otherwise the server would only notice at the end that nobody waits any more.
        let noticing = worker
            .client()
            .execute("SELECT pg_catalog.set_config('client_connection_check_interval', '2s', false)", &[]);
        match noticing {
            // A server whose system cannot tell goes on to the end.
            Err(error) if error.as_db_error().is_some() => {}
            other => drop(other?),
        }
        let mark =
            random::<8>().map_err(|_| Failure::io("randomness")(std::io::Error::other("there is none")))?;
        Ok(Self {
            worker,
            watcher: connection.postgres()?,
            mark: format!("/* hftok {} */", hex(&mark)).into(),
        })
    }

    /// The connection that works, for what is done at once.
    pub fn worker(&mut self) -> &mut Client {
        self.worker.client()
    }

    /// The connection that watches.
    pub fn watcher(&mut self) -> &mut Client {
        self.watcher.client()
    }

    /// Runs `work`, whose statement must begin with the mark that it is given: by it the watcher finds the statement, also
    /// behind a pooler. `count` says how much of the work is done.
    pub fn run<T: Send>(
        &mut self,
        bar: &Bar,
        work: impl FnOnce(&mut Client, &str) -> Result<T, Failure> + Send,
        mut count: impl FnMut(&mut Client) -> Result<u64, Failure>,
    ) -> Result<T, Failure> {
        let interrupt = Interrupt::watch()?;
        let Self { worker, watcher, mark } = self;
        let (mark, worker) = (Arc::clone(mark), worker.client());
        thread::scope(|scope| {
            let work = {
                let mark = Arc::clone(&mark);
                scope.spawn(move || work(worker, &mark))
            };
            let mut next = Instant::now() + LOOK;
            while !work.is_finished() {
                thread::sleep(GLANCE);
                if interrupt.is_wanted() {
                    stop(watcher.client(), &mark)?;
                } else if bar.is_seen() && Instant::now() >= next {
                    let asked = Instant::now();
                    // A watcher that cannot count leaves the bar as it is.
                    if let Ok(done) = count(watcher.client()) {
                        bar.done(done);
                    }
                    // Of the server's time, a twentieth at most.
                    next = Instant::now() + LOOK.max(asked.elapsed() * 20);
                }
            }
            match work.join() {
                Ok(Err(failure)) if interrupt.is_wanted() && failure.sqlstate() == Some(CANCELLED) => {
                    Err(Failure::Stopped("what is committed stays".to_owned()))
                }
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}

/// Tells the server to stop the statement with this mark, if it is at work.
fn stop(watcher: &mut Client, mark: &str) -> Result<(), Failure> {
    watcher.execute(
        "SELECT pg_catalog.pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity AS a
         WHERE pg_catalog.starts_with(a.query, $1) AND a.state = 'active' AND a.pid <> pg_catalog.pg_backend_pid()",
        &[&mark],
    )?;
    Ok(())
}
