//! Workers that wait for changes: by the ids of their tokens, which no longer are tokens.
//!
//! What must stay true: nothing waits for a worker that does not read; a worker whose own answer cannot have changed hears
//! nothing; no token has more streams than a few.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Streams of one token: its worker, and those that it has not yet noticed to be dead.
const EACH: usize = 32;

/// What a stream is told. Only the last counts, so that it takes no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// So many changes so far.
    Changes(u64),
    /// The token may not be used any more.
    Over,
    /// The server stops.
    Stop,
}

/// The streams there are.
#[derive(Default)]
pub struct Streams(Mutex<HashMap<String, Waiting>>);

/// Workers with one token.
struct Waiting {
    /// What they would be given, as far as it was looked at.
    state: Option<String>,
    /// Tells them.
    told: watch::Sender<Told>,
    /// How many they are.
    count: usize,
}

/// A worker's place. It is free again when this is dropped.
pub struct Stream {
    /// Where the place is.
    streams: Arc<Streams>,
    /// The id of the token.
    id: String,
    /// Hears what is told.
    pub heard: watch::Receiver<Told>,
}

impl Streams {
    /// A place for a worker, unless its token has too many.
    pub fn enter(self: &Arc<Self>, id: &str) -> Option<Stream> {
        let mut all = self.all();
        let waiting = all.entry(id.to_owned()).or_insert_with(|| Waiting {
            state: None,
            told: watch::Sender::new(Told::Changes(0)),
            count: 0,
        });
        if waiting.count >= EACH {
            return None;
        }
        waiting.count += 1;
        Some(Stream { streams: Arc::clone(self), id: id.to_owned(), heard: waiting.told.subscribe() })
    }

    /// The ids of all tokens that have a stream.
    pub fn ids(&self) -> Vec<String> {
        self.all().keys().cloned().collect()
    }

    /// What a worker would be given at first. Another one that is known already stays: if it is another, that is told soon.
    pub fn begin(&self, id: &str, state: String) {
        if let Some(waiting) = self.all().get_mut(id) {
            waiting.state.get_or_insert(state);
        }
    }

    /// Tells those that were asked for and have another state now. One without a state may not be used any more. A worker whose first
    /// state was not known yet is told nothing: it asks for its environment once its stream is open.
    pub fn compare(&self, asked: &[String], states: &HashMap<String, String>) {
        let mut all = self.all();
        for id in asked {
            let Some(waiting) = all.get_mut(id) else { continue };
            match states.get(id) {
                None => {
                    waiting.told.send_replace(Told::Over);
                }
                Some(state) => {
                    let former = waiting.state.replace(state.clone());
                    if former.is_some_and(|former| former != *state) {
                        waiting.told.send_modify(Told::count);
                    }
                }
            }
        }
    }

    /// Ends the streams of tokens that may not be used any more.
    pub fn over(&self, ids: &[String]) {
        self.compare(ids, &HashMap::new());
    }

    /// Ends all of them.
    pub fn end_all(&self) {
        self.all().values().for_each(|waiting| {
            waiting.told.send_replace(Told::Stop);
        });
    }

    /// All of them, for as long as nobody else looks.
    fn all(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    /// One change more.
    fn count(&mut self) {
        if let Self::Changes(count) = self {
            *count += 1;
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut all = self.streams.all();
        if let Some(waiting) = all.get_mut(&self.id) {
            waiting.count -= 1;
            if waiting.count == 0 {
                all.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may fail")]
mod tests {
    use super::*;

    /// States by the ids of tokens.
    fn states(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs.iter().map(|(id, state)| ((*id).to_owned(), (*state).to_owned())).collect()
    }

    #[test]
    fn only_whoever_would_be_given_something_else_hears_of_it() {
        let streams = Arc::new(Streams::default());
        let (one, two) = (streams.enter("1").expect("a place"), streams.enter("2").expect("a place"));
        streams.begin("1", "a".to_owned());
        streams.begin("2", "a".to_owned());
        let asked = ["1", "2"].map(str::to_owned);
        streams.compare(&asked, &states(&[("1", "b"), ("2", "a")]));
        assert_eq!((*one.heard.borrow(), *two.heard.borrow()), (Told::Changes(1), Told::Changes(0)));
        streams.compare(&asked, &states(&[("1", "b")]));
        assert_eq!((*one.heard.borrow(), *two.heard.borrow()), (Told::Changes(1), Told::Over));
    }

    #[test]
    fn a_look_before_the_first_state_is_known_is_no_change() {
        let streams = Arc::new(Streams::default());
        let one = streams.enter("1").expect("a place");
        streams.compare(&["1".to_owned()], &states(&[("1", "a")]));
        streams.begin("1", "a".to_owned());
        assert_eq!(*one.heard.borrow(), Told::Changes(0));
        streams.compare(&["1".to_owned()], &states(&[("1", "b")]));
        assert_eq!(*one.heard.borrow(), Told::Changes(1));
    }

    #[test]
    fn a_token_has_a_few_streams_and_leaves_nothing_behind() {
        let streams = Arc::new(Streams::default());
        let mut held: Vec<Stream> = (0..EACH).filter_map(|_| streams.enter("1")).collect();
        assert_eq!(held.len(), EACH);
        assert!(streams.enter("1").is_none());
        held.pop();
        held.extend(streams.enter("1"));
        assert_eq!(held.len(), EACH);
        drop(held);
        assert!(streams.ids().is_empty());
    }
}
