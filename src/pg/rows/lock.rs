//! Locks on things that are no rows.
//!
//! What must stay true: nobody can choose a name that shares the lock of another, so names are hashed with a key that the server
//! draws when it starts; no transaction takes so many locks that the server has none left for others; and two transactions that
//! lock different names never wait for one another.

use std::cell::{RefCell, RefMut};
use std::collections::HashMap;

use pgrx::pg_sys;

use super::relations::Relation;
use crate::error::Error;
use crate::pg::server::key_pages;
use crate::pg::server::transaction::{self, End, Listener};

/// The number of names that a transaction holds until it ends. It passes through all others.
const NAMES_MAX: usize = 500;

thread_local! {
    static LOCKED: RefCell<Locked> = RefCell::new(Locked::default());
}

/// The names that this transaction has locked.
#[derive(Default)]
struct Locked {
    /// By their digests.
    names: HashMap<[u8; 8], Standing>,
    /// The same in their order, each with the depth of the part that locked it: no part is deeper than one after it.
    parts: Vec<([u8; 8], i32)>,
    /// The lock on the name that the transaction passes through.
    passing: Option<(Relation, Tag)>,
}

/// The standing of a name with this transaction.
#[derive(Clone, Copy)]
enum Standing {
    /// It comes when there is no room to hold it.
    New,
    /// The name is locked until the transaction ends.
    Held,
    /// The name was locked until the next name came, or will be until it comes.
    Passed,
}

/// Locks tables for adding and deleting rows. Holds none while it waits for another, so that nobody waits for two of them.
pub fn hold_for_rows(tables: &[Relation]) {
    let mode = i32::try_from(pg_sys::RowExclusiveLock).unwrap_or_default();
    // SAFETY: inside a transaction, which lets go of the locks at its end; only locks that this function has just taken, and
    // under which nothing was done, are released before. The relations may be gone: whoever opens them finds out.
    unsafe {
        loop {
            let is_free = |table: &Relation| pg_sys::ConditionalLockRelationOid(table.0, mode);
            let Some(busy) = tables.iter().position(|table| !is_free(table)) else { return };
            for table in &tables[..busy] {
                pg_sys::UnlockRelationOid(table.0, mode);
            }
            pg_sys::LockRelationOid(tables[busy].0, mode);
            pg_sys::UnlockRelationOid(tables[busy].0, mode);
        }
    }
}

/// Whether names can be told apart: not without the key of the server's run.
pub fn is_keyed() -> bool {
    digest("", "").is_some()
}

/// Waits until nobody else holds what this name of a kind stands for, and holds it until the transaction ends. Unlike an advisory
/// lock, nobody who only has SQL can take it.
///
/// Beyond [`NAMES_MAX`] names it is held until the transaction comes to the next name. For one that it has passed through it does
/// not wait again: who holds it now may wait for a row that was written when it came through.
pub fn hold(relation: Relation, kind: &str, name: &str) -> Result<(), Error> {
    // SAFETY: asks shared memory, and fails on a standby: with what any write fails with there, and not as the lock would, with an
    // error of class 55.
    unsafe { pg_sys::PreventCommandDuringRecovery(c"a change of what somebody owns".as_ptr()) };
    let Some(digest) = digest(kind, name) else {
        // Without the key of the run nothing can be saved, so few write: all names are one.
        Tag::ANY.lock(relation);
        return Ok(());
    };
    transaction::tell(Listener::Locks, end);
    // Nothing is borrowed while this waits: a session that is ended then ends its transaction from within.
    let tag = Tag::of(digest);
    match LOCKED.with_borrow_mut(|locked| locked.standing(digest))? {
        // Once more, which costs little: should its owner have been rolled back, it is gone.
        Standing::Held => tag.lock(relation),
        Standing::Passed => {}
        Standing::New => {
            if let Some((relation, former)) = LOCKED.with_borrow_mut(|locked| locked.passing.take()) {
                for_transaction(|| former.unlock(relation));
            }
            for_transaction(|| tag.lock(relation));
            LOCKED.with_borrow_mut(|locked| {
                locked.passing = Some((relation, tag));
                locked.add(digest, Standing::Passed);
            });
        }
    }
    Ok(())
}

/// The transaction or a part of it has ended. A part that was rolled back holds no lock and leaves no row, so its names
/// are forgotten: a caller cannot lock names, fail, and then write for these names without waiting.
fn end(end: End) {
    let work = |mut locked: RefMut<'_, Locked>| match end {
        End::PartRolledBack(depth) => locked.roll_back(depth),
        End::PartKept(depth) => locked.keep(depth),
        End::Committed | End::Prepared | End::RolledBack => *locked = Locked::default(),
    };
    let _ = LOCKED.try_with(|locked| locked.try_borrow_mut().map(work));
}

/// The digest that a name is known by; `None` without the key of the run.
fn digest(kind: &str, name: &str) -> Option<[u8; 8]> {
    key_pages::run_key().and_then(|key| key.digest_of_name(kind, name))
}

impl Locked {
    /// The standing of this name. A name that is to be held is counted, and there is room for another one.
    fn standing(&mut self, digest: [u8; 8]) -> Result<Standing, Error> {
        if let Some(known) = self.names.get(&digest) {
            return Ok(*known);
        }
        self.names.try_reserve(1).map_err(|_| Error::NoMemory)?;
        self.parts.try_reserve(1).map_err(|_| Error::NoMemory)?;
        if self.names.len() >= NAMES_MAX {
            return Ok(Standing::New);
        }
        self.add(digest, Standing::Held);
        Ok(Standing::Held)
    }

    /// In the part that runs.
    fn add(&mut self, digest: [u8; 8], standing: Standing) {
        self.names.insert(digest, standing);
        self.parts.push((digest, transaction::depth()));
    }

    /// Forgets the names of a part.
    fn roll_back(&mut self, part: i32) {
        while let Some((digest, _)) = self.parts.pop_if(|(_, depth)| *depth >= part) {
            self.names.remove(&digest);
        }
    }

    /// Gives the names of a part to the one around it.
    fn keep(&mut self, part: i32) {
        for (_, depth) in self.parts.iter_mut().rev().take_while(|(_, depth)| *depth >= part) {
            *depth = part - 1;
        }
    }
}

/// Takes and releases locks as the transaction itself: a lock of the portal or part that runs could be released by no other one.
fn for_transaction(work: impl FnOnce()) {
    /// The owner to be put back.
    struct Former(pg_sys::ResourceOwner);
    impl Drop for Former {
        fn drop(&mut self) {
            // SAFETY: the owner that was found below. It lives as long as what runs in it, also while an error unwinds.
            unsafe { pg_sys::CurrentResourceOwner = self.0 };
        }
    }
    // SAFETY: inside a transaction, which has such an owner; variables of this process. A lock that is put down in it
    // meanwhile lasts until it is released by name or the transaction ends, and no part that is rolled back takes it
    // along.
    let _former = unsafe {
        let former = Former(pg_sys::CurrentResourceOwner);
        pg_sys::CurrentResourceOwner = pg_sys::TopTransactionResourceOwner;
        former
    };
    work();
}

/// The tag by which Postgres knows a lock.
#[derive(Clone, Copy)]
struct Tag {
    /// Bytes of the name's digest.
    object: u32,
    /// More of the digest, and odd.
    part: u16,
}

impl Tag {
    /// The tag of no name: the tags of names have an odd part.
    const ANY: Self = Self { object: 0, part: 0 };

    /// The tag of a name.
    fn of(digest: [u8; 8]) -> Self {
        let [a, b, c, d, e, f, ..] = digest;
        Self { object: u32::from_be_bytes([a, b, c, d]), part: u16::from_be_bytes([e, f]) | 1 }
    }

    /// Takes the lock, until the current owner of resources ends.
    fn lock(self, relation: Relation) {
        // SAFETY: inside a transaction. Postgres itself never uses such a tag: it stands for rows of catalogs, and this is none.
        unsafe { pg_sys::LockDatabaseObject(relation.0, pg_sys::Oid::from(self.object), self.part, mode()) };
    }

    /// Lets go of it before that.
    fn unlock(self, relation: Relation) {
        // SAFETY: releases what `lock` took, once, under the same owner and in the same transaction.
        unsafe {
            pg_sys::UnlockDatabaseObject(relation.0, pg_sys::Oid::from(self.object), self.part, mode())
        };
    }
}

/// Names are locked against everybody.
fn mode() -> i32 {
    i32::try_from(pg_sys::ExclusiveLock).unwrap_or_default()
}
