//! Guessing what is stored, with `find_secret()`: what holds over sessions, and what does not hold over a restart, as SECURITY.md says.

use std::thread;

use hftok_tests::answer::{create, one, refused};
use hftok_tests::audit::{count, settled};
use hftok_tests::cluster::{Cluster, Stop};
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

const MOST: usize = 200;

fn cluster() -> Cluster {
    Setup::default().setting("hftok.max_guesses_per_minute = 200").start()
}

/// Number of a session's guesses that are answered until one is refused.
fn answered(client: &mut Client) -> usize {
    for done in 0..10 * MOST {
        if let Err(error) = client.query("SELECT * FROM hftok.find_secret('wrong')", &[]) {
            refused(Err::<(), _>(error), "PT429");
            return done;
        }
    }
    panic!("no guess is refused");
}

/// Checks the number of guesses that were answered. The guesses took some time, in which more were allowed.
#[track_caller]
fn assert_about(answered: usize) {
    assert!((MOST..MOST + MOST / 2).contains(&answered), "{answered} of {MOST}");
}

#[test]
fn many_sessions_of_a_login_have_no_more_than_one() {
    let cluster = cluster();
    let mut client = cluster.database("app");
    create(&mut client, "pin", "7301");
    client.batch_execute("CREATE ROLE reviewer LOGIN IN ROLE hftok_auditor").expect("CREATE ROLE");
    let guessers: Vec<_> = (0..4)
        .map(|_| {
            let mut session = cluster.client("reviewer", "app");
            thread::spawn(move || answered(&mut session))
        })
        .collect();
    assert_about(guessers.into_iter().map(|guesser| guesser.join().expect("a guesser")).sum());
    // Another database gives no more guesses; and another login is not held up by them.
    let mut other = cluster.database("other");
    create(&mut other, "pin", "7301");
    assert!(answered(&mut cluster.client("reviewer", "other")) < MOST / 2);
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM hftok.find_secret('7301')", &[]), 1);

    settled(&mut client);
    assert!(
        count(&mut client, "action = 'find_secret' AND outcome = 'too_often' AND login_role = 'reviewer'")
            >= 4
    );
    assert_eq!(
        count(&mut client, "action = 'find_secret' AND outcome = 'found' AND object_id IS NOT NULL"),
        1
    );
}

#[test]
fn a_restart_a_crash_and_a_standby_count_anew() {
    let cluster = cluster();
    let mut client = cluster.database("app");
    create(&mut client, "pin", "7301");
    assert_about(answered(&mut client));
    let standby = Setup::standby_of(&cluster);
    let mut reader = standby.client("postgres", "app");
    wait_until("the standby has the keys", 20, || {
        reader.query("SELECT * FROM hftok.find_secret('wrong')", &[]).is_ok()
    });
    assert!(answered(&mut reader) >= MOST - 1);

    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    assert_about(answered(&mut client));
    let victim = one::<i32>(&mut client, "SELECT pg_backend_pid()", &[]);
    cluster.kill_process(victim.unsigned_abs());
    wait_until("the server has recovered", 20, || cluster.connect("postgres", "app").is_ok());
    assert_about(answered(&mut cluster.client("postgres", "app")));
    cluster.stop(Stop::Fast);
}

#[test]
fn where_the_audit_takes_no_event_a_right_guess_is_answered_like_a_wrong_one() {
    let cluster = cluster();
    let mut client = cluster.database("app");
    create(&mut client, "pin", "7301");
    settled(&mut client);
    client.batch_execute("SET hftok.audit_timeout = '400ms'").expect("SET");
    let mut holder = cluster.client("postgres", "app");
    let mut held = holder.transaction().expect("BEGIN");
    held.batch_execute("LOCK TABLE hftok_private.audit IN SHARE MODE").expect("LOCK");
    client.query("SELECT * FROM hftok.find_secret('7301')", &[]).expect("waits in the queue");
    wait_until("the queue takes nothing on top of what is late", 20, || {
        client.query("SELECT * FROM hftok.find_secret('wrong')", &[]).is_err()
    });
    for guess in ["7301", "wrong"] {
        refused(client.query("SELECT * FROM hftok.find_secret($1)", &[&guess]), "53HF2");
    }
    drop(held);
    wait_until("the audit is served again", 20, || {
        client.query("SELECT * FROM hftok.find_secret('7301')", &[]).is_ok()
    });
}
