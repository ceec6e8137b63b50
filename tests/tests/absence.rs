//! A key that is not there is proved absent by the leaf of the index where it would be, without a way through the index. A proof
//! never outlives the absence, whatever happens to rows, pages and files.
//!
//! `hftok.check_absence`, which is on in all tests, has each proof followed by a look into the index: one that was wrong is XX000.
//! Here it is off as well, so that proofs are what answers.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hftok_tests::answer::one;
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::{Setup, run};
use hftok_tests::wait_until;
use postgres::{Client, GenericClient};

const TOKEN: &str = "hf_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn save(client: &mut impl GenericClient, user: &str) {
    client.execute("SELECT hftok.save_hf_token($1, p_user_id => $2)", &[&TOKEN, &user]).expect("saved");
}

fn delete(client: &mut impl GenericClient, user: &str) {
    let sql = "SELECT hftok.delete_credential('huggingface', p_user_id => $1)";
    client.execute(sql, &[&user]).expect("deleted");
}

fn is_there(client: &mut impl GenericClient, user: &str) -> bool {
    let sql = "SELECT hftok.resolve_hf_token($1, p_levels => '{user}') IS NOT NULL";
    one(client, sql, &[&user])
}

/// Several looks: the second one makes the proof. Entries of rows that are gone have to be marked before.
#[track_caller]
fn assert_absent(readers: &mut [Client], user: &str) {
    for _ in 0..4 {
        for reader in &mut *readers {
            assert!(!is_there(reader, user), "{user}");
        }
    }
}

#[track_caller]
fn assert_there(readers: &mut [Client], user: &str) {
    for reader in readers {
        assert!(is_there(reader, user), "{user}");
    }
}

/// Two sessions that believe proofs, and one that checks them.
fn readers(cluster: &Cluster) -> [Client; 3] {
    [false, false, true].map(|is_checked| {
        let mut reader = cluster.client("postgres", "app");
        reader.batch_execute(&format!("SET hftok.check_absence = {is_checked}")).expect("SET");
        reader
    })
}

/// The scans of the index that so many looks of a session make.
fn scans(client: &mut Client, user: &str, looks: usize) -> i64 {
    let sql = "SELECT pg_stat_get_xact_numscans('hftok_private.secrets_binding_key_key'::regclass)";
    let mut transaction = client.transaction().expect("BEGIN");
    let before: i64 = one(&mut transaction, sql, &[]);
    for _ in 0..looks {
        is_there(&mut transaction, user);
    }
    one::<i64>(&mut transaction, sql, &[]) - before
}

#[test]
fn the_third_look_does_without_the_index_until_somebody_writes_nearby() {
    let cluster = Cluster::start_default();
    let mut admin = cluster.database("app");
    let [mut reader, mut other, _] = readers(&cluster);
    save(&mut admin, "alice");
    assert!(scans(&mut reader, "bob", 2) == 2);
    // Whoever made the proof. One look of 256 goes by way of the index all the same.
    for client in [&mut reader, &mut other] {
        let scans = scans(client, "bob", 100);
        assert!(scans <= 1, "{scans} looks into the index");
    }
    save(&mut admin, "carol");
    assert!(scans(&mut reader, "bob", 1) == 1);
    assert!(scans(&mut reader, "bob", 100) <= 3);
    // A serializable transaction leaves a mark of what it did not find.
    let mut transaction = reader
        .build_transaction()
        .isolation_level(postgres::IsolationLevel::Serializable)
        .start()
        .expect("BEGIN");
    assert!(!is_there(&mut transaction, "bob"));
    let marks = "SELECT count(*) FROM pg_locks WHERE mode = 'SIReadLock' AND pid = pg_backend_pid()
        AND relation = 'hftok_private.secrets_binding_key_key'::regclass";
    assert!(one::<i64>(&mut transaction, marks, &[]) > 0);
}

#[test]
fn a_saved_credential_is_found_at_once_and_a_deleted_one_is_not() {
    let cluster = Cluster::start_default();
    let mut admin = cluster.database("app");
    let mut readers = readers(&cluster);
    save(&mut admin, "alice");
    for _ in 0..3 {
        assert_absent(&mut readers, "bob");
        save(&mut admin, "bob");
        assert_there(&mut readers, "bob");
        delete(&mut admin, "bob");
        assert_absent(&mut readers, "bob");
        admin.batch_execute("VACUUM hftok_private.secrets").expect("VACUUM");
        assert_absent(&mut readers, "bob");
    }
}

#[test]
fn a_transaction_sees_its_own_rows_and_others_see_them_once_it_is_committed() {
    let cluster = Cluster::start_default();
    let mut admin = cluster.database("app");
    let mut readers = readers(&cluster);
    save(&mut admin, "alice");
    for is_kept in [true, false] {
        let user = format!("user {is_kept}");
        assert_absent(&mut readers, &user);
        let mut transaction = readers[0].transaction().expect("BEGIN");
        assert!(!is_there(&mut transaction, &user));
        transaction.batch_execute("SAVEPOINT part").expect("SAVEPOINT");
        save(&mut transaction, &user);
        assert!(is_there(&mut transaction, &user));
        transaction.batch_execute("ROLLBACK TO part").expect("ROLLBACK TO");
        for _ in 0..4 {
            assert!(!is_there(&mut transaction, &user));
        }
        save(&mut transaction, &user);
        // The entry is there, and the row is not seen yet. Nobody has left a shortcut to it.
        let mut others = [cluster.client("postgres", "app"), cluster.client("postgres", "app")];
        others[0].batch_execute("SET hftok.check_absence = off").expect("SET");
        assert_absent(&mut others, &user);
        if is_kept {
            transaction.commit().expect("COMMIT");
        } else {
            transaction.rollback().expect("ROLLBACK");
            assert_absent(&mut others, &user);
            save(&mut admin, &user);
        }
        assert_there(&mut others, &user);
        assert_there(&mut readers, &user);
    }
}

/// In one transaction, so that with `wal_level = minimal` its files are not logged.
const REPLACED_WITHIN: [&str; 3] = [
    "REINDEX INDEX hftok_private.secrets_binding_key_key",
    "CLUSTER hftok_private.secrets USING secrets_pkey",
    "CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM hftok_private.secrets;
     TRUNCATE hftok_private.secrets CASCADE; INSERT INTO hftok_private.secrets SELECT * FROM kept",
];

fn files_are_replaced(cluster: &Cluster) {
    let mut admin = cluster.database("app");
    let mut readers = readers(cluster);
    for number in 0..500 {
        save(&mut admin, &format!("user {number}"));
    }
    let mut number = 0;
    let mut absent = || {
        number += 1;
        format!("absent {number}")
    };
    for sql in [
        "REINDEX TABLE hftok_private.secrets",
        "REINDEX TABLE CONCURRENTLY hftok_private.secrets",
        "VACUUM FULL hftok_private.secrets",
        "VACUUM hftok_private.secrets",
    ]
    .into_iter()
    .chain(REPLACED_WITHIN.into_iter().filter(|sql| !sql.contains(';')))
    {
        let users = [absent(), absent()];
        users.iter().for_each(|user| assert_absent(&mut readers, user));
        admin.batch_execute(sql).expect(sql);
        save(&mut admin, &users[0]);
        assert_there(&mut readers, &users[0]);
        assert_absent(&mut readers, &users[1]);
        save(&mut admin, &users[1]);
        assert_there(&mut readers, &users[1]);
    }
    for sql in REPLACED_WITHIN {
        for is_kept in [false, true] {
            let user = absent();
            assert_absent(&mut readers, &user);
            let mut transaction = readers[0].transaction().expect("BEGIN");
            transaction.batch_execute(sql).expect(sql);
            for _ in 0..4 {
                assert!(!is_there(&mut transaction, &user));
            }
            save(&mut transaction, &user);
            assert!(is_there(&mut transaction, &user));
            if is_kept {
                transaction.commit().expect("COMMIT");
            } else {
                transaction.rollback().expect("ROLLBACK");
                assert_absent(&mut readers, &user);
                save(&mut admin, &user);
            }
            assert_there(&mut readers, &user);
        }
    }
}

#[test]
fn tables_and_indexes_get_other_files() {
    files_are_replaced(&Cluster::start_default());
}

#[test]
fn files_that_are_not_logged() {
    let cluster = Setup::default().setting("wal_level = minimal").setting("max_wal_senders = 0").start();
    files_are_replaced(&cluster);
    let [mut reader, ..] = readers(&cluster);
    assert!(!is_there(&mut reader, "nobody"));
    assert!(scans(&mut reader, "nobody", 10) >= 10);
}

/// Each save splits leaves now and then under the proofs of others, and is made while somebody makes a proof of its key.
#[test]
fn a_look_that_begins_after_a_save_was_answered_finds_it() {
    let cluster = Cluster::start_default();
    let mut admin = cluster.database("app");
    save(&mut admin, "alice");
    hftok_tests::race::race(&cluster, "app", 2, |session, writer| {
        let mut readers = [cluster.client("postgres", "app"), cluster.client("postgres", "app")];
        readers[0].batch_execute("SET hftok.check_absence = off").expect("SET");
        let name = |number: usize| format!("user {number} of {session}");
        let saved = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let mut other = cluster.client("postgres", "app");
            other.batch_execute("SET hftok.check_absence = off").expect("SET");
            scope.spawn(|| {
                let mut other = other;
                // Not longer, because it is waited for where the test fails.
                let end = Instant::now() + Duration::from_secs(60);
                while saved.load(Relaxed) < 1000 && Instant::now() < end {
                    is_there(&mut other, &name(saved.load(Relaxed)));
                }
            });
            for number in 0..1000 {
                let user = name(number);
                assert_absent(&mut readers, &user);
                save(writer, &user);
                assert_there(&mut readers, &user);
                saved.store(number + 1, Relaxed);
            }
        });
    });
}

/// So many versions of one row, all kept by somebody who could still see them, have entries in several leaves. Once all are
/// marked as dead, a search passes over them; the row that the next entry leads to decides into which leaf it goes.
#[test]
fn a_key_whose_entries_may_lie_in_several_leaves() {
    let cluster = Setup::default().setting("autovacuum = off").start();
    let mut admin = cluster.database("app");
    let mut readers = readers(&cluster);
    save(&mut admin, "alice");
    save(&mut admin, "bob");
    let mut former = cluster.client("postgres", "app");
    former
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM hftok_private.secrets")
        .expect("BEGIN");
    // The fingerprint has an index, so that each version gets an entry in all of them.
    admin
        .batch_execute(
            "DO $$ BEGIN FOR n IN 1..4000 LOOP
                 UPDATE hftok_private.secrets SET fingerprint = sha256(n::text::bytea) WHERE scope_id = 'bob';
             END LOOP; END $$",
        )
        .expect("versions");
    delete(&mut admin, "bob");
    former.batch_execute("COMMIT").expect("COMMIT");
    assert_absent(&mut readers, "bob");
    save(&mut admin, "bob");
    assert_there(&mut readers, "bob");
    delete(&mut admin, "bob");
    admin.batch_execute("VACUUM hftok_private.secrets").expect("VACUUM");
    assert_absent(&mut readers, "bob");
}

#[test]
fn two_databases_have_the_same_users() {
    let cluster = Cluster::start_default();
    let mut databases = [cluster.database("one"), cluster.database("two")];
    for client in &mut databases {
        client.batch_execute("SET hftok.check_absence = off").expect("SET");
        save(client, "alice");
    }
    assert_absent(&mut databases, "bob");
    save(&mut databases[0], "bob");
    assert!(is_there(&mut databases[0], "bob"));
    assert_absent(&mut databases[1..], "bob");
    // A copy has files of the same numbers, pages of the same LSNs, and rows of the same keys.
    drop(databases);
    cluster
        .client("postgres", "postgres")
        .batch_execute("CREATE DATABASE app TEMPLATE two STRATEGY file_copy")
        .expect("a copy");
    let mut copy = readers(&cluster);
    copy[0].batch_execute("SELECT hftok.adopt_database()").expect("adopted");
    save(&mut copy[0], "bob");
    assert_there(&mut copy, "bob");
    assert_absent(&mut [cluster.client("postgres", "two")], "bob");
}

#[test]
fn a_standby_proves_what_it_has_replayed_and_goes_on_when_it_is_promoted() {
    let primary = Cluster::start_default();
    let mut admin = primary.database("app");
    save(&mut admin, "alice");
    let standby = Setup::standby_of(&primary);
    let mut readers = readers(&standby);
    assert_absent(&mut readers, "bob");
    assert!(scans(&mut readers[0], "bob", 100) <= 4);
    for number in 0..300 {
        let user = format!("user {number}");
        assert_absent(&mut readers[..1], &user);
        save(&mut admin, &user);
    }
    save(&mut admin, "bob");
    wait_until("it is replayed", 20, || is_there(&mut readers[0], "bob"));
    for number in 0..300 {
        assert_there(&mut readers, &format!("user {number}"));
    }
    delete(&mut admin, "bob");
    wait_until("it is replayed", 20, || !is_there(&mut readers[0], "bob"));
    assert_absent(&mut readers, "bob");
    assert_absent(&mut readers, "carol");
    run(standby.program("pg_ctl").args(["promote", "-w", "-D"]).arg(standby.data()));
    let mut writer = standby.client("postgres", "app");
    wait_until("it is promoted", 20, || !one::<bool>(&mut writer, "SELECT pg_is_in_recovery()", &[]));
    for user in ["bob", "carol"] {
        assert_absent(&mut readers, user);
        save(&mut writer, user);
        assert_there(&mut readers, user);
    }
}

/// LSNs come again that a crash has lost.
#[test]
fn proofs_end_with_the_run_of_the_server() {
    // So few buffers that the leaf comes to lie in each of them: a proof is looked up in one only.
    let cluster = Setup::default().setting("shared_buffers = 256kB").start();
    let mut admin = cluster.database("app");
    save(&mut admin, "alice");
    let users: Vec<String> = (0..300).map(|number| format!("absent {number}")).collect();
    let [mut reader, ..] = readers(&cluster);
    for user in users.iter().chain(&users) {
        assert!(!is_there(&mut reader, user));
    }
    assert!(users.iter().any(|user| scans(&mut reader, user, 1) == 0));
    let process = one::<i32>(&mut reader, "SELECT pg_backend_pid()", &[]).cast_unsigned();
    cluster.kill_process(process);
    let [mut reader, ..] = readers(&cluster);
    reader.batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off").expect("SET");
    for (number, two) in users.chunks(2).enumerate() {
        // By an index, which takes all buffers, and each time stops at another. Then the first look reads the leaf again.
        let others = format!("SELECT count(prosrc) FROM pg_proc WHERE oid > {}", number * 10);
        reader.query(&others, &[]).expect("other pages");
        for user in two {
            assert!(scans(&mut reader, user, 1) > 0, "{user}");
        }
    }
}
