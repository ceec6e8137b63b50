//! Much at a time: refusals in a loop, and a long chain.

use std::time::Instant;

use hftok_tests::answer::{get, one, refused};
use hftok_tests::audit::{count, global_token, resolve, rows, settled, verified};
use hftok_tests::cluster::Cluster;
use hftok_tests::wait_until;

const ATTEMPTS: i64 = 4000;

/// By somebody who tries names, or is not allowed to.
#[test]
fn a_loop_of_refusals_is_counted_and_floods_nothing() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    global_token(&mut client);
    client
        .batch_execute("CREATE ROLE nobody LOGIN; GRANT USAGE ON SCHEMA hftok TO nobody; CREATE ROLE backend LOGIN IN ROLE hftok_service")
        .expect("roles");
    for (role, outcome, code) in [("backend", "not_found", "PT404"), ("nobody", "not_allowed", "42501")] {
        let mut session = cluster.client(role, "app");
        for _ in 0..ATTEMPTS {
            refused(get(&mut session, "no such name"), code);
        }
        settled(&mut client);
        let told = format!("kind = 'refusal' AND login_role = '{role}' AND outcome = '{outcome}'");
        assert_eq!(count(&mut client, &told), ATTEMPTS, "{role}");
        // One a round of the writer, of which there are ten a second.
        assert!(rows(&mut client, &told) < ATTEMPTS / 10, "{} rows of {role}", rows(&mut client, &told));
        // Others were not held up, and are told.
        resolve(&mut client, role).expect("resolves");
    }
    settled(&mut client);
    assert_eq!(count(&mut client, "action = 'audit_queue'"), 0, "nothing was left out");
    assert_eq!(count(&mut client, "kind = 'reveal'"), 2);
    verified(&mut client);
}

/// Twenty thousand events, or, where HFTOK_ROUNDS is set, a million: how long that took is printed.
#[test]
fn a_long_chain_verifies() {
    let events = if std::env::var_os("HFTOK_ROUNDS").is_some() { 1_000_000 } else { 20_000 };
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    global_token(&mut client);
    // An event as hftok makes it waits in its table while hftok is sealed, and can be put there as often as is wanted.
    client.batch_execute("SELECT hftok.seal()").expect("seal");
    refused(resolve(&mut client, "alice"), "53HF1");
    wait_until("an event waits", 10, || {
        one::<i64>(&mut client, "SELECT count(*) FROM hftok_private.audit_pending", &[]) > 0
    });
    let copy = format!(
        "INSERT INTO hftok_private.audit_pending (event)
         SELECT p.event FROM (SELECT event FROM hftok_private.audit_pending LIMIT 1) p, generate_series(1, {events});
         ANALYZE hftok_private.audit_pending"
    );
    client.batch_execute(&copy).expect("events");
    let begin = Instant::now();
    client.batch_execute("SELECT hftok.unseal()").expect("unseal");
    wait_until("all of them are chained", 600, || {
        one::<bool>(&mut client, "SELECT NOT EXISTS (SELECT FROM hftok_private.audit_pending)", &[])
    });
    println!("{events} events were chained in {:?}", begin.elapsed());
    let begin = Instant::now();
    assert!(verified(&mut client) > events);
    println!("and verified in {:?}", begin.elapsed());
    // Copies are what somebody else put there, and are told as such.
    assert_eq!(count(&mut client, "NOT protected"), events);
}
