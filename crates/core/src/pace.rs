//! A limit on how often something may be done: a burst at once, and the same number a minute after that.
//!
//! One moment is kept for each actor: the time at which all that the actor did will have been paid back, one by one.
//! Before that moment the place is the actor's; after it the place says nothing and is free. So memory has a bound that
//! nobody can move, and giving a place to another actor forgets nothing. When no place is free, actors without a place
//! share the last one: a limit is never lost, it may only be shared.
//!
//! The memory is plain, and may lie where processes share it. A process that holds it holds it alone.

/// A minute, in microseconds.
const MINUTE: i64 = 60_000_000;

/// As many as have a place of their own in the same minute.
pub const PLACES: usize = 256;

/// The actors of the last minute, and how often each acted.
#[derive(Debug, Clone)]
pub struct Paces {
    /// One for each of those who did it in the last minute.
    places: [Place; PLACES],
    /// The one of those for whom there is none.
    shared: Place,
}

/// The moment that is kept of one actor.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The actor; nobody once all is paid back.
    who: u32,
    /// When all is paid back.
    until: i64,
}

/// It was too often. The next time is in so many microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooOften(pub i64);

impl Paces {
    /// Nobody did it.
    pub const EMPTY: Self = Self { places: [Place::FREE; PLACES], shared: Place::FREE };

    /// Counts it for somebody who may do it `most` times a minute, at this time by a clock that never goes back.
    pub fn take(&mut self, who: u32, most: u32, now: i64) -> Result<(), TooOften> {
        let is_own = |place: &&mut Place| place.until > now && place.who == who;
        let place = match self.places.iter_mut().find(is_own) {
            Some(own) => own,
            None => self.places.iter_mut().find(|place| place.until <= now).unwrap_or(&mut self.shared),
        };
        let step = MINUTE / i64::from(most.max(1));
        let until = place.until.max(now) + step;
        if until - now > MINUTE {
            return Err(TooOften(until - now - MINUTE));
        }
        *place = Place { who, until };
        Ok(())
    }
}

impl Place {
    /// Nobody's.
    const FREE: Self = Self { who: 0, until: 0 };
}

#[cfg(test)]
mod tests {
    use super::{MINUTE, PLACES, Paces, TooOften};

    const START: i64 = 5 * MINUTE;

    fn taken(paces: &mut Paces, who: u32, most: u32, now: i64) -> usize {
        (0..100_000).take_while(|_| paces.take(who, most, now).is_ok()).count()
    }

    #[test]
    fn so_many_at_once_and_then_one_after_the_other() {
        let mut paces = Paces::EMPTY;
        assert_eq!(taken(&mut paces, 1, 100, START), 100);
        assert_eq!(paces.take(1, 100, START), Err(TooOften(MINUTE / 100)));
        assert_eq!(taken(&mut paces, 1, 100, START + MINUTE / 100 - 1), 0);
        assert_eq!(taken(&mut paces, 1, 100, START + MINUTE / 100), 1);
        assert_eq!(taken(&mut paces, 1, 100, START + MINUTE / 2), 49);
        assert_eq!(taken(&mut paces, 1, 100, START + 10 * MINUTE), 100);
    }

    #[test]
    fn any_number_is_kept_to() {
        for most in [1, 2, 7, 60, 999, 50_000] {
            assert_eq!(taken(&mut Paces::EMPTY.clone(), 1, most, START), most as usize, "{most}");
        }
        // Nobody is locked out by a setting that cannot be.
        assert_eq!(taken(&mut Paces::EMPTY.clone(), 1, 0, START), 1);
    }

    #[test]
    fn a_setting_that_changes_holds_at_once() {
        let mut paces = Paces::EMPTY;
        assert_eq!(taken(&mut paces, 1, 10, START), 10);
        assert_eq!(taken(&mut paces, 1, 1000, START), 0);
        assert_eq!(taken(&mut paces, 1, 1000, START + MINUTE), 1000);
        assert_eq!(taken(&mut paces, 1, 10, START + MINUTE), 0);
    }

    #[test]
    fn each_has_a_limit_of_their_own() {
        let mut paces = Paces::EMPTY;
        for who in 1..=8 {
            assert_eq!(taken(&mut paces, who, 5, START), 5, "{who}");
        }
    }

    #[test]
    fn a_crowd_makes_nobody_forgotten() {
        let mut paces = Paces::EMPTY;
        assert_eq!(taken(&mut paces, 1, 5, START), 5);
        // As many as one likes, and still 1 is known, and those without a place share one.
        let crowd = 2000;
        assert!(crowd as usize > PLACES + 1000);
        let all: usize = (2..crowd).map(|who| taken(&mut paces, who, 5, START)).sum();
        assert_eq!(all, PLACES * 5);
        assert_eq!(taken(&mut paces, 1, 5, START), 0);
        // When the minute is over the places are free.
        assert_eq!(taken(&mut paces, crowd, 5, START + MINUTE), 5);
    }
}
