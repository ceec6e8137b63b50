//! The index by which the walk finds rows is replaced while sessions read.

use std::time::{Duration, Instant};

use hftok_tests::answer::{column, one};
use hftok_tests::cluster::Cluster;
use hftok_tests::question::{SAVE, WALK, ask, run};
use hftok_tests::wait_until;

/// A session knows the index, waits for the table, and finds another index there.
#[test]
fn a_walk_that_waited_for_the_table_uses_the_index_that_is_there_then() {
    let cluster = Cluster::start_default();
    let mut owner = cluster.database("waiting");
    run(&mut owner, SAVE);
    // Never read, so that no shortcut leads to it past the index.
    run(&mut owner, "SELECT hftok.save_hf_token('{two}', p_user_id => 'bob')");
    // Built before: building one tells sessions at once.
    run(&mut owner, "CREATE UNIQUE INDEX another ON hftok_private.secrets (binding_key)");
    let mut reader = cluster.client("postgres", "waiting");
    assert_eq!(ask(&mut reader, WALK), "{one}");
    let process: i32 = one(&mut reader, "SELECT pg_backend_pid()", &[]);
    owner
        .batch_execute(
            "BEGIN; LOCK TABLE hftok_private.secrets IN ACCESS EXCLUSIVE MODE;
             ALTER TABLE hftok_private.secrets DROP CONSTRAINT secrets_binding_key_key;
             ALTER TABLE hftok_private.secrets ADD CONSTRAINT secrets_binding_key_key UNIQUE USING INDEX another",
        )
        .expect("another index");
    let waiting = std::thread::spawn(move || ask(&mut reader, "SELECT hftok.resolve_hf_token('bob')"));
    wait_until("it waits for the table", 20, || {
        let sql = format!("SELECT wait_event_type FROM pg_stat_activity WHERE pid = {process}");
        column::<Option<String>>(&mut owner, &sql) == [Some("Lock".into())]
    });
    owner.batch_execute("COMMIT").expect("replaced");
    assert_eq!(waiting.join().expect("no panic"), "{two}");
}

#[test]
fn an_index_is_replaced_beside_readers() {
    let cluster = Cluster::start_default();
    let mut owner = cluster.database("beside");
    run(&mut owner, SAVE);
    let end = Instant::now() + Duration::from_secs(4);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let mut reader = cluster.client("postgres", "beside");
            scope.spawn(move || {
                while Instant::now() < end {
                    assert_eq!(ask(&mut reader, WALK), "{one}");
                }
            });
        }
        while Instant::now() < end {
            owner.batch_execute("REINDEX TABLE CONCURRENTLY hftok_private.secrets").expect("REINDEX");
        }
    });
}
