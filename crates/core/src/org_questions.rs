//! Questions for keys that organisations hold themselves: asked by sessions, answered by workers that run a command. Plain memory of one
//! size, since it lies in shared memory beside the keys.
//!
//! What must stay true: one process asks for a key at a time, and the others wait for its answer; a key command that fails is not
//! run again by everybody at once; and a data key leaves no trace in a place that is given up.

use crate::data_key::{DataKey, DataKeyId};
use crate::envelope::OpenError;
use crate::identity::{Identity, NOBODY};
use crate::keyring_state::CommandError;
use crate::org_key::{OrgId, OrgKeyFault, OrgKeys, OrgWrap};

/// As many questions as are asked at once.
pub const ASKED_MAX: usize = 4;
/// As many failures as are known.
const FAILURES: usize = 32;
/// A place whose asker has ended without a word is free after this time, in microseconds.
const PLACE_MAX: i64 = 30_000_000;
/// The time for which a failure is the answer for everybody, in microseconds.
const FAILED: i64 = 5_000_000;
/// The same of one that somebody has waited for.
const FAILED_LATE: i64 = 15_000_000;

/// Names a question; never given again.
pub type Ticket = u64;

/// A question for the key of an organisation.
pub struct Question<'a> {
    /// The database of the data key.
    pub database: u32,
    /// The organisation.
    pub org: OrgId,
    /// The data key.
    pub id: DataKeyId,
    /// The purpose of asking.
    pub task: Task<'a>,
}

/// The work that is done with the key of an organisation.
pub enum Task<'a> {
    /// A data key is unwrapped, for the database with this identity.
    Unwrap(&'a OrgWrap, Identity),
    /// A new data key is wrapped.
    Wrap(&'a DataKey),
}

/// The answer to an asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A worker is to be started for it.
    Begun(Ticket),
    /// Somebody asks for the same, or there is no place.
    Busy,
    /// It was asked for just before, in vain.
    Failed(OrgKeyFault),
}

/// How far a question has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A worker is awaited.
    Asked,
    /// A worker runs the command.
    Asking,
    /// The work is done.
    Answered,
    /// It could not be done.
    Failed(OrgKeyFault),
}

/// A question and its answer.
struct Place {
    /// 0 in a free place.
    ticket: Ticket,
    /// The database of the data key.
    database: u32,
    /// The organisation.
    org: OrgId,
    /// Whether a new data key is wrapped.
    is_new: bool,
    /// The data key.
    id: DataKeyId,
    /// The identity of the database.
    identity: Identity,
    /// How far it has come.
    stage: Stage,
    /// When it was asked.
    begun: i64,
    /// The wrapped key: given, or the answer.
    wrap: OrgWrap,
    /// The key: given, or the answer. Wiped with the place.
    key: DataKey,
}

/// An organisation whose key was asked for in vain.
#[derive(Clone, Copy)]
struct Failure {
    /// The organisation.
    org: OrgId,
    /// The reason.
    fault: OrgKeyFault,
    /// When it is asked for again.
    until: i64,
}

/// The questions that are open, and those that failed.
pub struct Questions {
    /// In no order.
    places: [Place; ASKED_MAX],
    /// In no order; one for an organisation.
    failures: [Option<Failure>; FAILURES],
    /// The ticket that was given last.
    last: Ticket,
}

impl Place {
    /// No question.
    const FREE: Self = Self {
        ticket: 0,
        database: 0,
        org: OrgId::NONE,
        is_new: false,
        id: DataKeyId::NONE,
        identity: NOBODY,
        stage: Stage::Asked,
        begun: 0,
        wrap: OrgWrap::NONE,
        key: DataKey::EMPTY,
    };

    /// Does the work with the keys that were given.
    fn work(&mut self, keys: &OrgKeys) -> Stage {
        let org = self.org.as_str();
        let done = if self.is_new {
            keys.wrap(&self.key, org).map(|wrap| self.wrap = wrap).map_err(|_| OpenError::NoMemory)
        } else {
            keys.unwrap(&self.wrap, self.id, org, &self.identity, &mut self.key)
        };
        match done {
            Ok(()) => Stage::Answered,
            Err(OpenError::NoMemory) => Stage::Failed(OrgKeyFault::NoAnswer),
            Err(OpenError::Malformed | OpenError::Refused) => Stage::Failed(OrgKeyFault::Another),
        }
    }
}

impl Questions {
    /// None.
    pub const NONE: Self =
        Self { places: [const { Place::FREE }; ASKED_MAX], failures: [None; FAILURES], last: 0 };

    /// Takes a place for a question. The asker gives it up, whatever becomes of it.
    pub fn ask(&mut self, question: &Question<'_>, now: i64) -> Asked {
        let Question { database, org, id, .. } = *question;
        self.forget_stale(now);
        // Whoever has a new key wrapped has perhaps mended what was in the way.
        if let Task::Unwrap(..) = question.task {
            let failure =
                self.failures.iter().flatten().find(|failure| failure.org == org && now < failure.until);
            if let Some(failure) = failure {
                return Asked::Failed(failure.fault);
            }
            let is_same = |place: &Place| place.ticket != 0 && place.database == database && place.id == id;
            if self.places.iter().any(is_same) {
                return Asked::Busy;
            }
        }
        let Some(place) = self.places.iter_mut().find(|place| place.ticket == 0) else { return Asked::Busy };
        self.last += 1;
        *place = Place { ticket: self.last, database, org, id, begun: now, ..Place::FREE };
        match question.task {
            Task::Unwrap(wrap, identity) => (place.wrap, place.identity) = (*wrap, identity),
            Task::Wrap(key) => {
                place.is_new = true;
                key.copy_to(&mut place.key);
            }
        }
        Asked::Begun(self.last)
    }

    /// A worker comes for a question: the organisation whose key it is to ask for.
    pub fn begin(&mut self, ticket: Ticket) -> Option<OrgId> {
        let place = self.of(ticket).filter(|place| place.stage == Stage::Asked)?;
        place.stage = Stage::Asking;
        Some(place.org)
    }

    /// The keys of the organisation are there, or are not. An asker that has given up is told nothing.
    pub fn answer(
        &mut self,
        ticket: Ticket,
        outcome: Result<&OrgKeys, OrgKeyFault>,
        now: i64,
    ) -> Option<Stage> {
        let place = self.of(ticket)?;
        place.stage = match outcome {
            Ok(keys) => place.work(keys),
            Err(fault) => Stage::Failed(fault),
        };
        let (org, stage) = (place.org, place.stage);
        match stage {
            Stage::Failed(fault) => self.note(org, fault, now),
            _ => self.forget(&org),
        }
        Some(stage)
    }

    /// How far a question has come; `None` when keys were wiped meanwhile, and with them the question.
    pub fn stage(&self, ticket: Ticket) -> Option<Stage> {
        self.places.iter().find(|place| place.ticket == ticket && ticket != 0).map(|place| place.stage)
    }

    /// Hands an unwrapped key over into the place where it is to lie; `false` when there is none.
    pub fn hand_over(&mut self, ticket: Ticket, to: &mut DataKey) -> bool {
        let place = self.of(ticket).filter(|place| place.stage == Stage::Answered && !place.is_new);
        place.is_some_and(|place| {
            place.key.copy_to(to);
            true
        })
    }

    /// The new key, wrapped.
    pub fn wrapped(&mut self, ticket: Ticket) -> Option<OrgWrap> {
        let place = self.of(ticket).filter(|place| place.stage == Stage::Answered && place.is_new);
        place.map(|place| place.wrap)
    }

    /// Frees the places of askers that have ended without a word: a key may lie there.
    pub fn forget_stale(&mut self, now: i64) {
        let is_stale = |place: &&mut Place| place.ticket != 0 && now - place.begun > PLACE_MAX;
        for place in self.places.iter_mut().filter(is_stale) {
            *place = Place::FREE;
        }
    }

    /// The asker gives its place up.
    pub fn give_up(&mut self, ticket: Ticket) {
        if let Some(place) = self.of(ticket) {
            *place = Place::FREE;
        }
    }

    /// Notes that nobody is to be asked for a while.
    pub fn note(&mut self, org: OrgId, fault: OrgKeyFault, now: i64) {
        let time = match fault {
            // Told to end: the next one asks at once.
            OrgKeyFault::Command(CommandError::Interrupted) => return,
            OrgKeyFault::Command(CommandError::TimedOut) | OrgKeyFault::NoAnswer => FAILED_LATE,
            _ => FAILED,
        };
        self.forget(&org);
        // One that is over, or else the one that is soonest.
        let until = |failure: &&mut Option<Failure>| failure.map_or(i64::MIN, |failure| failure.until);
        if let Some(place) = self.failures.iter_mut().min_by_key(until) {
            *place = Some(Failure { org, fault, until: now + time });
        }
    }

    /// Forgets a failure.
    fn forget(&mut self, org: &OrgId) {
        for failure in &mut self.failures {
            failure.take_if(|failure| failure.org == *org);
        }
    }

    /// The place of a question.
    fn of(&mut self, ticket: Ticket) -> Option<&mut Place> {
        self.places.iter_mut().find(|place| place.ticket == ticket && ticket != 0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]
mod tests {
    use super::{ASKED_MAX, Asked, FAILED, FAILURES, PLACE_MAX, Question, Questions, Stage, Task, Ticket};
    use crate::data_key::{DataKey, DataKeyId, Purpose};
    use crate::identity::NOBODY;
    use crate::keyring_state::CommandError;
    use crate::org_key::{OrgId, OrgKeyFault, OrgKeys, OrgWrap};

    const FAULT: OrgKeyFault = OrgKeyFault::Command(CommandError::Status(1));

    fn org(name: &str) -> OrgId {
        OrgId::parse(name).unwrap()
    }

    fn keys(name: &str, digits: &str) -> OrgKeys {
        OrgKeys::parse(format!("organisation: {name}\n1:{}", digits.repeat(32)).as_bytes(), name).unwrap()
    }

    fn unwrap(questions: &mut Questions, name: &str, id: i32, wrap: &OrgWrap, now: i64) -> Asked {
        let task = Task::Unwrap(wrap, NOBODY);
        let question = Question { database: 5, org: org(name), id: DataKeyId::new(id).unwrap(), task };
        questions.ask(&question, now)
    }

    fn wrap(questions: &mut Questions, name: &str, key: &DataKey, now: i64) -> Asked {
        questions.ask(&Question { database: 5, org: org(name), id: key.id(), task: Task::Wrap(key) }, now)
    }

    fn begun(asked: Asked) -> Ticket {
        let Asked::Begun(ticket) = asked else { panic!("{asked:?}") };
        ticket
    }

    /// A key, and what an organisation's own key made of it.
    fn wrapped(name: &str, id: i32) -> (Box<DataKey>, OrgWrap) {
        let key = DataKey::random(DataKeyId::new(id).unwrap(), Purpose::Values).unwrap();
        let wrap = keys(name, "ab").wrap(&key, name).unwrap();
        (key, wrap)
    }

    #[test]
    fn a_key_goes_there_and_back() {
        let mut questions = Questions::NONE;
        let key = DataKey::random(DataKeyId::new(7).unwrap(), Purpose::Values).unwrap();
        let ticket = begun(wrap(&mut questions, "acme", &key, 0));
        assert_eq!(questions.stage(ticket), Some(Stage::Asked));
        assert_eq!(questions.begin(ticket).map(|org| org.as_str().to_owned()).as_deref(), Some("acme"));
        assert!(questions.begin(ticket).is_none(), "one worker");
        assert!(questions.wrapped(ticket).is_none());
        assert_eq!(questions.answer(ticket, Ok(&keys("acme", "ab")), 1), Some(Stage::Answered));
        let wrap = questions.wrapped(ticket).unwrap();
        let mut place = DataKey::EMPTY;
        assert!(!questions.hand_over(ticket, &mut place), "a new key is nobody's yet");
        questions.give_up(ticket);
        assert_eq!((questions.stage(ticket), questions.wrapped(ticket).is_none()), (None, true));

        let ticket = begun(unwrap(&mut questions, "acme", 7, &wrap, 2));
        assert_eq!(unwrap(&mut questions, "acme", 7, &wrap, 2), Asked::Busy, "the same");
        questions.begin(ticket);
        assert!(!questions.hand_over(ticket, &mut place));
        questions.answer(ticket, Ok(&keys("acme", "ab")), 3);
        assert!(questions.hand_over(ticket, &mut place));
        assert_eq!((place.id(), place.bytes), (key.id(), key.bytes));
        questions.give_up(ticket);
        assert!(questions.places.iter().all(|place| place.key.bytes == [0; 32]), "wiped");
    }

    #[test]
    fn a_failure_is_everybodys_for_a_while_and_of_that_organisation_alone() {
        let mut questions = Questions::NONE;
        let (key, of_acme) = wrapped("acme", 7);
        let ticket = begun(unwrap(&mut questions, "acme", 7, &of_acme, 0));
        questions.begin(ticket);
        assert_eq!(questions.answer(ticket, Err(FAULT), 10), Some(Stage::Failed(FAULT)));
        questions.give_up(ticket);
        assert_eq!(unwrap(&mut questions, "acme", 8, &of_acme, 10 + FAILED - 1), Asked::Failed(FAULT));
        begun(unwrap(&mut questions, "other", 9, &of_acme, 11));
        let again = begun(wrap(&mut questions, "acme", &key, 12));
        questions.answer(again, Ok(&keys("acme", "ab")), 13);
        questions.give_up(again);
        let another = begun(unwrap(&mut questions, "acme", 7, &of_acme, 14));
        let is_another = Stage::Failed(OrgKeyFault::Another);
        assert_eq!(questions.answer(another, Ok(&keys("acme", "cd")), 15), Some(is_another));
        questions.give_up(another);
        begun(unwrap(&mut questions, "acme", 7, &of_acme, 15 + FAILED));
    }

    #[test]
    fn a_worker_that_is_told_to_end_leaves_no_failure() {
        let mut questions = Questions::NONE;
        let (_, wrap) = wrapped("acme", 7);
        let ticket = begun(unwrap(&mut questions, "acme", 7, &wrap, 0));
        questions.answer(ticket, Err(OrgKeyFault::Command(CommandError::Interrupted)), 1);
        questions.give_up(ticket);
        begun(unwrap(&mut questions, "acme", 7, &wrap, 2));
    }

    #[test]
    fn places_and_failures_are_few_and_come_free() {
        let mut questions = Questions::NONE;
        let (_, wrap) = wrapped("acme", 7);
        for id in 1..=ASKED_MAX {
            begun(unwrap(&mut questions, &format!("org{id}"), i32::try_from(id).unwrap(), &wrap, 0));
        }
        assert_eq!(unwrap(&mut questions, "acme", 7, &wrap, PLACE_MAX), Asked::Busy);
        let late = begun(unwrap(&mut questions, "acme", 7, &wrap, PLACE_MAX + 1));
        assert_eq!(questions.answer(1, Err(FAULT), PLACE_MAX + 2), None, "nobody waits for it");
        assert_eq!(questions.answer(late, Ok(&keys("acme", "ab")), PLACE_MAX + 2), Some(Stage::Answered));
        let has_key = |questions: &Questions| questions.places.iter().any(|place| place.key.bytes != [0; 32]);
        questions.forget_stale(2 * PLACE_MAX + 1);
        assert!(has_key(&questions));
        questions.forget_stale(2 * PLACE_MAX + 2);
        assert!(!has_key(&questions));
        questions.give_up(late);
        for number in 0..=FAILURES {
            questions.note(org(&format!("org{number}")), FAULT, i64::try_from(number).unwrap());
        }
        assert!(
            matches!(unwrap(&mut questions, "org0", 1, &wrap, 40), Asked::Begun(_)),
            "the oldest has gone"
        );
        assert_eq!(unwrap(&mut questions, "org1", 1, &wrap, 40), Asked::Failed(FAULT));
    }
}
