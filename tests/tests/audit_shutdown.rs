//! Ends of all kinds that are no crash: a server that shuts down, hftok that is sealed, processes that are told to go.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use hftok_tests::answer::{create, get, one, refused};
use hftok_tests::audit::{
    count, global_token, lines, resolve, revealed_to, settled, verified, without_writer, writer,
};
use hftok_tests::cluster::{Cluster, Stop, signal};
use hftok_tests::process::titled;
use hftok_tests::setup::Setup;
use hftok_tests::traffic::{Manner, Traffic};
use hftok_tests::wait_until;

/// The events are chained in every database, whoever is the first to come after, and also where nobody comes.
#[test]
fn what_happened_while_sealed_is_chained_after_also_over_a_restart() {
    let cluster = Cluster::start_default();
    for name in ["one", "two"] {
        let mut client = cluster.database(name);
        create(&mut client, "name", "value");
        settled(&mut client);
    }
    cluster.client("postgres", "one").batch_execute("SELECT hftok.seal()").expect("seal");
    for name in ["one", "two"] {
        let mut client = cluster.client("postgres", name);
        refused(get(&mut client, "name"), "53HF1");
        wait_until("the refusal is on disk", 5, || {
            one::<i64>(&mut client, "SELECT count(*) FROM hftok_private.audit_pending", &[]) > 0
        });
    }
    cluster.restart();
    cluster.client("postgres", "one").batch_execute("SELECT hftok.unseal()").expect("unseal");
    let sealed = "kind = 'key' AND action = 'seal'";
    wait_until("the seal itself is told", 5, || count(&mut cluster.client("postgres", "one"), sealed) == 1);
    for name in ["one", "two"] {
        let mut client = cluster.client("postgres", name);
        // Nobody knows of a database that was not in use since the start.
        assert_eq!(get(&mut client, "name").expect("opens"), "value");
        wait_until(&format!("the refusal in {name} is chained"), 5, || {
            count(&mut client, "kind = 'refusal' AND outcome = 'sealed'") == 1
        });
        verified(&mut client);
    }
}

/// Everything that was handed out is a row, or a line of the log.
#[track_caller]
fn is_told(
    cluster: &Cluster,
    client: &mut postgres::Client,
    given: impl IntoIterator<Item = String>,
    what: &str,
) {
    let mut told: Vec<String> = revealed_to(client);
    let lines = lines(cluster);
    for user in given {
        let in_lines =
            lines.iter().filter(|line| line.contains(&format!("\"actor_user\":\"{user}\""))).count();
        let in_rows = told.iter().filter(|told| **told == user).count();
        assert_eq!(in_lines + in_rows, 1, "{what}: {user} is told once: {in_rows} rows, {in_lines} lines");
        told.retain(|told| *told != user);
    }
}

#[test]
fn a_server_that_shuts_down_loses_nothing() {
    let cluster = Setup::default().setting("hftok.audit_flush_interval = 30s").start();
    global_token(&mut cluster.database("app"));
    without_writer(&cluster);
    for round in 0..3 {
        let users: Vec<String> = (0..50).map(|number| format!("{round}-{number}")).collect();
        let mut client = cluster.client("postgres", "app");
        // With a writer that is just starting, with one that waits, and with neither.
        match round {
            0 => {}
            1 => sleep(Duration::from_millis(300)),
            _ => {
                resolve(&mut client, "before").expect("resolves");
                wait_until("a writer", 5, || writer(&cluster).is_some());
            }
        }
        users.iter().for_each(|user| resolve(&mut client, user).expect("resolves"));
        cluster.stop(Stop::Fast);
        cluster.start();
        let mut client = cluster.client("postgres", "app");
        is_told(&cluster, &mut client, users, &format!("round {round}"));
        verified(&mut client);
    }
}

#[test]
fn a_busy_server_that_shuts_down_loses_nothing() {
    let cluster = Setup::default().durable().start();
    global_token(&mut cluster.database("app"));
    let manner = Manner { name: "busy".into(), opening: String::new(), pause: Duration::from_millis(1) };
    let traffic = Traffic::begin(&cluster, "app", 8, &manner);
    sleep(Duration::from_secs(1));
    cluster.stop(Stop::Fast);
    let answers = traffic.end();
    cluster.start();
    let mut client = cluster.client("postgres", "app");
    let given: BTreeSet<String> = answers.given.into_iter().map(|answer| answer.user).collect();
    assert!(given.len() > 100, "values were given");
    is_told(&cluster, &mut client, given, "busy");
    verified(&mut client);
}

/// By an operator who looks for sessions to end.
#[test]
fn workers_that_are_told_to_end_lose_nothing() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    global_token(&mut client);
    let manner = Manner { name: "meanwhile".into(), opening: String::new(), pause: Duration::from_millis(2) };
    let traffic = Traffic::begin(&cluster, "app", 4, &manner);
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE backend_type = 'hftok audit writer'";
    for _ in 0..4 {
        wait_until("a writer is told to end", 10, || one::<i64>(&mut client, end, &[]) > 0);
        sleep(Duration::from_millis(150));
    }
    // Postgres does not list a worker without a database; the operating system does.
    for _ in 0..3 {
        for title in ["hftok keyring", "hftok audit launcher"] {
            wait_until(title, 10, || titled(&cluster, title).is_some());
            titled(&cluster, title).into_iter().for_each(|process| signal(process, "TERM"));
        }
        sleep(Duration::from_millis(700));
    }
    sleep(Duration::from_millis(500));
    let answers = traffic.end();
    assert_eq!(answers.refused, Vec::<String>::new());
    assert_eq!(answers.lost, 0, "no session was lost");
    settled(&mut client);
    let given: BTreeSet<String> = answers.given.into_iter().map(|answer| answer.user).collect();
    is_told(&cluster, &mut client, given, "ended workers");
    assert_eq!(lines(&cluster), Vec::<String>::new(), "there was somebody to write it");
    verified(&mut client);
}

#[test]
fn the_writer_is_seen_and_goes_when_there_is_nothing_to_do() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    global_token(&mut client);
    without_writer(&cluster);
    resolve(&mut client, "alice").expect("resolves");
    let seen = "SELECT datname::text, query FROM pg_stat_activity WHERE backend_type = 'hftok audit writer'";
    // Postgres 18 lists a worker before it has its database.
    let mut shown: Option<(String, String)> = None;
    wait_until("it is seen at work", 5, || {
        let row = client.query_opt(seen, &[]).expect("pg_stat_activity");
        shown = row.and_then(|row| Some((row.get::<_, Option<_>>(0)?, row.get::<_, Option<_>>(1)?)));
        shown.as_ref().is_some_and(|(_, query)| !query.is_empty())
    });
    let (database, query) = shown.expect("a row");
    assert_eq!(database, "app");
    assert!(query.starts_with("hftok: "), "{query}");
    without_writer(&cluster);
    settled(&mut client);
}

/// A server lets clients in while the keyring is still being fetched.
#[test]
fn what_happened_before_the_keys_were_there_is_chained_as_soon_as_they_are() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    create(&mut client, "name", "value");
    settled(&mut client);
    cluster.configure("hftok.key_file = ''");
    let (go, keyring) = (cluster.folder().join("go"), cluster.keyring());
    cluster.configure(&format!(
        "hftok.key_command = 'while [ ! -e {} ]; do sleep 0.1; done; cat {}'",
        go.display(),
        keyring.display()
    ));
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    // This refusal needs no key.
    refused(get(&mut client, "no such name"), "PT404");
    let pending = "SELECT count(*) FROM hftok_private.audit_pending";
    wait_until("the refusal is on disk", 20, || one::<i64>(&mut client, pending, &[]) > 0);
    cluster.write_file("go", "", 0o600);
    wait_until("the refusal is chained", 20, || {
        one::<i64>(&mut client, pending, &[]) == 0 && count(&mut client, "kind = 'refusal'") == 1
    });
    verified(&mut client);
}
