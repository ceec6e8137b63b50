//! Events in `audit_pending` that somebody forged, while others go on without a pause and while the server ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use hftok_tests::answer::{create, get, one, refused};
use hftok_tests::audit::{rows, settled, verified};
use hftok_tests::cluster::{Cluster, Stop};
use hftok_tests::wait_until;
use postgres::Client;

const REFUSED: &str = "kind = 'refusal' AND outcome = 'sealed'";

/// A change of a membership, without a protection.
const FORGED: &str = "INSERT INTO hftok_private.audit_pending (event)
    SELECT substr(int4send(length(s.shape)), 3) || s.shape
        || int8send((extract(epoch FROM clock_timestamp() - '2000-01-01') * 1000000)::bigint) || '\\x60'::bytea
        || '\\x08'::bytea || 'acme'::bytea || '\\x0b'::bytea || 'mallory'::bytea
    FROM (SELECT '\\x010201'::bytea
        || string_agg(coalesce(substr(int4send(length(f)), 3) || convert_to(f, 'UTF8'), '\\xffff'), ''::bytea ORDER BY n) AS shape
        FROM unnest(ARRAY['add_member', 'committed', 'org', NULL, 'owner', 'bob', 'bob', 'bob', NULL, NULL])
        WITH ORDINALITY AS t (f, n)) s";

#[test]
fn a_member_added_by_hand_is_found_while_somebody_goes_on_telling_of_them() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client
        .batch_execute(
            "SELECT hftok.add_member('acme', 'alice', 'owner');
             CREATE ROLE dba LOGIN BYPASSRLS IN ROLE pg_write_all_data, pg_read_all_data",
        )
        .expect("a member and a DBA");
    settled(&mut client);
    let mut dba = cluster.client("dba", "app");
    dba.batch_execute(
        "INSERT INTO hftok_private.members (org_id, user_id, role) VALUES ('acme', 'mallory', 'owner')",
    )
    .expect("the DBA may");
    let is_over = AtomicBool::new(false);
    scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                dba.batch_execute(FORGED).expect("the DBA may");
                sleep(Duration::from_millis(30));
            }
        });
        let mut flagged = 0;
        for _ in 0..20 {
            let found =
                "SELECT count(*) FROM hftok.verify() WHERE kind = 'member' AND id = 'mallory in acme'";
            flagged += one::<i64>(&mut client, found, &[]);
        }
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(flagged, 20, "found each time");
    });
    settled(&mut client);
    let forged = rows(&mut client, "action = 'add_member' AND actor_user = 'role:bob'");
    assert!(forged > 0 && forged == rows(&mut client, "NOT protected"), "{forged} are told as what they are");
    verified(&mut client);
}

fn refuse_while_sealed(client: &mut Client) {
    refused(get(client, "name"), "53HF1");
    wait_until("the refusal is on disk", 5, || {
        one::<i64>(client, "SELECT count(*) FROM hftok_private.audit_pending", &[]) > 0
    });
}

#[test]
fn what_was_put_down_while_sealed_is_protected_for_as_long_as_the_server_runs() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    create(&mut client, "name", "value");
    settled(&mut client);
    for (how, protected) in [(None, 1), (Some(Stop::Immediate), 1), (Some(Stop::Fast), 1)] {
        client.batch_execute("SELECT hftok.seal()").expect("seal");
        refuse_while_sealed(&mut client);
        if let Some(how) = how {
            cluster.stop(how);
            cluster.start();
            client = cluster.client("postgres", "app");
        }
        client.batch_execute("SELECT hftok.unseal()").expect("unseal");
        assert_eq!(get(&mut client, "name").expect("opens"), "value");
        settled(&mut client);
        assert_eq!(rows(&mut client, &format!("{REFUSED} AND protected")), protected, "{how:?}");
    }
    assert_eq!(
        rows(&mut client, &format!("{REFUSED} AND NOT protected")),
        2,
        "by a run that nobody knows any more"
    );
    let told: i64 = one(&mut client, "SELECT unprotected FROM hftok.verify_audit()", &[]);
    assert_eq!(told, rows(&mut client, "NOT protected"));
    verified(&mut client);
}

/// A process that is killed ends all others, and not the run.
#[test]
fn a_crash_of_a_session_leaves_what_was_put_down_protected() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    create(&mut client, "name", "value");
    settled(&mut client);
    client.batch_execute("SELECT hftok.seal()").expect("seal");
    refuse_while_sealed(&mut client);
    let victim: i32 = one(&mut client, "SELECT pg_backend_pid()", &[]);
    hftok_tests::cluster::signal(u32::try_from(victim).expect("a process"), "KILL");
    wait_until("the others are ended", 20, || cluster.log().contains("reinitializing"));
    wait_until("the server is back", 20, || cluster.connect("postgres", "app").is_ok());
    let mut client = cluster.client("postgres", "app");
    client.batch_execute("SELECT hftok.unseal()").expect("unseal");
    wait_until("the refusal is chained", 10, || rows(&mut client, REFUSED) == 1);
    assert_eq!(rows(&mut client, "NOT protected"), 0);
    verified(&mut client);
}
