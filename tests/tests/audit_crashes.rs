//! Processes that are killed at any moment, with clients at work: the chain stays whole, and what was promised is there.
//!
//! HFTOK_ROUNDS says how often (10 when it is not set), HFTOK_SEED repeats a run whose seed was printed: the same processes at the same
//! moments, in the same modes, with the same settings. `make soak` does it some hundred times.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hftok_tests::answer::{adopt, column, one, put};
use hftok_tests::audit::{WRITER, count, global_token, resolve, rows, settled, verified, waiting, writer};
use hftok_tests::cluster::{Cluster, signal};
use hftok_tests::copies::copied;
use hftok_tests::crash::{Dice, session};
use hftok_tests::process::titled;
use hftok_tests::setup::Setup;
use hftok_tests::traffic::{Answers, Manner, Traffic};
use hftok_tests::verifier;
use hftok_tests::wait_until;
use postgres::Client;
use uuid::Uuid;

const CLIENTS: usize = 16;
/// A crash may lose events that are younger than the flush interval; the rest of the time is for two busy processors.
const IN_TIME: Duration = Duration::from_millis(200 + 800);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Writer,
    Reader,
    Postmaster,
}

impl Victim {
    fn kill(self, cluster: &Cluster) {
        let title = match self {
            Self::Postmaster => {
                cluster.kill_postmaster();
                return cluster.start();
            }
            Self::Writer => WRITER,
            Self::Reader => "postgres app [local]",
        };
        let mut process = None;
        wait_until("there is one to kill", 10, || {
            process = titled(cluster, title);
            process.is_some()
        });
        cluster.kill(process.expect("one to kill"), Duration::from_secs(5));
    }
}

/// Stores secrets until told to stop, and gives the ids of those that were acknowledged.
fn change(cluster: &Cluster, stop: &AtomicBool, round: u64) -> Vec<Uuid> {
    let mut stored = Vec::new();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut client) = cluster.connect("postgres", "app") else {
            sleep(Duration::from_millis(20));
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            number += 1;
            let name = format!("secret {number} of round {round}");
            match client.query_one("SELECT hftok.create_secret('value', $1)", &[&name]) {
                Ok(row) => stored.push(row.get(0)),
                Err(_) => break,
            }
            sleep(Duration::from_millis(5));
        }
    }
    stored
}

/// One round: who is killed, when, and how clients ask meanwhile.
#[derive(Debug)]
struct Kill {
    victim: Victim,
    moment: Duration,
    mode: &'static str,
    manner: Manner,
    /// From the moment when the server is there again to the end of the clients.
    rest: Duration,
}

impl Kill {
    fn thrown(dice: &mut Dice, round: u64) -> Self {
        let mode = ["async", "sync"][usize::from(dice.throw(2) == 0)];
        Self {
            victim: [Victim::Writer, Victim::Reader, Victim::Postmaster][usize::from(dice.throw(3) as u8)],
            moment: Duration::from_micros(200_000 + dice.throw(1_600_000)),
            mode,
            manner: Manner {
                name: format!("round{round}"),
                opening: format!("SET hftok.audit = '{mode}'"),
                pause: Duration::from_millis(dice.throw(4)),
            },
            rest: Duration::from_micros(dice.throw(200_000)),
        }
    }

    /// Kills with clients at work.
    fn strike(&self, cluster: &Cluster, round: u64) -> Struck {
        let stop = AtomicBool::new(false);
        scope(|scope| {
            let changes = scope.spawn(|| change(cluster, &stop, round));
            let traffic = Traffic::begin(cluster, "app", CLIENTS, &self.manner);
            sleep(self.moment / 2);
            // With a full queue it may be refused.
            let head =
                session(cluster).query_one("SELECT hftok.audit_head()", &[]).ok().map(|row| row.get(0));
            sleep(self.moment / 2);
            let killed = Instant::now();
            self.victim.kill(cluster);
            session(cluster);
            sleep(self.rest);
            stop.store(true, Ordering::Relaxed);
            Struck { killed, head, answers: traffic.end(), stored: changes.join().expect("changes") }
        })
    }
}

/// What came of it.
struct Struck {
    /// The moment.
    killed: Instant,
    /// A checkpoint that was given out before.
    head: Option<String>,
    /// The answers to those who asked for tokens.
    answers: Answers,
    /// The ids of secrets that were stored.
    stored: Vec<Uuid>,
}

#[test]
fn whatever_is_killed_at_any_moment_the_chain_holds() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_micros();
    let seed = number("HFTOK_SEED").unwrap_or(u64::try_from(now).expect("a time"));
    println!("HFTOK_SEED={seed}");
    let mut dice = Dice::new(seed);
    // With the small queue calls wait for room, and with the short time some are refused.
    let queue = [8192, 256][usize::from(dice.throw(2) == 0)];
    let timeout = ["5s", "100ms"][usize::from(dice.throw(2) == 0)];
    let settings = format!("hftok.audit_queue_size = {queue}\nhftok.audit_timeout = {timeout}");
    let cluster = Setup::default().durable().setting(&settings).start();
    global_token(&mut cluster.database("app"));
    let (mut stored, mut given, mut refused, mut heads) = (Vec::new(), 0, 0, 0);
    let rounds = number("HFTOK_ROUNDS").unwrap_or(10);
    for round in 0..rounds {
        let kill = Kill::thrown(&mut dice, round);
        let what = format!(
            "HFTOK_SEED={seed}, round {round}: {:?} after {:?} in {}",
            kill.victim, kill.moment, kill.mode
        );
        let Struck { killed, head, answers, stored: changes } = kill.strike(&cluster, round);
        let mut client = session(&cluster);
        // The next caller takes the events along that the crash left behind.
        wait_until(&format!("{what}: a use is taken"), 20, || resolve(&mut client, "afterwards").is_ok());
        let begin = Instant::now();
        while waiting(&mut client) > 0 {
            assert!(begin.elapsed().as_secs() < 40, "{what}: not written\n{}", end_of(&cluster.log()));
            sleep(Duration::from_millis(50));
        }
        let due = if kill.mode == "sync" { None } else { Some((killed, IN_TIME)) };
        holds(&mut client, &what, &kill.manner.name, &answers, due);
        let kept = "SELECT ok FROM hftok.verify_audit(p_head => $1)";
        assert_eq!(one::<Option<bool>>(&mut client, kept, &[&head]), Some(true), "{what}: {head:?}");
        assert_eq!(
            column::<Option<i64>>(&mut client, "SELECT failed FROM hftok.verify()"),
            [Some(0)],
            "{what}: what is stored is what the audit tells"
        );
        if round % 10 == 9 || round + 1 == rounds {
            outsiders_believe(&cluster, &mut client, &what);
        }
        stored.extend(changes);
        given += answers.given.len();
        refused += answers.refused.len();
        heads += head.iter().count();
    }
    println!(
        "HFTOK_SEED={seed}: {rounds} kills, queue of {queue}, {timeout}, {given} values given, {refused} calls refused, {} changes, {heads} heads",
        stored.len()
    );
    let mut client = session(&cluster);
    let told: Vec<Uuid> = column(
        &mut client,
        "SELECT object_id FROM hftok_private.audit_rows
         WHERE action = 'create_secret' AND outcome = 'committed'",
    );
    let known: BTreeSet<_> = told.iter().collect();
    assert_eq!(known.len(), told.len(), "HFTOK_SEED={seed}: each change is told once");
    assert!(stored.iter().all(|id| known.contains(id)), "HFTOK_SEED={seed}: every change is told");
    assert!(stored.len() > 10 && heads > 0, "changes were made, and heads given out");
}

/// Has a dump verified without hftok, with the checkpoint of now.
#[track_caller]
fn outsiders_believe(cluster: &Cluster, client: &mut Client, what: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let head = folder.path().join("head");
    fs::write(&head, one::<String>(client, "SELECT hftok.audit_head()", &[])).expect("write");
    let key: String = one(client, "SELECT hftok.audit_public_key()", &[]);
    let said = verifier::verify(&verifier::dump(cluster, folder.path()), &key, Some(&head));
    let events = verified(client);
    assert_eq!(said, Ok(format!("OK: {events} events")), "{what}");
}

/// The last lines of a log.
fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// Holds the audit against what clients were answered: all of it, or what was `due` a certain time before the crash.
#[track_caller]
fn holds(client: &mut Client, what: &str, name: &str, answers: &Answers, due: Option<(Instant, Duration)>) {
    verified(client);
    // A call that was refused because its event was late has that event, and one of its refusal.
    let sql = format!(
        "SELECT actor_user FROM hftok_private.audit_rows WHERE kind = 'reveal' AND actor_user LIKE '{name}-%'"
    );
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    column::<String>(client, &sql).into_iter().for_each(|user| *told.entry(user).or_default() += 1);
    assert!(told.values().all(|times| *times == 1), "{what}: each use is told once");
    let is_due = |at: Instant| due.is_none_or(|(end, time)| at + time < end);
    let missing: Vec<_> =
        answers.given.iter().filter(|one| is_due(one.at) && !told.contains_key(&one.user)).collect();
    assert!(
        missing.is_empty(),
        "{what}: {} of {} are missing: {missing:?}",
        missing.len(),
        answers.given.len()
    );
    assert!(!answers.given.is_empty(), "{what}: values were given");
    let other: Vec<_> = answers
        .refused
        .iter()
        .filter(|code| !["53HF1", "53HF2", "57P01", "57P02"].contains(&code.as_str()))
        .collect();
    assert!(other.is_empty(), "{what}: {other:?}");
}

/// Neither the server's commits nor those of sessions need be on disk here.
#[test]
fn a_head_that_was_given_out_outlives_a_crash() {
    let lazy = Setup::default().durable().setting("synchronous_commit = off");
    let cluster = lazy.setting("wal_writer_delay = 10s").start();
    global_token(&mut cluster.database("app"));
    let holds = |client: &mut Client, head: &str| {
        let sql = "SELECT ok FROM hftok.verify_audit(p_head => $1)";
        assert_eq!(one::<Option<bool>>(client, sql, &[&head]), Some(true), "{head}");
    };
    for round in 0..3 {
        let mut client = session(&cluster);
        resolve(&mut client, &format!("user {round}")).expect("resolves");
        let head: String = one(&mut client, "SELECT hftok.audit_head()", &[]);
        Victim::Postmaster.kill(&cluster);
        holds(&mut session(&cluster), &head);
    }
    // No writer signs this one.
    let mut copy = copied(&cluster, "app", "copy");
    adopt(&mut copy);
    let head: String = one(&mut copy, "SELECT hftok.audit_head()", &[]);
    Victim::Postmaster.kill(&cluster);
    session(&cluster);
    holds(&mut cluster.client("postgres", "copy"), &head);
}

/// The event of a change lies in its own transaction.
#[test]
fn a_change_that_was_committed_is_told_after_a_crash_before_it_was_chained() {
    let cluster = Setup::default().durable().start();
    let mut client = cluster.database("app");
    global_token(&mut client);
    let mut stopped = None;
    wait_until("a writer", 10, || {
        put(&mut client, "other", "value");
        // A writer that sleeps in the middle of a commit holds a lock that every other commit needs.
        settled(&mut client);
        stopped = writer(&cluster);
        stopped.is_some()
    });
    let stopped = stopped.expect("a writer");
    signal(stopped, "STOP");
    put(&mut client, "name", "value");
    client.batch_execute("BEGIN").expect("BEGIN");
    put(&mut client, "name", "never");
    signal(stopped, "KILL");
    // Only then does the postmaster know of it.
    wait_until("all sessions are ended", 20, || client.batch_execute("SELECT 1").is_err());
    let mut client = session(&cluster);
    let pending: i64 = one(&mut client, "SELECT count(*) FROM hftok_private.audit_pending", &[]);
    assert!(pending > 0, "not chained yet");
    let faults = "SELECT failed FROM hftok.verify()";
    assert_eq!(column::<Option<i64>>(&mut client, faults), [Some(0)], "also before it is chained");
    settled(&mut client);
    verified(&mut client);
    let named = "action = 'put_secret' AND object_id = (SELECT id FROM hftok.secrets WHERE name = 'name')";
    assert_eq!(rows(&mut client, &format!("{named} AND outcome = 'committed'")), 1);
    assert_eq!(count(&mut client, &format!("{named} AND version > 1")), 0, "a change that never was");
    assert_eq!(column::<Option<i64>>(&mut client, faults), [Some(0)]);
}
