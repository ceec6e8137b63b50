//! A call into Postgres fails, or a cancel arrives at it, or Rust gets no memory: for every call that each function makes, in a session
//! that is new and in one that is warm. Whoever called is told so and nothing else; nothing stays locked, nothing is changed, no value is
//! left behind, and the session goes on.
//!
//! HFTOK_BLOWS says how many calls of each function are struck at each moment and in each way (two when it is not set), HFTOK_SEED which
//! ones, HFTOK_ONLY of which functions. `make soak` strikes all of them.

#[path = "injected/calls.rs"]
mod calls;

use std::time::{SystemTime, UNIX_EPOCH};

use calls::{CALLS, COMMITTED, Call, LEFT_OUT, PREPARE, PREPARE_AUDIT, STORED};
use hftok_tests::answer::{column, every_field, one};
use hftok_tests::audit::{settled, verified};
use hftok_tests::cluster::Cluster;
use hftok_tests::crash::Dice;
use hftok_tests::injector::{self, Fault, arm, struck};
use hftok_tests::process::regions_with;
use hftok_tests::setup::Setup;
use postgres::{Client, SimpleQueryMessage, Transaction};

/// The moment at which calls are struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// While the function runs, as the first in its session.
    First,
    /// While it runs, after it ran before.
    Again,
    /// While its transaction commits.
    Commit,
    /// While its transaction is undone.
    Undo,
}

/// The server, and those that watch.
struct Server {
    cluster: Cluster,
    observer: Client,
    tables: Vec<String>,
    /// The state before each call.
    before: Vec<String>,
}

impl Server {
    fn start() -> Self {
        let cluster =
            Setup::default().setting("shared_buffers = 2MB").setting("hftok.audit_reads = async").start();
        let mut observer = cluster.database("app");
        observer.batch_execute("SET statement_timeout = '20s'").expect("a limit");
        injector::install(&cluster, &mut observer);
        observer.batch_execute(PREPARE).expect("what the calls ask for");
        settled(&mut observer);
        observer.batch_execute(PREPARE_AUDIT).expect("what the calls ask for");
        let tables = column(
            &mut observer,
            "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'hftok_private'::regnamespace
             AND c.relkind = 'r' AND c.relname NOT LIKE 'audit%' AND c.relname NOT IN ('use_counts', 'secret_usage', 'usage_daily', 'kinds')",
        );
        let mut server = Self { cluster, observer, tables, before: Vec::new() };
        server.before = server.state();
        server
    }

    /// Each table that no background process writes, as one hash.
    fn state(&mut self) -> Vec<String> {
        let hash = |table: &String| {
            format!(
                "SELECT '{table} ' || md5(coalesce(string_agg(r, '|' ORDER BY r), '')) FROM (SELECT t::text FROM {table} t) x(r)"
            )
        };
        let all: Vec<String> = self.tables.iter().map(hash).collect();
        column(&mut self.observer, &all.join(" UNION ALL "))
    }

    fn session(&self) -> Client {
        self.cluster.client("postgres", "app")
    }
}

/// The rows that a statement answers, as text.
fn rows(transaction: &mut Transaction, sql: &str) -> Result<Vec<Vec<Option<String>>>, postgres::Error> {
    let text =
        |row: &postgres::SimpleQueryRow| (0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect();
    let messages = transaction.simple_query(sql)?;
    Ok(messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(text(row)),
            _ => None,
        })
        .collect())
}

/// The outcome of one blow.
enum Blow {
    /// The session made fewer calls, this many.
    Missed(i64),
    /// It was struck.
    Landed,
}

/// One call of a function, struck once.
struct Attempt<'a> {
    call: &'a Call,
    fault: Fault,
    moment: Moment,
    number: i64,
}

impl Attempt<'_> {
    /// Says what is wrong.
    fn wrong(&self, at: &str, what: &str) -> String {
        format!("{}, {:?} at {:?}, call {} ({at}): {what}", self.call.0, self.fault, self.moment, self.number)
    }

    /// Whether an error is the one that was to be seen.
    fn judge(&self, at: &str, error: &postgres::Error) -> Result<(), String> {
        let Some(error) = error.as_db_error() else { return Err(self.wrong(at, &format!("{error:?}"))) };
        let text = every_field(error);
        if text.contains(STORED) {
            return Err(self.wrong(at, &format!("the error has the value: {text}")));
        }
        let is_expected = self.fault.sqlstates().contains(&error.code().code());
        if is_expected {
            return Ok(());
        }
        Err(self.wrong(at, &format!("another error: {} {}", error.code().code(), error.message())))
    }

    /// Strikes while the function runs, and has the session go on.
    fn while_it_runs(&self, server: &mut Server, client: &mut Client) -> Result<Blow, String> {
        let sql = self.call.1;
        let process: i32 = one(client, "SELECT pg_backend_pid()", &[]);
        let mut whole = client.transaction().expect("BEGIN");
        if self.moment == Moment::Again {
            rows(&mut whole, &format!("SAVEPOINT s; {sql}; ROLLBACK TO s; RELEASE s"))
                .map_err(|error| self.wrong("before", &format!("{error:?}")))?;
            drop(whole);
            whole = client.transaction().expect("BEGIN");
        }
        let mut part = whole.transaction().expect("SAVEPOINT");
        arm(&mut part, self.fault, self.number);
        let outcome = rows(&mut part, sql);
        let at = match &outcome {
            Ok(_) => struck(&mut part),
            Err(_) => None,
        };
        part.rollback().map_err(|error| self.wrong("", &format!("the session is gone: {error:?}")))?;
        let at = if outcome.is_err() { struck(&mut whole) } else { at };
        let Some(at) = at else {
            return match outcome {
                Ok(_) => Ok(Blow::Missed(one(&mut whole, "SELECT injector.calls()", &[]))),
                Err(error) => Err(self.wrong("none", &format!("{error:?}"))),
            };
        };
        if let Err(error) = &outcome {
            self.judge(&at, error)?;
            if self.moment == Moment::First && answers_text(self.call) {
                self.nothing_is_left(&at, process)?;
            }
        }
        let again = format!("SAVEPOINT again; {sql}; ROLLBACK TO again; RELEASE again");
        let again = rows(&mut whole, &again)
            .map_err(|error| self.wrong(&at, &format!("not afterwards: {error:?}")))?;
        if let Ok(answer) = &outcome
            && is_always_the_same(self.call)
            && *answer != again
        {
            return Err(self.wrong(&at, "it answered something else"));
        }
        whole.rollback().map_err(|error| self.wrong(&at, &format!("{error:?}")))?;
        self.nothing_is_held(server, &at, process)?;
        Ok(Blow::Landed)
    }

    /// Strikes while the transaction ends.
    fn at_the_end(&self, server: &mut Server, client: &mut Client) -> Result<Blow, String> {
        let process: i32 = one(client, "SELECT pg_backend_pid()", &[]);
        client.batch_execute("BEGIN").expect("BEGIN");
        client.batch_execute(self.call.1).map_err(|error| self.wrong("before", &format!("{error:?}")))?;
        arm(client, self.fault, self.number);
        let end = if self.moment == Moment::Commit { "COMMIT" } else { "ROLLBACK" };
        let outcome = client.batch_execute(end);
        if client.is_closed() {
            return Err(self.wrong("", &format!("the session is gone: {outcome:?}")));
        }
        let Some(at) = struck(client) else {
            outcome.map_err(|error| self.wrong("none", &format!("{error:?}")))?;
            return Ok(Blow::Missed(one(client, "SELECT injector.calls()", &[])));
        };
        if let Err(error) = &outcome {
            self.judge(&at, error)?;
        }
        if self.moment == Moment::Commit && outcome.is_ok() {
            server.before = server.state();
        }
        self.nothing_is_held(server, &at, process)?;
        Ok(Blow::Landed)
    }

    /// No process keeps the stored value in memory of its own.
    fn nothing_is_left(&self, at: &str, process: i32) -> Result<(), String> {
        let process = u32::try_from(process).expect("a process");
        let Ok(found) = regions_with(process, &[STORED.as_bytes().to_vec()]) else { return Ok(()) };
        match found.iter().find(|region| !region.is_shared()) {
            Some(region) => Err(self.wrong(at, &format!("the value is left in {}", region.line))),
            None => Ok(()),
        }
    }

    /// The session holds no lock, and nothing is changed.
    fn nothing_is_held(&self, server: &mut Server, at: &str, process: i32) -> Result<(), String> {
        let locks: Vec<String> =
            column(&mut server.observer, &format!("SELECT l::text FROM pg_locks l WHERE pid = {process}"));
        if !locks.is_empty() {
            return Err(self.wrong(at, &format!("locks are held: {locks:?}")));
        }
        if !self.call.2.is_empty() {
            server
                .observer
                .batch_execute(self.call.2)
                .map_err(|error| self.wrong(at, &format!("{error:?}")))?;
        }
        let now = server.state();
        if now != server.before {
            let changed: Vec<String> =
                now.iter().filter(|table| !server.before.contains(table)).cloned().collect();
            server.before = now;
            return Err(self.wrong(at, &format!("changed: {changed:?}")));
        }
        Ok(())
    }
}

/// Whether a call answers the same each time.
fn is_always_the_same(call: &Call) -> bool {
    ["resolve", "get_", "token_", "explain", "runner_env", "previous"]
        .iter()
        .any(|start| call.0.starts_with(start))
}

/// Whether a call answers a value as text. JSON is made by Postgres, in memory of its own that nobody wipes, as is all that was answered.
fn answers_text(call: &Call) -> bool {
    ["resolve_", "get_secret", "previous_token"].iter().any(|start| call.0.starts_with(start))
}

/// Strikes so many calls of one function, spread over all that it makes, and gives how many were hit.
fn strike(
    server: &mut Server,
    (call, fault, moment): (&Call, Fault, Moment),
    (blows, dice): (i64, &mut Dice),
    wrong: &mut Vec<String>,
) -> usize {
    let mut attempt = |number| {
        let attempt = Attempt { call, fault, moment, number };
        let mut client = server.session();
        let blow = match moment {
            Moment::First | Moment::Again => attempt.while_it_runs(server, &mut client),
            Moment::Commit | Moment::Undo => attempt.at_the_end(server, &mut client),
        };
        drop(client);
        server.observer.batch_execute(call.2).unwrap_or_else(|error| panic!("{}: {error:?}", call.2));
        blow.unwrap_or_else(|what| {
            eprintln!("{what}");
            wrong.push(what);
            Blow::Landed
        })
    };
    // No call has this number: they are counted.
    let Blow::Missed(calls) = attempt(0) else { return 0 };
    let blows = blows.min(calls);
    let sides = u64::try_from(calls.max(1)).expect("a count");
    let first = i64::try_from(dice.throw(sides)).expect("a number");
    let numbers = (0..blows).map(|blow| 1 + (first + blow * calls / blows) % calls);
    numbers.filter(|number| matches!(attempt(*number), Blow::Landed)).count()
}

#[test]
fn whichever_call_into_postgres_fails_nothing_is_left_of_it() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").subsec_micros();
    let (blows, seed) = (number("HFTOK_BLOWS").unwrap_or(2), number("HFTOK_SEED").unwrap_or(now.into()));
    println!("HFTOK_BLOWS={blows} HFTOK_SEED={seed}");
    let (blows, mut dice) = (i64::try_from(blows).expect("a number"), Dice::new(seed));
    let only = std::env::var("HFTOK_ONLY").unwrap_or_default();
    let mut server = Server::start();
    let (mut wrong, mut landed) = (Vec::new(), 0);
    for call in CALLS.iter().filter(|call| call.0.contains(&only)) {
        let whole = format!("BEGIN; {}; ROLLBACK; {}", call.1, call.2);
        server.session().batch_execute(&whole).unwrap_or_else(|error| panic!("{}: {error:?}", call.0));
        for fault in Fault::ALL {
            for moment in [Moment::First, Moment::Again, Moment::Undo] {
                landed += strike(&mut server, (call, fault, moment), (blows, &mut dice), &mut wrong);
            }
        }
    }
    for call in CALLS.iter().filter(|call| COMMITTED.contains(&call.0) && call.0.contains(&only)) {
        for fault in Fault::ALL {
            landed += strike(&mut server, (call, fault, Moment::Commit), (blows, &mut dice), &mut wrong);
        }
    }
    println!("{landed} calls struck");
    assert!(wrong.is_empty(), "{} of {landed}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(!server.cluster.log().contains(STORED), "the log has the value");
    let observer = &mut server.observer;
    observer.batch_execute("SELECT hftok.unseal_org('shut')").expect("unseal_org");
    assert_eq!(one::<i64>(observer, "SELECT failed FROM hftok.verify() WHERE kind = 'total'", &[]), 0);
    settled(observer);
    verified(observer);
}

#[test]
fn no_function_is_forgotten() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let functions: Vec<String> = column(
        &mut client,
        "SELECT proname::text FROM pg_proc WHERE pronamespace = 'hftok'::regnamespace AND prokind = 'f'
         AND prorettype <> 'trigger'::regtype ORDER BY 1",
    );
    let is_called = |name: &String| {
        CALLS.iter().any(|call| call.0.split(',').next() == Some(name))
            || LEFT_OUT.iter().any(|left| left.0 == name)
    };
    let forgotten: Vec<&String> = functions.iter().filter(|name| !is_called(name)).collect();
    assert!(forgotten.is_empty(), "tests/injected/calls.rs has no call of {forgotten:?}");
}
