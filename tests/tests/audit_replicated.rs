//! `sync` where the server's commits wait for a standby: one that is away, one that comes, and one that takes over.

use std::collections::BTreeSet;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use hftok_tests::answer::{one, refused};
use hftok_tests::audit::{
    count, global_token, lines, resolve, revealed_to, rows, settled, verified, without_writer,
};
use hftok_tests::cluster::{Cluster, Stop};
use hftok_tests::setup::{Setup, run};
use hftok_tests::traffic::{Manner, Traffic};
use hftok_tests::wait_until;
use postgres::Client;

const SYNC: &str = "SET hftok.audit = 'sync'";
/// The name of a standby whose settings give it none.
const STANDBY: &str = "walreceiver";

/// Gives the server a setting, and waits until sessions and writers that begin have it.
fn configure(cluster: &Cluster, name: &str, value: &str) {
    cluster.configure(&format!("{name} = '{value}'"));
    cluster.reload();
    wait_until("the setting is read", 10, || {
        one::<String>(&mut cluster.client("postgres", "postgres"), &format!("SHOW {name}"), &[]) == value
    });
}

/// A server whose commits wait for a standby that there is not.
fn with_absent_standby(setup: Setup) -> (Cluster, Client) {
    let cluster = setup.start();
    let mut client = cluster.database("app");
    global_token(&mut client);
    without_writer(&cluster);
    configure(&cluster, "synchronous_standby_names", "absent");
    (cluster, client)
}

fn sync_reader(cluster: &Cluster, timeout: &str) -> Client {
    let mut reader = cluster.client("postgres", "app");
    reader.batch_execute(&format!("{SYNC}; SET hftok.audit_timeout = '{timeout}'")).expect("SET");
    reader
}

fn pid(client: &mut Client) -> i32 {
    one(client, "SELECT pg_backend_pid()", &[])
}

#[test]
fn with_the_standby_away_nothing_is_handed_out_under_sync() {
    let (cluster, mut client) = with_absent_standby(Setup::default());
    let mut reader = sync_reader(&cluster, "400ms");
    let begin = Instant::now();
    let error = refused(resolve(&mut reader, "in vain"), "53HF2");
    assert!(begin.elapsed() >= Duration::from_millis(390), "refused after {:?}", begin.elapsed());
    assert!(error.detail().is_some_and(|detail| detail.contains("standby")), "{error:?}");

    reader.batch_execute("SET hftok.audit_timeout = '60s'; SET statement_timeout = '300ms'").expect("SET");
    let begin = Instant::now();
    refused(resolve(&mut reader, "too late"), "57014");
    reader.batch_execute("SET statement_timeout = 0").expect("SET");
    let process = pid(&mut reader);
    scope(|scope| {
        let waiting = scope.spawn(|| resolve(&mut reader, "cancelled"));
        sleep(Duration::from_millis(700));
        assert!(!waiting.is_finished(), "it waits");
        assert!(one::<bool>(&mut client, "SELECT pg_cancel_backend($1)", &[&process]));
        refused(waiting.join().expect("the reader"), "57014");
    });
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    // All of it is on this disk; and nobody stays for a standby when nobody waits for it, so that the database can be dropped.
    assert_eq!(rows(&mut client, "kind = 'reveal' AND actor_user = 'cancelled'"), 1);
    without_writer(&cluster);
    verified(&mut client);
    configure(&cluster, "synchronous_standby_names", "");
    resolve(&mut reader, "after").expect("resolves");
}

#[test]
fn a_standby_that_is_away_holds_up_nobody_else() {
    let (cluster, mut client) = with_absent_standby(Setup::default().setting("hftok.audit_queue_size = 256"));
    let mut reader = sync_reader(&cluster, "120s");
    let process = pid(&mut reader);
    scope(|scope| {
        let waiting = scope.spawn(|| resolve(&mut reader, "waits"));
        let begin = Instant::now();
        for number in 0..1500 {
            resolve(&mut client, &format!("async {number}")).expect("resolves");
        }
        settled(&mut client);
        assert!(begin.elapsed() < Duration::from_secs(40), "{:?}", begin.elapsed());
        assert!(!waiting.is_finished(), "it waits still");
        // The round has events of both callers and is in the chain. The caller under `sync` still has no value.
        assert_eq!(rows(&mut client, "actor_user = 'waits'"), 1);
        assert_eq!(count(&mut client, "actor_user LIKE 'async %'"), 1500);
        client.query("SELECT pg_cancel_backend($1)", &[&process]).expect("cancel");
        refused(waiting.join().expect("the reader"), "57014");
    });
    // A caller that still waits when no writer is left is served as soon as the server no longer asks for a standby.
    scope(|scope| {
        let waiting = scope.spawn(|| resolve(&mut reader, "patient"));
        sleep(Duration::from_secs(3));
        assert!(!waiting.is_finished(), "it waits");
        configure(&cluster, "synchronous_standby_names", "");
        wait_until("it is served", 5, || waiting.is_finished());
        waiting.join().expect("the reader").expect("resolves");
    });
    verified(&mut client);
}

#[test]
fn a_server_that_stops_while_the_standby_is_away_ends_soon_and_loses_nothing() {
    let (cluster, _client) = with_absent_standby(Setup::default());
    let begin = |name: &str, opening: &str| {
        let pause = Duration::from_millis(2);
        let manner = Manner { name: name.into(), opening: opening.into(), pause };
        Traffic::begin(&cluster, "app", 4, &manner)
    };
    let (waiting, going_on) = (begin("sync", SYNC), begin("async", ""));
    sleep(Duration::from_millis(1500));
    let stopping = Instant::now();
    cluster.stop(Stop::Fast);
    assert!(stopping.elapsed() < Duration::from_secs(8), "it took {:?}", stopping.elapsed());
    let (waiting, going_on) = (waiting.end(), going_on.end());
    assert_eq!(waiting.given.len(), 0, "no standby had their events");
    assert!(going_on.given.len() > 100, "{} given", going_on.given.len());
    cluster.configure("synchronous_standby_names = ''");
    cluster.start();
    let mut client = cluster.client("postgres", "app");
    let told: BTreeSet<String> = revealed_to(&mut client).into_iter().collect();
    let lines = lines(&cluster).concat();
    for answer in going_on.given {
        let is_told =
            told.contains(&answer.user) || lines.contains(&format!("\"actor_user\":\"{}\"", answer.user));
        assert!(is_told, "{} is not told", answer.user);
    }
    verified(&mut client);
}

#[test]
fn callers_go_on_when_the_standby_comes_and_its_promotion_loses_nothing() {
    let primary = Cluster::start_default();
    let mut client = primary.database("app");
    global_token(&mut client);
    let standby = Setup::standby_of(&primary);
    standby.stop(Stop::Fast);
    without_writer(&primary);
    configure(&primary, "synchronous_standby_names", STANDBY);
    let mut reader = sync_reader(&primary, "60s");
    scope(|scope| {
        let waiting = scope.spawn(|| resolve(&mut reader, "first"));
        sleep(Duration::from_millis(1500));
        assert!(!waiting.is_finished(), "it waits");
        standby.start();
        wait_until("it goes on", 20, || waiting.is_finished());
        waiting.join().expect("the reader").expect("resolves");
    });
    let mut beyond = standby.client("postgres", "app");
    for level in ["remote_write", "remote_apply", "on"] {
        // The writer that is there follows.
        configure(&primary, "synchronous_commit", level);
        sleep(Duration::from_millis(400));
        let begin = Instant::now();
        for number in 0..20 {
            let user = format!("{level} {number}");
            resolve(&mut reader, &user).expect("resolves");
            if level == "remote_apply" {
                assert_eq!(rows(&mut beyond, &format!("actor_user = '{user}'")), 1, "{user} is seen there");
            }
        }
        // Were each told only at wal_receiver_status_interval, which is 10 s, they would take minutes.
        assert!(begin.elapsed() < Duration::from_secs(40), "{level}: 20 answers in {:?}", begin.elapsed());
        is_waited_for_as_the_level_says(level, &mut reader, &mut beyond);
    }
    let manner = Manner { name: "busy".into(), opening: SYNC.into(), pause: Duration::ZERO };
    let traffic = Traffic::begin(&primary, "app", 8, &manner);
    sleep(Duration::from_secs(2));
    primary.kill_postmaster();
    let answers = traffic.end();
    assert!(answers.given.len() > 100, "{} given", answers.given.len());
    run(standby.program("pg_ctl").args(["promote", "-w", "-D"]).arg(standby.data()));
    wait_until("it is promoted", 20, || !one::<bool>(&mut beyond, "SELECT pg_is_in_recovery()", &[]));
    let told: BTreeSet<String> = revealed_to(&mut beyond).into_iter().collect();
    let lost: Vec<_> = answers.given.iter().filter(|answer| !told.contains(&answer.user)).collect();
    assert!(lost.is_empty(), "{} of {} are not told: {lost:?}", lost.len(), answers.given.len());
    verified(&mut beyond);
}

/// Asks while a standby has everything, but shows nothing new for a moment.
#[track_caller]
fn is_waited_for_as_the_level_says(level: &str, reader: &mut Client, beyond: &mut Client) {
    beyond.batch_execute("SELECT pg_wal_replay_pause()").expect("pause");
    wait_until("it is paused", 10, || {
        one::<String>(beyond, "SELECT pg_get_wal_replay_pause_state()", &[]) == "paused"
    });
    scope(|scope| {
        let waiting = scope.spawn(|| resolve(reader, "meanwhile"));
        sleep(Duration::from_millis(1500));
        assert_eq!(waiting.is_finished(), level != "remote_apply", "{level}");
        beyond.batch_execute("SELECT pg_wal_replay_resume()").expect("resume");
        // The standby tells as soon as it shows the commit, and not when it next tells of itself.
        let resumed = Instant::now();
        wait_until("it goes on", 10, || waiting.is_finished());
        assert!(resumed.elapsed() < Duration::from_secs(2), "{level}: after {:?}", resumed.elapsed());
        waiting.join().expect("the reader").expect("resolves");
    });
}

/// A promise of `sync` that a crash of the server breaks would be none.
#[test]
fn a_server_that_commits_without_its_disk_still_keeps_what_sync_promises() {
    let setup = Setup::default().durable().setting("synchronous_commit = off");
    let cluster = setup.setting("wal_writer_delay = 10s").start();
    global_token(&mut cluster.database("app"));
    for round in 0..3 {
        without_writer(&cluster);
        let mut reader = sync_reader(&cluster, "20s");
        let users: Vec<String> = (0..20).map(|number| format!("{round}-{number}")).collect();
        users.iter().for_each(|user| resolve(&mut reader, user).expect("resolves"));
        cluster.kill_postmaster();
        cluster.start();
        let mut client = cluster.client("postgres", "app");
        let told: BTreeSet<String> = revealed_to(&mut client).into_iter().collect();
        assert!(users.iter().all(|user| told.contains(user)), "round {round}: {told:?}");
        verified(&mut client);
    }
}
