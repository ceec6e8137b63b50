//! Hears of changes, in a thread of its own, and tells the streams that they concern.
//!
//! What must stay true: a connection that broke off is opened again, and then everything is looked at, so that a change is late
//! and never missed; a token that was revoked ends its streams within a second or two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::streams::Streams;
use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::runner::listening::Listening;
use crate::screen::Screen;

/// How often tokens are looked at that may have been revoked, which is told to nobody.
const EVERY: Duration = Duration::from_secs(1);
/// The first pause before a new connection; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The thread.
pub struct Changes {
    /// Joined at the end.
    thread: JoinHandle<()>,
    /// Set once it is to end.
    ends: Arc<AtomicBool>,
    /// Whether it hears of changes just now.
    hears: Arc<AtomicBool>,
}

/// What the thread works with.
struct Hearing {
    /// Where Postgres is.
    connection: ConnectionOptions,
    /// Whom it tells.
    streams: Arc<Streams>,
    /// For words when Postgres is away, and back.
    screen: Screen,
    /// Whether it is to end.
    ends: Arc<AtomicBool>,
    /// Whether it hears of changes just now.
    hears: Arc<AtomicBool>,
}

impl Changes {
    /// Connects, and starts the thread.
    pub fn begin(
        connection: &ConnectionOptions,
        streams: Arc<Streams>,
        screen: Screen,
    ) -> Result<Self, Failure> {
        let mut first = Listening::open(connection)?;
        // Somebody without the right to ask is told so here.
        first.look(&["00000000-0000-0000-0000-000000000000".to_owned()])?;
        let (ends, hears) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
        let hearing = Hearing {
            connection: connection.clone(),
            streams,
            screen,
            ends: Arc::clone(&ends),
            hears: Arc::clone(&hears),
        };
        let thread = thread::Builder::new().name("changes".to_owned()).spawn(move || hearing.go_on(first));
        let thread = thread.map_err(Failure::io("a thread for changes"))?;
        Ok(Self { thread, ends, hears })
    }

    /// Whether it hears of changes just now: for whoever asks how the server is.
    pub fn is_hearing(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.hears)
    }

    /// Ends the thread.
    pub fn end(self) {
        self.ends.store(true, Ordering::SeqCst);
        // It looks each second; a panic of it would have been told.
        let _ = self.thread.join();
    }
}

impl Hearing {
    /// Hears of changes until it is to end.
    fn go_on(self, first: Listening) {
        let mut listening = Some(first);
        let mut pause = PAUSE;
        while !self.ends.load(Ordering::SeqCst) {
            let heard = match listening.take() {
                Some(one) => Ok(one),
                None => Listening::open(&self.connection),
            };
            let failure = match heard {
                Ok(one) => {
                    if !self.hears.swap(true, Ordering::SeqCst) {
                        self.screen.note("hftok: Postgres answers again");
                    }
                    pause = PAUSE;
                    match self.hear(one) {
                        Ok(()) => return,
                        Err(failure) => failure,
                    }
                }
                Err(failure) => failure,
            };
            if self.hears.swap(false, Ordering::SeqCst) {
                self.screen.failure(&failure);
                self.screen.note("hftok: workers hear of changes again once Postgres answers");
            }
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Hears of changes for as long as the connection holds.
    fn hear(&self, mut listening: Listening) -> Result<(), Failure> {
        while !self.ends.load(Ordering::SeqCst) {
            let is_time = listening.wait(EVERY)?;
            let ids = self.streams.ids();
            if ids.is_empty() {
                listening.forget();
                continue;
            }
            if is_time {
                self.streams.compare(&ids, &listening.look(&ids)?);
            } else {
                self.streams.over(&listening.ended(&ids)?);
            }
        }
        Ok(())
    }
}
