//! Reveals of many bundles, added up by who read what or by which application read it: no event is decoded, and no row is made of one.
//!
//! Must stay true: it holds about as many bytes as it was given, however many readers there are, and each sum is whole when it is shown.
//! So where not all sums fit, the bundles are gone through again, each time for the part of the sums whose hashes come next.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::bundle::{Entry, Events};
use super::event::Kind;
use super::fields::{Field, Reader, put, put_bytes, put_sixteen, tag};
use super::record::ROLE_PREFIX;

/// The outcome of a reveal that handed a value out.
const USED: &str = "used";
/// Bytes that a sum takes beside its key.
const SUM_BYTES: usize = size_of::<Sum>() + 2 * size_of::<u32>();
/// Bytes of groups that are known by a number. Further ones stand in each key as they are.
const GROUPS_BYTES_MAX: usize = 64 * 1024;
/// The number of a group that has none.
const UNNUMBERED: u32 = u32::MAX;
/// In a key: the user is the owner.
const OWNER: u8 = 1;
/// The user is `role:` and the role.
const ROLE: u8 = 2;
/// The user follows.
const OTHER: u8 = 0;
/// An empty place of the table.
const NO_SUM: u32 = u32::MAX;

/// The sort of sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// One for each role, user, application and action that read a secret, with its owner and provider.
    Reader,
    /// One for each secret and application.
    Application,
}

/// A sum, as it is shown. What it was not made by is NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reveals<'a> {
    /// The role.
    pub role: Option<&'a str>,
    /// The user of the application.
    pub user: Option<&'a str>,
    /// The application.
    pub application: Option<&'a str>,
    /// The function.
    pub action: Option<&'a str>,
    /// The secret or integration.
    pub id: Option<[u8; 16]>,
    /// The kind of owner.
    pub scope: Option<&'a str>,
    /// The owner.
    pub owner: Option<&'a str>,
    /// The provider.
    pub provider: Option<&'a str>,
    /// The number of reveals.
    pub count: i64,
    /// The time of the first.
    pub first_at: i64,
    /// The time of the last.
    pub last_at: i64,
    /// Whether their events were protected.
    pub is_protected: bool,
}

/// A sum in the table.
struct Sum {
    /// The hash of its key.
    hash: u64,
    /// Where its key begins among the keys.
    begin: usize,
    /// The number of reveals.
    count: i64,
    /// The earliest and the latest time.
    times: (i64, i64),
}

/// There is no memory for another sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory;

/// Sums of one way through the bundles.
pub struct Tally {
    /// Their sort.
    by: By,
    /// Only events after this time count.
    after: i64,
    /// The bytes that keys and sums may take.
    bytes_max: usize,
    /// Makes hashes that nobody can choose keys for.
    hasher: RandomState,
    /// The hashes that this way is for.
    hashes: (u64, u64),
    /// What events of one shape have in common in a key, by number.
    groups: HashMap<Vec<u8>, u32>,
    /// Bytes of these.
    groups_bytes: usize,
    /// Keys, one after the other.
    keys: Vec<u8>,
    /// The sums.
    sums: Vec<Sum>,
    /// The number of a sum at the place that its hash names or at one after it; as long as a power of two.
    table: Vec<u32>,
    /// A key that is being made.
    key: Vec<u8>,
}

impl Tally {
    /// No sums, of events after a time, in about so many bytes.
    pub fn new(by: By, after: i64, bytes_max: usize) -> Self {
        Self {
            by,
            after,
            bytes_max,
            hasher: RandomState::new(),
            hashes: (0, u64::MAX),
            groups: HashMap::new(),
            groups_bytes: 0,
            keys: Vec::new(),
            sums: Vec::new(),
            table: Vec::new(),
            key: Vec::new(),
        }
    }

    /// Adds the reveals of a body. What is damaged is passed over: the verifier names it.
    pub fn add(&mut self, body: &[u8]) -> Result<(), NoMemory> {
        let Some(events) = Events::of(body) else { return Ok(()) };
        let beginnings: Vec<Option<Vec<u8>>> =
            events.shapes().iter().map(|shape| self.beginning(shape)).collect();
        for entry in events {
            let beginning = beginnings.get(entry.shape()).and_then(Option::as_deref);
            if let Some(beginning) = beginning.filter(|_| entry.own.at > self.after) {
                self.add_event(beginning, &entry)?;
            }
        }
        Ok(())
    }

    /// The beginning of the key of all events of a shape; `None` if they are not to be counted.
    fn beginning(&mut self, shape: &[u8]) -> Option<Vec<u8>> {
        let mut rest = Reader(shape);
        let [_, kind, protected] = *rest.take::<3>()?;
        if Kind::of_byte(kind) != Some(Kind::Reveal) {
            return None;
        }
        let [action, outcome, scope, provider, _, role, _, _, _, application] = rest.texts()?;
        if outcome != Some(USED) {
            return None;
        }
        let mut group = vec![protected];
        let texts = match self.by {
            By::Reader => [application, action, scope, provider, role],
            By::Application => [application, None, None, None, None],
        };
        texts.into_iter().for_each(|text| put(&mut group, text.map(str::as_bytes)));
        let number = match self.groups.get(&group) {
            Some(number) => *number,
            None if self.groups_bytes + group.len() > GROUPS_BYTES_MAX => UNNUMBERED,
            None => {
                let number = u32::try_from(self.groups.len()).unwrap_or(UNNUMBERED);
                self.groups_bytes += group.len();
                self.groups.insert(group.clone(), number);
                number
            }
        };
        let mut beginning = number.to_be_bytes().to_vec();
        if number == UNNUMBERED {
            beginning.extend_from_slice(&group);
        }
        Some(beginning)
    }

    /// Counts an event.
    fn add_event(&mut self, beginning: &[u8], entry: &Entry<'_>) -> Result<(), NoMemory> {
        self.key.clear();
        self.key.extend_from_slice(beginning);
        match entry.own.id {
            None => self.key.push(tag::NULL),
            Some(id) => put_sixteen(&mut self.key, tag::UUID, id),
        }
        if self.by == By::Reader {
            put_field(&mut self.key, entry.own.owner);
            let user_is = match entry.own.user {
                Field::Owner => OWNER,
                Field::Role => ROLE,
                _ => OTHER,
            };
            self.key.push(user_is);
            put_field(&mut self.key, entry.own.user);
        }
        let hash = self.hasher.hash_one(self.key.as_slice());
        if hash < self.hashes.0 || hash > self.hashes.1 {
            return Ok(());
        }
        let (at, count) = (entry.own.at, entry.own.count.max(0));
        if 8 * self.sums.len() >= 5 * self.table.len() {
            self.grow()?;
        }
        let place = self.place(hash);
        if let Some(sum) = self.table.get(place).and_then(|at| self.sums.get_mut(usize::try_from(*at).ok()?))
        {
            sum.count = sum.count.saturating_add(count);
            sum.times = (sum.times.0.min(at), sum.times.1.max(at));
            return Ok(());
        }
        self.keys.try_reserve(self.key.len()).map_err(|_| NoMemory)?;
        self.sums.try_reserve(1).map_err(|_| NoMemory)?;
        let number = u32::try_from(self.sums.len()).map_err(|_| NoMemory)?;
        self.sums.push(Sum { hash, begin: self.keys.len(), count, times: (at, at) });
        self.keys.extend_from_slice(&self.key);
        if let Some(free) = self.table.get_mut(place) {
            *free = number;
        }
        // One sum has room always, or there would be ways without end.
        while self.keys.len() + self.sums.len() * SUM_BYTES > self.bytes_max && self.sums.len() > 1 {
            self.leave_half();
        }
        Ok(())
    }

    /// The place in the table of the key that was made just now, or the free place for it. The table has free places.
    fn place(&self, hash: u64) -> usize {
        let mask = self.table.len().wrapping_sub(1);
        let mut place = first_place(hash) & mask;
        loop {
            let Some(sum) = self.table.get(place).and_then(|at| self.sums.get(usize::try_from(*at).ok()?))
            else {
                return place;
            };
            if sum.hash == hash && self.keys.get(sum.begin..).is_some_and(|keys| keys.starts_with(&self.key))
            {
                return place;
            }
            place = (place + 1) & mask;
        }
    }
}

impl Tally {
    /// Makes the table longer.
    fn grow(&mut self) -> Result<(), NoMemory> {
        let length = (2 * self.table.len()).max(1024);
        self.table.try_reserve_exact(length - self.table.len()).map_err(|_| NoMemory)?;
        self.table.resize(length, NO_SUM);
        self.fill();
        Ok(())
    }

    /// Enters every sum into the table.
    fn fill(&mut self) {
        self.table.fill(NO_SUM);
        let mask = self.table.len().wrapping_sub(1);
        for (number, sum) in (0_u32..).zip(&self.sums) {
            let mut place = first_place(sum.hash) & mask;
            // There are more places than sums.
            while self.table[place] != NO_SUM {
                place = (place + 1) & mask;
            }
            self.table[place] = number;
        }
    }

    /// Leaves the upper half of the hashes to a later way.
    fn leave_half(&mut self) {
        let (from, to) = self.hashes;
        let to = from + (to - from) / 2;
        self.hashes.1 = to;
        // Keys lie in the order of their sums.
        let (mut kept, mut kept_bytes) = (0, 0);
        for at in 0..self.sums.len() {
            let key = self.sums[at].begin..self.sums.get(at + 1).map_or(self.keys.len(), |next| next.begin);
            if self.sums[at].hash <= to {
                let length = key.len();
                self.keys.copy_within(key, kept_bytes);
                self.sums.swap(kept, at);
                self.sums[kept].begin = kept_bytes;
                (kept, kept_bytes) = (kept + 1, kept_bytes + length);
            }
        }
        self.sums.truncate(kept);
        self.keys.truncate(kept_bytes);
        self.fill();
    }

    /// Begins the next way through the same bundles; false when all sums were shown.
    pub fn begin_next(&mut self) -> bool {
        let Some(from) = self.hashes.1.checked_add(1) else { return false };
        self.hashes = (from, u64::MAX);
        self.sums.clear();
        self.keys.clear();
        self.table.fill(NO_SUM);
        true
    }

    /// Shows the sums of this way.
    pub fn show<E>(&self, mut each: impl FnMut(&Reveals<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut groups = vec![&[][..]; self.groups.len()];
        for (group, number) in &self.groups {
            if let Some(place) = usize::try_from(*number).ok().and_then(|number| groups.get_mut(number)) {
                *place = group;
            }
        }
        let mut scratch = [const { String::new() }; 3];
        for sum in &self.sums {
            // A key was made of what was read as such, so it can be read again.
            if let Some(reveals) = self.reveals(sum, &groups, &mut scratch) {
                each(&reveals)?;
            }
        }
        Ok(())
    }

    /// A sum as it is shown.
    fn reveals<'a>(
        &'a self,
        sum: &Sum,
        groups: &[&'a [u8]],
        scratch: &'a mut [String; 3],
    ) -> Option<Reveals<'a>> {
        let mut rest = Reader(self.keys.get(sum.begin..)?);
        let number = u32::from_be_bytes(*rest.take()?);
        let ([protected], texts) = if number == UNNUMBERED {
            (*rest.take()?, rest.texts()?)
        } else {
            let mut group = Reader(groups.get(usize::try_from(number).ok()?)?);
            (*group.take()?, group.texts()?)
        };
        let [application, action, scope, provider, role] = texts;
        let id = match rest.own()? {
            Field::Uuid(id) => Some(*id),
            _ => None,
        };
        let [in_owner, in_user, in_role] = scratch;
        let (owner, user) = if self.by == By::Reader {
            let owner = rest.own()?.text(in_owner)?;
            let user = match *rest.take()? {
                [OWNER] => owner,
                [ROLE] => {
                    in_role.clear();
                    in_role.push_str(ROLE_PREFIX);
                    in_role.push_str(role?);
                    Some(in_role.as_str())
                }
                _ => rest.own()?.text(in_user)?,
            };
            (owner, user)
        } else {
            (None, None)
        };
        Some(Reveals {
            role,
            user,
            application,
            action,
            id,
            scope,
            owner,
            provider,
            count: sum.count,
            first_at: sum.times.0,
            last_at: sum.times.1,
            is_protected: protected == 1,
        })
    }
}

/// The place that a hash names in a table of whatever length.
fn first_place(hash: u64) -> usize {
    // As much of it as numbers of sums have.
    usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default()
}

/// Adds a field as it is.
fn put_field(bytes: &mut Vec<u8>, field: Field<'_>) {
    match field {
        Field::Uuid(sixteen) | Field::Hex(sixteen) => put_sixteen(bytes, field.tag(), sixteen),
        Field::Bytes(text) => put_bytes(bytes, text),
        Field::Absent => bytes.push(tag::NULL),
        // What says so stands before it.
        Field::Owner | Field::Role => {}
    }
}
