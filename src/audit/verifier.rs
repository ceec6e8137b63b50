//! Verifying the chain.

use std::time::{Duration, Instant};

use hftok_core::audit::chain::{self, Head, Link, START};
use hftok_core::identity::Identity;

use super::rows::{self, Stored};
use crate::error::Error;
use crate::keys::{data_keys, identity};
use crate::pg::server::server_log;

/// The time between two reports of how far the verification is.
const PROGRESS: Duration = Duration::from_secs(5);

/// The outcome of a verification.
#[derive(Default)]
pub struct Verdict {
    /// Events that fit.
    pub checked: i64,
    /// Number of these that lay in a table without a protection that fits.
    pub unprotected: i64,
    /// The first event that does not fit, with what is wrong.
    pub first_bad: Option<(i64, String)>,
    /// The database whose chain it was and up to which event, where this one continues another database's.
    pub continued: Option<String>,
}

/// The end of the chain.
pub fn head() -> Result<Head, Error> {
    let (number, link) = rows::last()?;
    Ok(Head { number, link })
}

/// Verifies the events from one number to another, and that the chain has the head that was kept elsewhere.
pub fn verify(from: Option<i64>, to: Option<i64>, pinned: Option<Head>) -> Result<Verdict, Error> {
    // A purge that commits meanwhile moves the beginning: then it is verified from there.
    for _ in 0..100 {
        let begins = rows::stub()?.map(|stub| stub.number);
        let verdict = verify_once(from, to, pinned)?;
        if verdict.first_bad.is_none() || rows::stub()?.map(|stub| stub.number) == begins {
            return Ok(verdict);
        }
    }
    Err(Error::Internal("the audit is purged again and again"))
}

/// Verifies once. The head that a caller pinned must be part of the chain.
fn verify_once(from: Option<i64>, to: Option<i64>, pinned: Option<Head>) -> Result<Verdict, Error> {
    let last = rows::last()?.0;
    let eras = Eras::known()?;
    let continued = eras.continued.clone();
    let mut walk = match Walk::begin(from, eras)? {
        Ok(walk) => walk,
        Err(bad) => return Ok(Verdict { first_bad: Some(bad), continued, ..Verdict::default() }),
    };
    let begin = walk.number;
    walk.run(to.unwrap_or(last).min(last))?;
    let (checked, unprotected) = (walk.number - begin, walk.unprotected);
    let mut verdict = Verdict { checked, unprotected, first_bad: walk.bad, continued };
    if verdict.first_bad.is_none() && last < walk.eras.first_own() {
        let bad = "the newest events are missing, with that of adopt_database()";
        verdict.first_bad = Some((last + 1, bad.into()));
    }
    if let (None, Some(pinned)) = (&verdict.first_bad, pinned) {
        verdict.first_bad = against(&pinned)?;
    }
    Ok(verdict)
}

/// Whether the chain still has a head that was kept elsewhere.
fn against(pinned: &Head) -> Result<Option<(i64, String)>, Error> {
    if pinned.number == 0 {
        return Ok(None);
    }
    let stub = rows::stub()?;
    let stored = match &stub {
        Some(stub) if stub.number == pinned.number => Some(stub.link.clone()),
        Some(stub) if stub.number > pinned.number => {
            return Ok(Some((pinned.number, "the pinned head lies in what was purged".into())));
        }
        _ => rows::link(pinned.number)?,
    };
    Ok(match stored {
        None => Some((
            rows::last()?.0 + 1,
            format!("the newest events are missing: the pinned head is event {}", pinned.number),
        )),
        Some(link) if is_link(&link, &pinned.link) => None,
        Some(_) => Some((pinned.number, "it is not the event that the pinned head names".into())),
    })
}

/// The identities that the database had, one after the other.
struct Eras {
    /// Each identity, with the event after which it begins.
    identities: Vec<(i64, Identity)>,
    /// The identity that a database without a chain of its own continues.
    continued: Option<String>,
}

impl Eras {
    /// Reads the identities from the stored generations. Fails in a copy: it has no key to verify with.
    fn known() -> Result<Self, Error> {
        // Before the first key there is nothing that could be chained.
        if data_keys::existing_audit_key()?.is_none() && identity::stored()?.is_none() {
            return Ok(Self { identities: Vec::new(), continued: None });
        }
        let home = identity::home()?;
        home.refuse_copy()?;
        let told: Vec<String> = home
            .lineage()
            .former()
            .map(|(former, last)| format!("up to event {last} it is that of {}", identity::place(former)))
            .collect();
        let continued = (!told.is_empty()).then(|| told.join("; "));
        Ok(Self { identities: home.lineage().identities(), continued })
    }

    /// The identity under which an event was chained.
    fn at(&self, number: i64) -> Option<Identity> {
        self.identities.iter().rev().find(|(after, _)| *after < number).map(|(_, identity)| *identity)
    }

    /// The first event of the newest generation, which must be there: a generation that continues another begins with the event
    /// that says so. The generations are authentic if the keys unwrap, so nobody can cut off more than the events after it.
    fn first_own(&self) -> i64 {
        match self.identities.as_slice() {
            [_, .., (after, _)] => after + 1,
            _ => 0,
        }
    }
}

/// A way along the chain.
struct Walk {
    /// The identities that events may have been signed under.
    eras: Eras,
    /// The last event that fitted, and its link.
    number: i64,
    /// The link of the event before.
    link: Link,
    /// Events so far that no key had signed.
    unprotected: i64,
    /// The first event that is wrong, with the reason.
    bad: Option<(i64, String)>,
    /// The event that did not fit. The event after it tells what is wrong, by fitting to its link or not.
    suspect: Option<Stored>,
    /// When progress was reported last.
    told: Instant,
}

impl Walk {
    /// Finds the beginning of the walk: after the stub, or at the event that is asked for. A wrong beginning is a result, not
    /// an error.
    fn begin(from: Option<i64>, eras: Eras) -> Result<Result<Self, (i64, String)>, Error> {
        let stub = rows::stub()?;
        let start = stub.as_ref().map_or(0, |stub| stub.number);
        let from = from.unwrap_or(start + 1).max(start + 1);
        if let Some(number) = rows::first_until(start)? {
            return Ok(Err((number, "it was inserted before the beginning".into())));
        }
        if let Some(number) = rows::first_from(rows::LIMIT)? {
            return Ok(Err((number, "it was inserted beyond the end".into())));
        }
        let link = if from > start + 1 {
            rows::link(from - 1)?
        } else if let Some(stub) = stub {
            match Link::try_from(stub.link.as_slice()) {
                Ok(link) if is_signed(stub.number, &link, &stub.signature)? => {
                    if !rows::is_purge_told(&stub.link)? {
                        return Ok(Err((stub.number, "the audit tells of no purge that ended here".into())));
                    }
                    Some(stub.link)
                }
                _ => return Ok(Err((stub.number, "where the audit begins was not written by hftok".into()))),
            }
        } else {
            Some(START.to_vec())
        };
        Ok(match link.map(|link| Link::try_from(link.as_slice())) {
            Some(Ok(link)) => {
                let (number, told) = (from - 1, Instant::now());
                Ok(Self { eras, number, link, unprotected: 0, bad: None, suspect: None, told })
            }
            Some(Err(_)) => Err((from - 1, "its hash is none".into())),
            None => Err((from - 1, "it is missing".into())),
        })
    }

    /// Walks in pieces, until something is wrong.
    fn run(&mut self, to: i64) -> Result<(), Error> {
        let mut next = self.number + 1;
        while self.bad.is_none() && next <= to {
            let mut seen = next;
            // One event more, because the next one tells what is wrong with an event that does not fit.
            let read = rows::read(next, to.saturating_add(1), |row| {
                seen = row.number;
                self.step(row, to)
            })?;
            if read == 0 {
                break;
            }
            next = seen + 1;
            if self.told.elapsed() > PROGRESS {
                self.told = Instant::now();
                server_log::notice(&format!("hftok: {} of {to} events verified", self.number), None);
            }
        }
        if let Some(suspect) = self.suspect.take() {
            self.bad = Some((suspect.number, "it was changed".into()));
        } else if self.bad.is_none() && self.number < to {
            self.bad = Some((self.number + 1, "it is missing".into()));
        }
        Ok(())
    }

    /// Looks at one event, and at the one before it once this one tells what was wrong there.
    fn step(&mut self, row: Stored, to: i64) -> Result<(), Error> {
        if self.bad.is_some() {
            return Ok(());
        }
        if let Some(suspect) = self.suspect.take() {
            let link = Link::try_from(suspect.link.as_slice()).ok();
            let fits = match link {
                Some(link) => self.fits(&link, &row)?,
                None => false,
            };
            let what = if fits {
                "it was changed"
            } else {
                "it was not written here: inserted, moved, or with another hash"
            };
            self.bad = Some((suspect.number, what.into()));
            return Ok(());
        }
        if row.number > to {
            return Ok(());
        }
        if row.number > self.number + 1 {
            let first = self.number + 1;
            let what = match row.number - first {
                1 => "it is missing".into(),
                count => format!("it and the {} after it are missing", count - 1),
            };
            self.bad = Some((first, what));
        } else if row.number <= self.number {
            self.bad = Some((row.number, "it is there twice".into()));
        } else if self.fits(&self.link, &row)? {
            self.number = row.number;
            self.unprotected += i64::from(!row.is_protected());
            self.link = Link::try_from(row.link.as_slice()).unwrap_or(START);
        } else {
            self.suspect = Some(row);
        }
        Ok(())
    }

    /// Whether hftok wrote this row after this link.
    fn fits(&self, before: &Link, row: &Stored) -> Result<bool, Error> {
        let (Some(event), Ok(stored)) = (row.event(), Link::try_from(row.link.as_slice())) else {
            return Ok(false);
        };
        let Some(identity) = self.eras.at(row.number) else { return Ok(false) };
        data_keys::was_made(&stored, |key| key.under(identity).link(before, row.number, &event))
    }
}

/// Whether a stub was signed by a key of this database.
fn is_signed(number: i64, link: &Link, signature: &[u8]) -> Result<bool, Error> {
    let Ok(signature) = Link::try_from(signature) else { return Ok(false) };
    data_keys::was_made(&signature, |key| key.stub(number, link))
}

/// Takes constant time, though links are public: one comparison serves all.
fn is_link(stored: &[u8], link: &Link) -> bool {
    Link::try_from(stored).is_ok_and(|stored| chain::same(&stored, link))
}
