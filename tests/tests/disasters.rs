//! Processes that are killed at any moment while clients write and read and all kinds of keys are rotated: nothing that a client was told is
//! lost, unreadable or doubled, and nothing that was replaced or deleted is answered to anybody who asked after that was acknowledged.
//!
//! HFTOK_ROUNDS says how often (twice when it is not set), HFTOK_SEED repeats a run whose seed was printed. `make soak` does it some hundred
//! times.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hftok_tests::answer::one;
use hftok_tests::audit::{WRITER, settled, verified};
use hftok_tests::cluster::Cluster;
use hftok_tests::crash::{Dice, session};
use hftok_tests::process::titled;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;
use postgres::error::Severity;

const WRITERS: u64 = 4;
const READERS: u64 = 3;
const OWNERS: u64 = 6;

/// The value that an owner has, or none.
type Value = Option<String>;

/// All that an owner's credential may be, as far as its only writer knows.
#[derive(Debug, Default, Clone)]
struct Known {
    /// One, or several while it is not known whether a change was made.
    possible: Vec<Value>,
    /// Every value that anybody tried to give it, in order.
    tried: Vec<Value>,
    /// Whether a change is being made.
    is_changing: bool,
}

/// What the writers know of each owner.
#[derive(Debug, Default)]
struct Ledger(Mutex<BTreeMap<String, Known>>);

impl Ledger {
    fn of<R>(&self, owner: &str, work: impl FnOnce(&mut Known) -> R) -> R {
        let nothing = || Known { possible: vec![None], ..Known::default() };
        work(self.0.lock().expect("a ledger").entry(owner.to_owned()).or_insert_with(nothing))
    }

    fn owners(&self) -> Vec<String> {
        self.0.lock().expect("a ledger").keys().cloned().collect()
    }
}

/// The arguments by which an owner is named; every second one is an organisation.
fn named(owner: &str) -> String {
    let kind = if owner.starts_with("org") { "p_org_id" } else { "p_user_id" };
    format!("{kind} => '{owner}'")
}

/// The value that the server answers.
fn read(client: &mut Client, owner: &str) -> Result<Value, postgres::Error> {
    let levels = "p_levels => '{user,org}'";
    Ok(client.query_one(&format!("SELECT hftok.resolve_hf_token({}, {levels})", named(owner)), &[])?.get(0))
}

/// Ends what others do as soon as it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Goes on with sessions, one after the other, until told to stop; each step says whether the session is still good.
fn serve(cluster: &Cluster, stop: &AtomicBool, mut step: impl FnMut(&mut Client) -> bool) {
    while !stop.load(Ordering::Relaxed) {
        match cluster.connect("postgres", "app") {
            Ok(mut client) => while !stop.load(Ordering::Relaxed) && step(&mut client) {},
            Err(_) => sleep(Duration::from_millis(20)),
        }
    }
}

/// Whether the server says that it has not done what it was asked for. Of a session that broke off nobody knows, and one that is ended may
/// have committed.
fn is_refusal(error: &postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| error.parsed_severity() == Some(Severity::Error))
}

/// Saves and deletes the credentials of owners that nobody else writes for.
fn write(cluster: &Cluster, stop: &AtomicBool, ledger: &Ledger, mut dice: Dice, writer: u64) {
    serve(cluster, stop, |client| {
        let number = dice.throw(OWNERS);
        let kind = ["user", "org"][usize::from(number % 2 == 1)];
        let owner = format!("{kind}-{writer}-{number}");
        let value = (dice.throw(5) > 0).then(|| format!("hf_{:034}", dice.throw(1 << 60)));
        let statement = match &value {
            Some(value) => format!("SELECT hftok.save_hf_token('{value}', {})", named(&owner)),
            None => format!("SELECT hftok.delete_credential('huggingface', {})", named(&owner)),
        };
        ledger.of(&owner, |known| {
            known.possible.push(value.clone());
            known.tried.push(value.clone());
            known.is_changing = true;
        });
        let made = client.batch_execute(&statement);
        ledger.of(&owner, |known| {
            known.is_changing = false;
            match &made {
                Ok(()) => known.possible = vec![value.clone()],
                Err(error) if is_refusal(error) => {
                    known.possible.pop();
                }
                Err(_) => {}
            }
        });
        !client.is_closed()
    });
}

/// Reads the credentials of all owners, and holds each answer against what it may be by what was acknowledged before the question.
fn check(cluster: &Cluster, stop: &AtomicBool, ledger: &Ledger, mut dice: Dice) {
    serve(cluster, stop, |client| {
        let owners = ledger.owners();
        let Some(owner) =
            owners.get(usize::try_from(dice.throw(owners.len().max(1) as u64)).expect("a place"))
        else {
            sleep(Duration::from_millis(5));
            return true;
        };
        let (mut allowed, begun) = ledger.of(owner, |known| (known.possible.clone(), known.tried.len()));
        if let Ok(answer) = read(client, owner) {
            ledger.of(owner, |known| {
                allowed.extend_from_slice(&known.tried[begun..]);
                // What was read once is never unread. The value before a change that nobody acknowledged settles nothing: a killed process
                // may leave a commit that nobody sees until the server has recovered.
                let is_newest = known.tried.len() == begun && known.tried.last() == Some(&answer);
                if is_newest && !known.is_changing {
                    known.possible = vec![answer.clone()];
                }
            });
            assert!(
                allowed.contains(&answer),
                "{owner} has {answer:?}, which it did not have any more: {allowed:?}"
            );
        }
        !client.is_closed()
    });
}

/// Rotates keys of every kind.
fn rotate(
    cluster: &Cluster,
    stop: &AtomicBool,
    mut dice: Dice,
    root: &AtomicI32,
    keys: &Mutex<Vec<RootKey>>,
) {
    serve(cluster, stop, |client| {
        let org = format!("org-{}-{}", dice.throw(WRITERS), 2 * dice.throw(OWNERS / 2) + 1);
        let statement = match dice.throw(4) {
            0 => {
                let mut keys = keys.lock().expect("keys");
                // A keyring has room for so many.
                if keys.len() < 12 {
                    keys.push(RootKey::random(root.fetch_add(1, Ordering::Relaxed)));
                }
                cluster.write_keyring(&keys);
                "SELECT hftok.unseal(); SELECT hftok.rotate_root_key()".to_owned()
            }
            1 => format!("SELECT hftok.give_org_key('{org}')"),
            2 => format!("SELECT hftok.rotate_data_key('{org}')"),
            _ => "SELECT hftok.rotate_data_key()".to_owned(),
        };
        // An organisation may have no key, or one already.
        let _ = client.batch_execute(&statement);
        sleep(Duration::from_millis(20 + dice.throw(200)));
        !client.is_closed()
    });
}

/// Kills a process, if there is one of this kind, and has the server run again.
fn kill(cluster: &Cluster, dice: &mut Dice) -> &'static str {
    let victim =
        ["postmaster", WRITER, "hftok resealer for database", "hftok keyring", "postgres app [local]"]
            [usize::try_from(dice.throw(5)).expect("a place")];
    if victim == "postmaster" {
        cluster.kill_postmaster();
        cluster.start();
    } else if let Some(process) = titled(cluster, victim) {
        cluster.kill(process, Duration::from_secs(5));
    }
    victim
}

/// Every credential is one of those that it may be, and none is there twice.
fn settle(client: &mut Client, ledger: &Ledger) {
    for owner in ledger.owners() {
        let answer = read(client, &owner).unwrap_or_else(|error| panic!("{owner}: {error:?}"));
        ledger.of(&owner, |known| {
            assert!(
                known.possible.contains(&answer),
                "{owner} has {answer:?} and not one of {:?}",
                known.possible
            );
            known.possible = vec![answer];
        });
    }
    let there =
        ledger.owners().iter().filter(|owner| ledger.of(owner, |known| known.possible != [None])).count();
    let stored: i64 =
        one(client, "SELECT count(*) FROM hftok.credentials WHERE provider = 'huggingface'", &[]);
    assert_eq!(stored, i64::try_from(there).expect("a count"));
}

#[test]
fn whatever_is_killed_while_keys_rotate_nothing_is_lost_and_nothing_comes_back() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect(name));
    let now = || {
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_micros())
            .expect("a seed")
    };
    let (seed, rounds): (u64, u64) =
        (number("HFTOK_SEED").unwrap_or_else(now), number("HFTOK_ROUNDS").unwrap_or(2));
    println!("HFTOK_SEED={seed} HFTOK_ROUNDS={rounds}");
    let (keys, root) = (Mutex::new(vec![RootKey::random(1)]), AtomicI32::new(2));
    let cluster = Setup::default().keys(&keys.lock().expect("keys")).durable().start();
    drop(cluster.database("app"));
    let ledger = Ledger::default();
    let mut dice = Dice::new(seed);
    let mut killed = Vec::new();
    for _ in 0..rounds {
        let stop = AtomicBool::new(false);
        let mut throw = |from: u64, more: u64| Duration::from_millis(from + dice.throw(more));
        let (before, after) = (throw(200, 1200), throw(100, 400));
        let seeds: Vec<u64> = (0..WRITERS + READERS + 1).map(|_| dice.throw(1 << 60)).collect();
        scope(|scope| {
            let (cluster, stop, ledger, root, keys) = (&cluster, &stop, &ledger, &root, &keys);
            for writer in 0..WRITERS {
                let dice = Dice::new(seeds[usize::try_from(writer).expect("a place")]);
                scope.spawn(move || write(cluster, stop, ledger, dice, writer));
            }
            for reader in WRITERS..WRITERS + READERS {
                let dice = Dice::new(seeds[usize::try_from(reader).expect("a place")]);
                scope.spawn(move || check(cluster, stop, ledger, dice));
            }
            let own = Dice::new(seeds[seeds.len() - 1]);
            scope.spawn(move || rotate(cluster, stop, own, root, keys));
            let _stop = Stop(stop);
            sleep(before);
            killed.push(kill(cluster, &mut dice));
            drop(session(cluster));
            sleep(after);
        });
        let mut client = session(&cluster);
        settle(&mut client, &ledger);
        assert_eq!(one::<i64>(&mut client, "SELECT failed FROM hftok.verify() WHERE kind = 'total'", &[]), 0);
        settled(&mut client);
        verified(&mut client);
    }
    println!("killed {killed:?}; root keys up to {}", root.load(Ordering::Relaxed) - 1);
    // What was begun comes to its end, and then the keys that were retired are gone.
    let mut client = session(&cluster);
    wait_until("every rotation has come to its end", 60, || {
        one::<i64>(&mut client, "SELECT count(*) FROM hftok_private.data_keys WHERE state = 'retiring'", &[])
            == 0
    });
    settle(&mut client, &ledger);
}
