//! Visits to databases: which one a worker is to visit next, and when. Plain memory of one size, since it lies in shared memory.
//!
//! What must stay true: one worker is in a database at a time; a visit that was asked for while one is under way comes after it; and a
//! worker that ends without a word is no reason to forget the database, unless that happens again and again.

/// As many databases as can wait at once. Those that find no place wait elsewhere.
pub const PLACES: usize = 64;
/// As many workers as there are at a time: the others have their turn when one leaves.
const WORKERS_MAX: usize = 2;
/// A worker that has not begun by then never will, in microseconds.
const BEGIN_MAX: i64 = 10_000_000;
/// The shortest pause, in microseconds.
const SECOND: i64 = 1_000_000;
/// The pause is doubled so many times at most: to a minute.
const DOUBLINGS_MAX: u32 = 6;
/// A database whose workers all end without a word is forgotten after so many: it may be gone.
const LOST_MAX: u32 = 5;
/// The number of a worker that is being started.
const BEGINNING: i32 = -1;

/// The end of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is nothing left to do.
    Done,
    /// Something is left, and can be done at once.
    Unfinished,
    /// Something is left that could not be done now. The pause grows from one such visit to the next.
    Later,
}

/// A database that is visited, or is going to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// 0 in an empty place.
    database: u32,
    /// The worker that is there; 0 for none.
    worker: i32,
    /// When it is due, if it is.
    due: Option<i64>,
    /// When the last worker was started.
    begun: i64,
    /// Visits in a row that came to nothing.
    vain: u32,
    /// Workers in a row that ended without a word.
    lost: u32,
}

/// The databases that are visited.
#[derive(Debug, Clone, Copy)]
pub struct Visits {
    /// In no order.
    places: [Place; PLACES],
}

impl Place {
    /// Nobody's.
    const EMPTY: Self = Self { database: 0, worker: 0, due: None, begun: 0, vain: 0, lost: 0 };

    /// The worker is gone.
    fn end(&mut self, outcome: Outcome, now: i64) {
        self.worker = 0;
        self.vain = if outcome == Outcome::Later { self.vain.saturating_add(1) } else { 0 };
        let again = match outcome {
            Outcome::Done => None,
            Outcome::Unfinished => Some(now),
            Outcome::Later => Some(now + pause(self.vain)),
        };
        // A visit that was asked for meanwhile is due already.
        self.due = match (self.due, again) {
            (Some(asked), Some(again)) => Some(asked.min(again)),
            (asked, again) => asked.or(again),
        };
        if self.due.is_none() {
            *self = Self::EMPTY;
        }
    }
}

/// The pause after so many vain visits in a row.
fn pause(vain: u32) -> i64 {
    SECOND << vain.saturating_sub(1).min(DOUBLINGS_MAX)
}

impl Visits {
    /// None.
    pub const NONE: Self = Self { places: [Place::EMPTY; PLACES] };

    /// Asks for a visit as soon as may be; `false` when there is no place.
    pub fn ask(&mut self, database: u32, now: i64) -> bool {
        let known = self.places.iter().position(|place| place.database == database);
        let free = || self.places.iter().position(|place| place.database == 0);
        let Some(place) = known.or_else(free).and_then(|at| self.places.get_mut(at)) else { return false };
        *place = Place { database, due: Some(now), vain: 0, ..*place };
        true
    }

    /// The database that is to be visited now, for which a worker is then started.
    pub fn begin(&mut self, now: i64) -> Option<u32> {
        for place in &mut self.places {
            if place.worker == BEGINNING && now - place.begun > BEGIN_MAX {
                place.worker = 0;
                place.due = Some(now);
            }
        }
        if self.places.iter().filter(|place| place.worker != 0).count() >= WORKERS_MAX {
            return None;
        }
        let is_due = |place: &&mut Place| place.worker == 0 && place.due.is_some_and(|due| due <= now);
        let place = self.places.iter_mut().filter(is_due).min_by_key(|place| place.due)?;
        *place = Place { worker: BEGINNING, due: None, begun: now, ..*place };
        Some(place.database)
    }

    /// The worker for a database could not be started.
    pub fn not_begun(&mut self, database: u32, now: i64) {
        if let Some(place) = self.of(database, BEGINNING) {
            *place = Place { worker: 0, due: Some(now + SECOND), ..*place };
        }
    }

    /// A worker comes to its database; `false` when another one is there, or nobody asked for it.
    pub fn attend(&mut self, database: u32, worker: i32) -> bool {
        self.of(database, BEGINNING).is_some_and(|place| {
            place.worker = worker;
            true
        })
    }

    /// A worker leaves.
    pub fn leave(&mut self, worker: i32, outcome: Outcome, now: i64) {
        if let Some(place) = self.places.iter_mut().find(|place| place.worker == worker) {
            place.lost = 0;
            place.end(outcome, now);
        }
    }

    /// A worker has ended without a word, if it was still somewhere.
    pub fn lose(&mut self, worker: i32, now: i64) {
        if let Some(place) = self.places.iter_mut().find(|place| place.worker == worker) {
            place.lost += 1;
            let is_gone = place.lost >= LOST_MAX;
            place.end(if is_gone { Outcome::Done } else { Outcome::Later }, now);
        }
    }

    /// Whether a worker is in a database.
    pub fn is_visited(&self, database: u32) -> bool {
        self.places.iter().any(|place| place.database == database && place.worker > 0)
    }

    /// How long nothing is to be done; `None` when nothing will be unless somebody asks or leaves.
    pub fn rest(&self, now: i64) -> Option<i64> {
        let next = |place: &Place| match place.worker {
            0 => place.due,
            BEGINNING => Some(place.begun + BEGIN_MAX + 1),
            _ => None,
        };
        self.places.iter().filter_map(next).min().map(|next| (next - now).max(0))
    }

    /// The place of a database with this worker.
    fn of(&mut self, database: u32, worker: i32) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.database == database && place.worker == worker)
    }
}

#[cfg(test)]
mod tests {
    use super::{BEGIN_MAX, LOST_MAX, Outcome, PLACES, SECOND, Visits};

    /// A worker is started, and attends.
    fn begin(visits: &mut Visits, worker: i32, now: i64) -> Option<u32> {
        let database = visits.begin(now)?;
        assert!(visits.attend(database, worker) && visits.is_visited(database));
        Some(database)
    }

    #[test]
    fn one_worker_is_in_a_database_and_what_is_asked_meanwhile_comes_after_it() {
        let mut visits = Visits::NONE;
        assert!(visits.ask(7, 0) && visits.ask(7, 1));
        assert_eq!(begin(&mut visits, 100, 2), Some(7));
        assert_eq!(visits.begin(2), None);
        assert!(!visits.attend(7, 101));
        assert!(visits.ask(7, 3));
        assert_eq!(visits.begin(3), None);
        visits.leave(100, Outcome::Done, 4);
        assert_eq!(begin(&mut visits, 102, 4), Some(7));
        visits.leave(102, Outcome::Done, 5);
        assert_eq!((visits.begin(i64::MAX), visits.rest(5)), (None, None));
    }

    #[test]
    fn vain_visits_are_repeated_at_longer_and_longer_intervals() {
        let mut visits = Visits::NONE;
        visits.ask(7, 0);
        let mut now = 0;
        let mut pauses = Vec::new();
        for worker in 1..10 {
            assert_eq!(begin(&mut visits, worker, now), Some(7));
            visits.leave(worker, Outcome::Later, now);
            let rest = visits.rest(now).unwrap_or_default();
            assert_eq!(visits.begin(now + rest - 1), None);
            pauses.push(rest / SECOND);
            now += rest;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
        // Somebody asks.
        visits.ask(7, now - SECOND);
        assert_eq!(begin(&mut visits, 10, now), Some(7));
        visits.leave(10, Outcome::Unfinished, now);
        assert_eq!(visits.rest(now), Some(0));
    }

    #[test]
    fn workers_that_end_without_a_word_are_replaced_for_a_while() {
        let mut visits = Visits::NONE;
        visits.ask(7, 0);
        let mut now = 0;
        for worker in 1..=i32::try_from(LOST_MAX).unwrap_or_default() {
            now += 100 * SECOND;
            assert_eq!(begin(&mut visits, worker, now), Some(7));
            visits.lose(worker, now);
            visits.lose(worker, now);
        }
        assert_eq!(visits.rest(now), None);
    }

    #[test]
    fn a_worker_that_does_not_begin_is_started_again() {
        let mut visits = Visits::NONE;
        visits.ask(7, 0);
        assert_eq!(visits.begin(0), Some(7));
        assert_eq!(visits.begin(BEGIN_MAX), None);
        assert_eq!(visits.begin(BEGIN_MAX + 1), Some(7));
        visits.not_begun(7, BEGIN_MAX + 1);
        assert_eq!(visits.rest(BEGIN_MAX + 1), Some(SECOND));
        assert!(!visits.attend(7, 100), "it comes too late");
    }

    #[test]
    fn few_workers_are_there_at_a_time_and_the_longest_wait_ends_first() {
        let mut visits = Visits::NONE;
        for (database, at) in [(3, 3), (1, 1), (2, 2)] {
            visits.ask(database, at);
        }
        assert_eq!([begin(&mut visits, 11, 5), begin(&mut visits, 12, 5)], [Some(1), Some(2)]);
        assert_eq!(visits.begin(5), None);
        visits.leave(12, Outcome::Done, 6);
        assert_eq!(begin(&mut visits, 13, 6), Some(3));
    }

    #[test]
    fn a_database_without_a_place_is_told_so() {
        let mut visits = Visits::NONE;
        let places = u32::try_from(PLACES).unwrap_or_default();
        assert!((1..=places).all(|database| visits.ask(database, 0)));
        assert!(!visits.ask(places + 1, 0) && visits.ask(places, 0));
    }
}
