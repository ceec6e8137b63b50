//! Bulks that write more users than a transaction holds locks of: two of them never wait crosswise, and neither do a bulk and a
//! user who writes meanwhile.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use hftok_tests::answer::{one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::wait_until;
use postgres::{Client, GenericClient};

const KEY: &str = "sk-0123456789abcdef0123456789";
/// Another one of the same mask's length.
const OTHER: &str = "sk-9876543210fedcba9876543210";

/// Saves a key for users `name first` to `name last`, as one call.
fn save(client: &mut impl GenericClient, name: &str, first: i32, last: i32) -> Result<i64, postgres::Error> {
    let call = "SELECT count(*) FROM hftok.save_credentials((
        SELECT jsonb_agg(jsonb_build_object('provider', 'openai', 'secret', $1::text, 'user_id', $2 || ' ' || n) ORDER BY n)
        FROM generate_series($3::int, $4::int) n))";
    client.query_one(call, &[&KEY, &name, &first, &last]).map(|row| row.get(0))
}

/// Waits until so many others wait for a lock.
#[track_caller]
fn waiting(client: &mut Client, sessions: i64) {
    wait_until("they wait", 20, || {
        one::<i64>(client, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", &[])
            == sessions
    });
}

#[test]
fn bulks_of_different_users_and_ordered_ones_of_the_same_all_come_through() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    // The first save makes the first keys, so that no bulk waits for them.
    save(&mut client, "first", 1, 1).expect("saved");
    for names in [["left", "right"], ["same", "same"]] {
        // Both hold all the names that a transaction holds before either goes on; not where they are the same.
        let held = Barrier::new(if names[0] == names[1] { 1 } else { 2 });
        thread::scope(|scope| {
            let bulks = names.map(|name| {
                let (cluster, held) = (&cluster, &held);
                scope.spawn(move || {
                    let mut session = cluster.client("postgres", "app");
                    let mut bulk = session.transaction().expect("begin");
                    save(&mut bulk, name, 1, 500).expect("held");
                    held.wait();
                    save(&mut bulk, name, 501, 1500).unwrap_or_else(|error| panic!("{name}: {error:?}"));
                    bulk.commit().expect("commit");
                })
            });
            for bulk in bulks {
                bulk.join().expect("a bulk came through");
            }
        });
    }
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM hftok.credentials", &[]), 4501);
    assert_eq!(
        one::<i64>(
            &mut client,
            "SELECT count(*) FROM hftok.credentials WHERE scope_id LIKE 'same %' AND version = 2",
            &[]
        ),
        1500
    );
    assert!(!cluster.log().contains("you don't own a lock"));
}

/// A bulk of upserts stands between two of its phases, in which it first locks and then stores. A user whom it has passed writes
/// their key meanwhile in each of the ways there are.
#[test]
fn a_bulk_of_upserts_and_a_user_do_not_wait_crosswise() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    save(&mut client, "first", 1, 1).expect("saved");
    let upsert = "INSERT INTO hftok.user_api_keys (user_id, service, api_key) SELECT 'u ' || n, 'openai', $1 FROM generate_series(1, 700) n
        ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key";
    let ways = [
        "SELECT hftok.save_credential('openai', $1, p_user_id => 'u 600')::text",
        "INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('u 600', 'openai', $1)
            ON CONFLICT (user_id, service) DO UPDATE SET api_key = excluded.api_key",
        "UPDATE hftok.user_api_keys SET api_key = $1 WHERE user_id = 'u 600'",
        "DELETE FROM hftok.credentials WHERE scope_id = 'u 600' AND $1 <> ''",
        "SELECT FROM hftok.forget_user('u 600') WHERE $1 <> ''",
    ];
    // At first there is no key yet, then there is one.
    for round in 0..2 {
        for way in ways {
            if round == 0 {
                client
                    .query("SELECT hftok.forget_user('u ' || n) FROM generate_series(1, 700) n", &[])
                    .expect("none");
            }
            let mut holder = cluster.client("postgres", "app");
            let mut holder = holder.transaction().expect("begin");
            holder
                .query("SELECT hftok.save_credential('openai', $1, p_user_id => 'u 700')", &[&KEY])
                .expect("held");
            thread::scope(|scope| {
                let bulk = scope.spawn(|| cluster.client("postgres", "app").execute(upsert, &[&KEY]));
                waiting(&mut client, 1);
                let user = scope.spawn(|| cluster.client("postgres", "app").execute(way, &[&OTHER]));
                // A user's statement that can see no row yet changes none.
                thread::sleep(Duration::from_millis(300));
                holder.commit().expect("commit");
                assert_eq!(bulk.join().expect("ran").unwrap_or_else(|error| panic!("{way}: {error:?}")), 700);
                user.join().expect("ran").unwrap_or_else(|error| panic!("{way}: {error:?}"));
            });
            let faults: i64 = one(
                &mut client,
                "SELECT count(*) FROM hftok_private.secrets s FULL JOIN hftok_private.user_api_keys k ON k.id = s.id WHERE s.preview IS DISTINCT FROM k.api_key",
                &[],
            );
            assert_eq!(faults, 0, "{round} {way}");
        }
    }
}

/// The session that makes the first keys holds their table until its end.
#[test]
fn the_first_keys_are_made_before_any_owner_is_locked() {
    for way in [
        "SELECT hftok.save_credential('openai', $1, p_user_id => 'u 600')::text",
        "INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('u 600', 'openai', $1)",
        "SELECT hftok.create_integration_with_vault('n', 'openai', $1, p_user_id => 'u 600')",
    ] {
        let cluster = Cluster::start_default();
        let mut client = cluster.database("app");
        let mut holder = cluster.client("postgres", "app");
        let mut holder = holder.transaction().expect("begin");
        save(&mut holder, "first", 1, 1).expect("keys made");
        thread::scope(|scope| {
            let bulk = scope.spawn(|| save(&mut cluster.client("postgres", "app"), "u", 1, 601));
            waiting(&mut client, 1);
            let user = scope.spawn(|| cluster.client("postgres", "app").execute(way, &[&OTHER]));
            waiting(&mut client, 2);
            holder.commit().expect("commit");
            bulk.join().expect("ran").unwrap_or_else(|error| panic!("{way}: {error:?}"));
            // The bulk may have made the key that is to be inserted.
            let is_there = |code: &str| code == "23505" && way.starts_with("INSERT");
            if let Err(error) = user.join().expect("ran") {
                assert!(error.code().is_some_and(|code| is_there(code.code())), "{way}: {error:?}");
            }
        });
    }
}

#[test]
fn what_a_bulk_rolls_back_is_let_go_and_said_of_nothing() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let mut session = cluster.client("postgres", "app");
    let mut bulk = session.transaction().expect("begin");
    save(&mut bulk, "u", 1, 501).expect("one more than is held");
    for round in 0..3 {
        let mut part = bulk.transaction().expect("savepoint");
        save(&mut part, "u", 502, 510).expect("passed");
        if round == 1 {
            part.commit().expect("release");
        } else {
            part.rollback().expect("rollback");
        }
        save(&mut bulk, "u", 511 + round, 511 + round).expect("passed");
    }
    let locks: i64 = one(
        &mut client,
        "SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'hftok_private.secrets'::regclass",
        &[],
    );
    assert_eq!(locks, 501);
    client.batch_execute("SET statement_timeout = '1s'").expect("set");
    let mut forget = |user: &str| client.query("SELECT hftok.forget_user($1)", &[&user]);
    // Nothing was written for this one, and the bulk is past it; the last one it holds, as it does the first 500.
    forget("u 0").expect("another user");
    refused(forget("u 1"), "57014");
    refused(forget("u 513"), "57014");
    bulk.commit().expect("commit");
    forget("u 1").expect("free");
    forget("u 513").expect("free");
    // Several transactions in one message begin at one and the same time.
    let mut text = String::new();
    for _ in 0..2 {
        text += "BEGIN; SELECT hftok.forget_user('u ' || n) FROM generate_series(1, 510) n; COMMIT;";
    }
    session.batch_execute(&text).expect("twice");
    assert!(!cluster.log().contains("you don't own a lock"));
}
