//! Many databases in one cluster: each has its own chain, and what is done with one is nobody else's matter.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hftok_tests::answer::{adopt, one};
use hftok_tests::audit::{
    global_token, lines, resolve, revealed_to, settled, verified, without_writer, writer,
};
use hftok_tests::cluster::{Cluster, signal};
use hftok_tests::process::titled;
use hftok_tests::setup::Setup;
use hftok_tests::traffic::{Manner, Traffic};
use hftok_tests::wait_until;
use postgres::Client;

/// The number of databases that can have events waiting at the same time.
const LANES: usize = 64;

fn manner(name: &str) -> Manner {
    Manner { name: name.into(), opening: String::new(), pause: Duration::ZERO }
}

/// With fsync and without a pause every database has something to write whenever a writer looks.
#[test]
fn ten_busy_databases_share_too_few_places_for_writers() {
    let cluster = Setup::default().setting("max_worker_processes = 8").durable().start();
    let names: Vec<String> = (0..10).map(|number| format!("app{number}")).collect();
    for name in &names {
        global_token(&mut cluster.database(name));
    }
    let traffic: Vec<Traffic> =
        names.iter().map(|name| Traffic::begin(&cluster, name, 2, &manner(name))).collect();
    sleep(Duration::from_secs(10));
    let answers: Vec<_> = traffic.into_iter().map(Traffic::end).collect();
    let mut rounds = Vec::new();
    for (name, answers) in names.iter().zip(answers) {
        let mut client = cluster.client("postgres", name);
        assert_eq!(answers.refused, Vec::<String>::new(), "{name}");
        rounds.push(one::<i64>(
            &mut client,
            "SELECT count(DISTINCT xmin::text) FROM hftok_private.audit_bundles",
            &[],
        ));
        settled(&mut client);
        let given: BTreeSet<String> = answers.given.into_iter().map(|answer| answer.user).collect();
        assert!(given.len() > 100, "{name} was served");
        let revealed = revealed_to(&mut client);
        assert_eq!(revealed.len(), given.len(), "{name}: each once");
        assert_eq!(revealed.into_iter().collect::<BTreeSet<_>>(), given);
        verified(&mut client);
    }
    // The machine decides how often each database is written. No database may be left out.
    let mut sorted = rounds.clone();
    sorted.sort_unstable();
    assert!(sorted[0] >= sorted[sorted.len() / 2] / 4, "each database was written so often: {rounds:?}");
}

/// Everything that an operator does with a database from another one.
#[track_caller]
fn moved_about(cluster: &Cluster, operator: &mut Client, base: &str) {
    let mut client = cluster.client("postgres", base);
    resolve(&mut client, "before").expect("resolves");
    wait_until("a writer", 5, || writer(cluster).is_some());
    drop(client);
    sleep(Duration::from_secs(2));
    let begin = Instant::now();
    for statement in [
        format!("CREATE DATABASE {base}_copy TEMPLATE {base}"),
        format!("ALTER DATABASE {base} RENAME TO {base}_renamed"),
        format!("ALTER DATABASE {base}_copy RENAME TO {base}"),
    ] {
        operator.batch_execute(&statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    assert!(begin.elapsed() < Duration::from_secs(4), "nobody was waited for: {:?}", begin.elapsed());
    adopt(&mut cluster.client("postgres", base));
    // Both go on with the chain that they have in common.
    for name in [base, &format!("{base}_renamed")] {
        let mut client = cluster.client("postgres", name);
        resolve(&mut client, name).expect("resolves");
        wait_until("it is told", 5, || revealed_to(&mut client) == ["before", name]);
        verified(&mut client);
        assert_eq!(one::<Option<i64>>(&mut client, "SELECT failed FROM hftok.verify()", &[]), Some(0));
    }
    sleep(Duration::from_secs(2));
    for name in [base, &format!("{base}_renamed")] {
        operator.batch_execute(&format!("DROP DATABASE {name}")).expect("DROP DATABASE");
    }
}

#[test]
fn a_database_that_is_idle_can_be_copied_renamed_and_dropped() {
    let cluster = Cluster::start_default();
    let mut operator = cluster.client("postgres", "postgres");
    global_token(&mut cluster.database("often"));
    moved_about(&cluster, &mut operator, "often");
    global_token(&mut cluster.database("seldom"));
    cluster.configure("hftok.audit_flush_interval = '30s'");
    cluster.reload();
    sleep(Duration::from_millis(200));
    moved_about(&cluster, &mut operator, "seldom");
}

/// The worker that starts writers, which does not for as long as it sleeps.
fn launcher(cluster: &Cluster) -> u32 {
    titled(cluster, "hftok audit launcher").expect("the launcher")
}

/// An event that cannot be a row any more is a line of the log, and stops nobody else.
#[test]
fn what_waits_for_a_database_that_is_gone_goes_to_the_log() {
    let cluster = Cluster::start_default();
    let mut others = cluster.database("others");
    global_token(&mut others);
    for (name, end) in [
        ("gone", "DROP DATABASE gone"),
        ("forced", "DROP DATABASE forced WITH (FORCE)"),
        ("without", "DROP EXTENSION hftok CASCADE"),
    ] {
        let mut client = cluster.database(name);
        global_token(&mut client);
        without_writer(&cluster);
        signal(launcher(&cluster), "STOP");
        let users: Vec<String> = (0..3).map(|number| format!("{name} {number}")).collect();
        users.iter().for_each(|user| resolve(&mut client, user).expect("resolves"));
        if name == "without" {
            client.batch_execute(end).expect(end);
        } else {
            if name == "gone" {
                drop(client);
                sleep(Duration::from_millis(100));
            }
            cluster.client("postgres", "postgres").batch_execute(end).expect(end);
        }
        resolve(&mut others, name).expect("resolves");
        signal(launcher(&cluster), "CONT");
        settled(&mut others);
        assert_eq!(revealed_to(&mut others).last().map(String::as_str), Some(name), "others are not held up");
        let told = |user: &str| {
            let field = format!("\"actor_user\":\"{user}\"");
            lines(&cluster).iter().filter(|line| line.contains(&field)).count()
        };
        wait_until(end, 25, || users.iter().all(|user| told(user) > 0));
        assert!(users.iter().all(|user| told(user) == 1), "{end}: each once");
    }
    verified(&mut others);
    let mut again = cluster.client("postgres", "without");
    again.batch_execute("CREATE EXTENSION hftok").expect("CREATE EXTENSION");
    global_token(&mut again);
    resolve(&mut again, "again").expect("resolves");
    settled(&mut again);
    assert_eq!(revealed_to(&mut again), ["again"]);
    verified(&mut again);
}

/// More than can have events waiting at a time.
#[test]
fn databases_that_come_and_go_leave_room_for_others() {
    let cluster = Cluster::start_default();
    global_token(&mut cluster.database("base"));
    without_writer(&cluster);
    let mut operator = cluster.client("postgres", "postgres");
    for number in 0..LANES + 6 {
        let name = format!("passing{number}");
        operator.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE base")).expect("CREATE DATABASE");
        let mut client = cluster.client("postgres", &name);
        adopt(&mut client);
        resolve(&mut client, &name).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        operator.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).expect("DROP DATABASE");
    }
    let mut last = cluster.database("last");
    global_token(&mut last);
    last.batch_execute("SET hftok.audit = 'sync'").expect("SET");
    resolve(&mut last, "last").expect("resolves");
    verified(&mut last);
}
