//! Records that may be left out: refusals, and changes that were rolled back.
//!
//! What must stay true: whoever makes many of them takes no room from records that may not be left out, leaves room for others
//! who make some, and is named where records were left out.
//!
//! - All of them together have half of a lane's share. A party has at most as much of it as it leaves free.
//! - Between two rounds the first records of a kind are kept as they are; those beyond are counted in one.

use super::{Full, NONE, Queue, needed};

/// The number of parties with a share of their own. All others have one share together.
pub const PARTIES: usize = 32;
/// The number of kinds of records that are told apart.
const KINDS: usize = 64;
/// The number of records that are remembered because they may be repeated.
const RECENT: usize = 8;
/// The number of records of a kind that are kept as they are.
pub const RECORDS_KEPT_MAX: u32 = 16;

/// A maker of records that may be left out, named by the ids of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party {
    /// The role that logged in.
    pub login: u32,
    /// The role whose privileges counted.
    pub role: u32,
}

impl Party {
    /// All for whom no share of their own was left.
    pub const OTHERS: Self = Self { login: 0, role: 0 };
}

/// A record that may be left out, and that may be one of many.
pub struct OneOfMany<'a> {
    /// The maker of the record.
    pub party: Party,
    /// Records with this key differ in nothing that counts.
    pub key: u64,
    /// Records of this kind are counted in one when there are many.
    pub kind: u64,
    /// The record.
    pub bytes: &'a [u8],
    /// The record without what tells those of a kind apart.
    pub bare: &'a [u8],
}

/// Records of a party that found no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// The place of their share.
    share: usize,
    /// The maker of the records.
    pub party: Party,
    /// The number of records.
    pub count: u64,
}

/// The state of a lane's records that may be left out.
#[derive(Clone, Copy)]
pub(in crate::audit) struct Spare {
    /// The last is for all who have none of their own.
    shares: [Share; PARTIES],
    /// The newest records.
    recent: [Recent; RECENT],
    /// The place in `recent` that is overwritten next.
    next_recent: u32,
    /// The kinds that were made between two rounds.
    kinds: [Kind; KINDS],
}

/// A party's slots in the queue, and its records that found no room.
#[derive(Clone, Copy)]
struct Share {
    /// The party. Another party may take the share once no slot is used and no record is left out.
    party: Party,
    /// Slots of its records.
    used: u32,
    /// Records that found no room, and that nobody was told of.
    left_out: u64,
}

/// A record that is counted up if it is repeated while it waits.
#[derive(Clone, Copy)]
struct Recent {
    /// Its key.
    key: u64,
    /// The slot that the record begins in, as long as the record waits.
    slot: u32,
    /// The record's number. A slot with another number was given to another record.
    number: u64,
}

/// Records of a kind, from one of this number on.
#[derive(Clone, Copy)]
struct Kind {
    /// The key that records of the kind have in common.
    kind: u64,
    /// The number of the first: once it was taken, the count begins anew.
    first: u64,
    /// The number of records that were kept as they are.
    count: u32,
    /// The one in which those beyond are counted.
    counting: u32,
}

impl Spare {
    /// The state of a lane without such records.
    pub(in crate::audit) const EMPTY: Self = Self {
        shares: [Share { party: Party::OTHERS, used: 0, left_out: 0 }; PARTIES],
        recent: [Recent { key: 0, slot: NONE, number: 0 }; RECENT],
        next_recent: 0,
        kinds: [Kind { kind: 0, first: 0, count: 0, counting: NONE }; KINDS],
    };

    /// Whether records were left out that nobody was told of.
    pub(in crate::audit) fn has_left_out(&self) -> bool {
        self.shares.iter().any(|share| share.left_out > 0)
    }

    /// The share of a party. The last one is for all for whom there is none.
    fn share_of(&mut self, party: Party) -> usize {
        let own = &mut self.shares[..PARTIES - 1];
        let is_free = |share: &Share| share.used == 0 && share.left_out == 0;
        let found = own.iter().position(|share| share.party == party && !is_free(share));
        let Some(at) = found.or_else(|| own.iter().position(is_free)) else { return PARTIES - 1 };
        own[at].party = party;
        at
    }

    /// Fails when a party would have more of a half than it leaves free.
    fn admit(&self, share: usize, slots: u32, half: u32) -> Result<(), Full> {
        let used: u32 = self.shares.iter().map(|share| share.used).sum();
        if self.shares[share].used + slots > half.saturating_sub(used) { Err(Full) } else { Ok(()) }
    }

    /// Takes back what a record of a share had. Shares are numbered from 1.
    pub(super) fn give_back(&mut self, share: u32, slots: u32) {
        if let Some(share) = (share as usize).checked_sub(1).and_then(|at| self.shares.get_mut(at)) {
            share.used = share.used.saturating_sub(slots);
        }
    }

    /// The slot of the record with this key that waits still. The newest: a writer that failed, and then takes fewer, has an
    /// older one in hand again.
    fn repeated(&self, key: u64, taken: u64) -> Option<u32> {
        let waits = |one: &&Recent| one.key == key && one.slot != NONE && one.number > taken;
        self.recent.iter().filter(waits).max_by_key(|one| one.number).map(|one| one.slot)
    }

    /// The place where records of a kind are counted; `None` when none of them waits.
    fn kind(&self, kind: u64, taken: u64) -> Option<usize> {
        self.kinds.iter().position(|one| one.kind == kind && one.first > taken)
    }

    /// Notes a record of a kind of which none waits, in the place of one that is counted no more, or has the fewest.
    fn begin_kind(&mut self, kind: u64, first: u64, taken: u64) {
        let is_over = |one: &Kind| one.first <= taken;
        let replaced = self
            .kinds
            .iter_mut()
            .min_by_key(|one| (one.kind != kind || !is_over(one), !is_over(one), one.count));
        if let Some(place) = replaced {
            *place = Kind { kind, first, count: 1, counting: NONE };
        }
    }
}

impl Queue<'_> {
    /// Accepts a record that can be left out if need be.
    pub fn push_spare(&mut self, lane: usize, party: Party, bytes: &[u8], at: i64) -> Result<u64, Full> {
        let share = self.header.lanes[lane].spare.share_of(party);
        self.append_spare(lane, share, bytes, at).map(|slot| self.slots[slot as usize].number)
    }

    /// The same for one of many. While an equal one waits, that one is counted up.
    pub fn push_or_count(&mut self, lane: usize, record: &OneOfMany<'_>, at: i64) -> Result<u64, Full> {
        let taken = self.header.lanes[lane].taken;
        let spare = &mut self.header.lanes[lane].spare;
        if let Some(slot) = spare.repeated(record.key, taken) {
            return Ok(self.count(slot));
        }
        let share = spare.share_of(record.party);
        let kind = spare.kind(record.kind, taken);
        if let Some(kind) = kind
            && spare.kinds[kind].count >= RECORDS_KEPT_MAX
        {
            let counting = spare.kinds[kind].counting;
            if counting != NONE {
                return Ok(self.count(counting));
            }
            let slot = self.append_spare(lane, share, record.bare, at)?;
            self.header.lanes[lane].spare.kinds[kind].counting = slot;
            return Ok(self.slots[slot as usize].number);
        }
        let slot = self.append_spare(lane, share, record.bytes, at)?;
        let number = self.slots[slot as usize].number;
        let spare = &mut self.header.lanes[lane].spare;
        match kind {
            Some(kind) => spare.kinds[kind].count += 1,
            None => spare.begin_kind(record.kind, number, taken),
        }
        spare.recent[spare.next_recent as usize % RECENT] = Recent { key: record.key, slot, number };
        spare.next_recent = spare.next_recent.wrapping_add(1);
        Ok(number)
    }

    /// The records of a lane that were left out, and that nobody was told of yet.
    pub fn left_out(&self, lane: usize) -> Vec<LeftOut> {
        let shares = self.header.lanes[lane].spare.shares.iter().enumerate();
        shares
            .filter(|(_, share)| share.left_out > 0)
            .map(|(at, share)| LeftOut { share: at, party: share.party, count: share.left_out })
            .collect()
    }

    /// Notes that it was told.
    pub fn told(&mut self, lane: usize, left_out: &[LeftOut]) {
        let shares = &mut self.header.lanes[lane].spare.shares;
        for LeftOut { share, count, .. } in left_out {
            shares[*share].left_out = shares[*share].left_out.saturating_sub(*count);
        }
    }

    /// Counts one more in the record that begins in this slot.
    fn count(&mut self, slot: u32) -> u64 {
        let slot = &mut self.slots[slot as usize];
        slot.count = slot.count.saturating_add(1);
        slot.number
    }

    /// Puts a record into the room of a share, or notes that it was left out.
    fn append_spare(&mut self, lane: usize, share: usize, bytes: &[u8], at: i64) -> Result<u32, Full> {
        let (slots, half) = (needed(bytes.len()), self.header.share / 2);
        let admitted = self.header.lanes[lane].spare.admit(share, slots, half);
        let appended = admitted
            .and_then(|()| self.header.grant(lane, slots))
            .and_then(|()| self.append(lane, bytes, at));
        let own = &mut self.header.lanes[lane].spare.shares[share];
        match appended {
            Ok(slot) => {
                own.used += slots;
                self.slots[slot as usize].share = u32::try_from(share + 1).unwrap_or_default();
                Ok(slot)
            }
            Err(full) => {
                own.left_out += 1;
                Err(full)
            }
        }
    }
}
