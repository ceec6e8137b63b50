//! Questions to Postgres, by a few connections that wait in threads of their own.
//!
//! What must stay true: a question that cannot be asked soon is refused; however many workers ask, Postgres has as many
//! connections of ours as there are threads here.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::connection::{ConnectionOptions, Database};
use crate::failure::Failure;
use crate::runner::listening::open_for_questions;

/// Connections to Postgres.
const THREADS: usize = 4;
/// Questions that wait for one of them.
const WAITING: usize = 1024;
/// Longer than a worker waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// A question and the way of its answer, for whichever connection is free.
type Question = Box<dyn FnOnce(&mut Place<'_>) + Send>;

/// Where questions are asked.
pub struct Questions(mpsc::Sender<Question>);

/// Why there is no answer.
pub enum Unanswered {
    /// Too many questions wait.
    Busy,
    /// Postgres said no, or nothing.
    Failed(Failure),
}

/// A connection, if there is one just now.
struct Place<'a> {
    /// Where Postgres is.
    options: &'a ConnectionOptions,
    /// The connection.
    database: Option<Database>,
}

impl Questions {
    /// Starts the threads.
    pub fn begin(options: &ConnectionOptions) -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::channel::<Question>(WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..THREADS {
            let (options, receiver) = (options.clone(), Arc::clone(&receiver));
            let named = thread::Builder::new().name(format!("questions {number}"));
            let started = named.spawn(move || {
                let mut place = Place { options: &options, database: None };
                loop {
                    // The guard is gone before the question is asked.
                    let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
                    let Some(question) = next else { return };
                    question(&mut place);
                }
            });
            started.map_err(Failure::io("a thread for questions"))?;
        }
        Ok(Self(sender))
    }

    /// Asks Postgres. The question only reads: it is asked once more over a new connection where the former one is broken.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl Fn(&mut Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Unanswered> {
        let (sender, receiver) = oneshot::channel();
        let asked: Question = Box::new(move |place| {
            if sender.is_closed() {
                return;
            }
            // Whoever asked may have gone meanwhile.
            let _ = sender.send(place.ask(question));
        });
        self.0.try_send(asked).map_err(|_| Unanswered::Busy)?;
        match timeout(PATIENCE, receiver).await {
            Ok(Ok(answer)) => answer.map_err(Unanswered::Failed),
            Ok(Err(_)) | Err(_) => Err(Unanswered::Busy),
        }
    }
}

impl Place<'_> {
    /// Asks over the connection that there is, and over a new one where that is broken.
    fn ask<T>(&mut self, question: impl Fn(&mut Database) -> Result<T, Failure>) -> Result<T, Failure> {
        if let Some(mut database) = self.database.take() {
            match question(&mut database) {
                Err(Failure::Unreachable { .. }) => {}
                answer => {
                    self.database = Some(database);
                    return answer;
                }
            }
        }
        let mut database = open_for_questions(self.options)?;
        let answer = question(&mut database);
        if !matches!(answer, Err(Failure::Unreachable { .. })) {
            self.database = Some(database);
        }
        answer
    }
}
