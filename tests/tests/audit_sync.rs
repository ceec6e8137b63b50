//! Answers that wait for the disk, and a queue that nobody empties.

use std::collections::BTreeSet;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use hftok_tests::answer::{one, put, refused};
use hftok_tests::audit::{count, global_token, resolve, revealed_to, rows, settled, verified, writer};
use hftok_tests::cluster::{Cluster, signal};
use hftok_tests::race::race;
use hftok_tests::setup::Setup;
use hftok_tests::traffic::{Manner, Traffic};
use hftok_tests::wait_until;
use postgres::Client;

const SYNC: &str = "SET hftok.audit = 'sync'";

#[test]
fn an_answer_that_waits_has_its_event_on_disk() {
    let cluster = Setup::default().durable().start();
    let mut client = cluster.database("app");
    global_token(&mut client);
    put(&mut client, "name", "value");
    settled(&mut client);
    let mut reader = cluster.client("postgres", "app");
    reader.batch_execute(SYNC).expect("SET");
    for number in 0..20 {
        let user = format!("user {number}");
        resolve(&mut reader, &user).expect("resolves");
        assert_eq!(rows(&mut client, &format!("kind = 'reveal' AND actor_user = '{user}'")), 1);
    }
    for (number, read) in [
        "SELECT hftok.get_secret('name')",
        "SELECT decrypted_secret FROM hftok.decrypted_secrets",
        "SELECT token FROM hftok.resolve_token('huggingface')",
    ]
    .into_iter()
    .enumerate()
    {
        reader.batch_execute(read).expect(read);
        let told = "kind = 'reveal' AND actor_user IS DISTINCT FROM 'x' AND actor_user NOT LIKE 'user %'
            OR kind = 'reveal' AND actor_user IS NULL";
        assert_eq!(count(&mut client, told), i64::try_from(number).expect("a number") + 1, "{read}");
    }
    // A reader waits for the writer's commit, whatever its own setting is.
    reader.batch_execute("SET synchronous_commit = off; BEGIN").expect("BEGIN");
    resolve(&mut reader, "before the end").expect("resolves");
    assert_eq!(rows(&mut client, "actor_user = 'before the end'"), 1);
    reader.batch_execute("ROLLBACK").expect("ROLLBACK");
    verified(&mut client);
}

#[test]
fn many_that_wait_share_commits() {
    let cluster = Setup::default().durable().start();
    let mut client = cluster.database("app");
    global_token(&mut client);
    let manner = Manner { name: "client".into(), opening: SYNC.into(), pause: Duration::ZERO };
    let traffic = Traffic::begin(&cluster, "app", 16, &manner);
    wait_until("some hundred answers", 60, || count(&mut client, "kind = 'reveal'") > 300);
    let answers = traffic.end();
    assert_eq!(answers.refused, Vec::<String>::new());
    let revealed: BTreeSet<String> = revealed_to(&mut client).into_iter().collect();
    assert_eq!(revealed.len(), answers.given.len(), "all of them are there, without waiting");
    // One transaction of the writer is one value of xmin.
    let commits: i64 =
        one(&mut client, "SELECT count(*) FROM hftok_private.audit_bundles WHERE last_id % 256 <> 0", &[]);
    let given = i64::try_from(answers.given.len()).expect("a number");
    assert!(commits * 4 < given * 3, "{commits} commits for {given} answers");
    verified(&mut client);
}

/// A server with the smallest queue and one more setting, and its writer, which sleeps.
fn with_sleeping_writer(more: &str) -> (Cluster, Client, u32) {
    let cluster = Setup::default().setting("hftok.audit_queue_size = 256").setting(more).start();
    let mut client = cluster.database("app");
    global_token(&mut client);
    resolve(&mut client, "first").expect("resolves");
    settled(&mut client);
    let mut sleeper = None;
    wait_until("a writer", 10, || {
        let _ = resolve(&mut client, "first");
        sleeper = writer(&cluster);
        sleeper.is_some()
    });
    settled(&mut client);
    let sleeper = sleeper.expect("a writer");
    signal(sleeper, "STOP");
    (cluster, client, sleeper)
}

#[test]
fn who_waits_for_a_writer_that_sleeps_is_refused_in_time() {
    let (cluster, mut client, sleeper) = with_sleeping_writer("");
    let mut reader = cluster.client("postgres", "app");
    reader.batch_execute("SET hftok.audit_timeout = '700ms'").expect("SET");
    reader.batch_execute(SYNC).expect("SET");
    for _ in 0..2 {
        let begin = Instant::now();
        refused(resolve(&mut reader, "too late"), "53HF2");
        let waited = begin.elapsed();
        assert!(waited >= Duration::from_millis(690), "refused after {waited:?}");
        assert!(waited < Duration::from_secs(4), "refused after {waited:?}");
    }
    // A caller can be interrupted before its time is over, while it waits for a bell and after.
    reader.batch_execute("SET hftok.audit_timeout = '60s'").expect("SET");
    for time in [30, 300] {
        reader.batch_execute(&format!("SET statement_timeout = '{time}ms'")).expect("SET");
        let begin = Instant::now();
        refused(resolve(&mut reader, "given up"), "57014");
        assert!(begin.elapsed() < Duration::from_secs(4), "after {time} ms");
    }
    // A caller that does not wait for the disk is refused as well: a crash would take events that are older than was
    // promised.
    reader
        .batch_execute(
            "SET statement_timeout = 0; SET hftok.audit = 'async'; SET hftok.audit_timeout = '300ms'",
        )
        .expect("SET");
    refused(resolve(&mut reader, "on top of old ones"), "53HF2");
    signal(sleeper, "CONT");
    settled(&mut client);
    resolve(&mut reader, "does not wait").expect("resolves");
    settled(&mut client);
    // A value that was handed out has an event. A value that was not may have one.
    assert_eq!(count(&mut client, "actor_user = 'does not wait'"), 1);
    assert_eq!(count(&mut client, "actor_user = 'on top of old ones'"), 0);
    assert!(count(&mut client, "kind = 'reveal' AND actor_user = 'too late'") <= 2);
    verified(&mut client);
}

#[test]
fn who_does_not_wait_goes_on_until_the_queue_is_full() {
    // The queue is full long before its oldest event has waited for too long, which takes five intervals.
    let (cluster, mut client, sleeper) = with_sleeping_writer("hftok.audit_flush_interval = 10s");
    let answers = race(&cluster, "app", 8, |number, client| {
        client.batch_execute("SET hftok.audit_timeout = '500ms'").expect("SET");
        let mut given = Vec::new();
        for call in 0..300 {
            let user = format!("{number}-{call}");
            match resolve(client, &user) {
                Ok(()) => given.push(user),
                error => {
                    refused(error, "53HF2");
                    return given;
                }
            }
        }
        panic!("more calls were taken than the queue has room for");
    });
    let given: BTreeSet<String> = answers.into_iter().flatten().collect();
    assert!((200..=256).contains(&given.len()), "{} were accepted", given.len());
    // A change needs no room there, and a refusal is left out rather than hold its caller up.
    put(&mut client, "name", "value");
    client.batch_execute("SET hftok.audit_timeout = '20s'").expect("SET");
    let begin = Instant::now();
    refused(client.query("SELECT hftok.get_secret('no such name')", &[]), "PT404");
    assert!(begin.elapsed() < Duration::from_secs(10), "a refusal waits for nobody");
    client.batch_execute("SET hftok.audit_timeout = '500ms'").expect("SET");
    refused(client.query("SELECT hftok.get_secret('name')", &[]), "53HF2");
    // Others in the same cluster have room of their own.
    let mut other = cluster.database("other");
    global_token(&mut other);
    resolve(&mut other, "elsewhere").expect("resolves");
    settled(&mut other);
    // Callers that still wait when there is room again are served.
    scope(|scope| {
        let waiting = scope.spawn(|| {
            let mut client = cluster.client("postgres", "app");
            client.batch_execute("SET hftok.audit_timeout = '20s'").expect("SET");
            resolve(&mut client, "patient")
        });
        sleep(Duration::from_millis(300));
        signal(sleeper, "CONT");
        waiting.join().expect("the patient one").expect("resolves");
    });
    settled(&mut client);
    let revealed: Vec<String> =
        revealed_to(&mut client).into_iter().filter(|user| user.contains('-')).collect();
    assert_eq!(revealed.len(), given.len(), "none twice");
    assert_eq!(revealed.into_iter().collect::<BTreeSet<_>>(), given, "none dropped");
    assert_eq!(count(&mut client, "actor_user = 'patient' AND kind = 'reveal'"), 1);
    assert_eq!(count(&mut client, "action = 'put_secret' AND outcome = 'committed'"), 1);
    assert_eq!(count(&mut client, "action = 'audit_queue' AND outcome = 'left_out'"), 1, "and that is told");
    verified(&mut client);
}
