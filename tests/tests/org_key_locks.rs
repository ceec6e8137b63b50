//! Whoever seals an organisation waits for no rotation, and giving keys and forgetting organisations hold nobody up for ever.

use hftok_tests::answer::{one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::wait_until;
use postgres::Client;

const RESOLVE: &str = "SELECT token FROM hftok.resolve_token('huggingface', p_org_id => 'acme')";
const TOKEN: &str = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH";

/// A database with three organisations, of which `acme` has a key of its own.
fn keyed(cluster: &Cluster) -> Client {
    let mut client = cluster.database("app");
    client
        .batch_execute(&format!(
            "SELECT hftok.save_hf_token('{TOKEN}', p_org_id => org) FROM unnest('{{acme,other,third}}'::text[]) org;
             SELECT hftok.give_org_key('acme')"
        ))
        .expect("organisations");
    client
}

/// A session that gives up where it would wait.
fn impatient(cluster: &Cluster) -> Client {
    let mut client = cluster.client("postgres", "app");
    client.batch_execute("SET lock_timeout = '3s'").expect("a limit");
    client
}

#[test]
fn an_open_rotation_of_the_installation_keeps_nobody_from_sealing_an_organisation() {
    let cluster = Cluster::start_default();
    let mut admin = keyed(&cluster);
    let mut open = admin.transaction().expect("begin");
    open.batch_execute("SELECT hftok.rotate_data_key()").expect("rotated");
    let mut owner = impatient(&cluster);
    owner.batch_execute("SELECT hftok.seal_org('acme')").expect("sealed, at once");
    refused(owner.query(RESOLVE, &[]), "PT422");
    owner.batch_execute("SELECT hftok.unseal_org('acme')").expect("unsealed, at once");
    open.commit().expect("commit");
    assert_eq!(one::<String>(&mut owner, RESOLVE, &[]), TOKEN);
}

/// The key that the rotation draws is one that whoever waits for it has not seen before.
#[test]
fn a_key_that_is_drawn_while_its_organisation_seals_is_sealed_too() {
    let cluster = Cluster::start_default();
    let mut admin = keyed(&cluster);
    for action in ["hftok.seal_org('acme')", "hftok.forget_org('acme')"] {
        admin.batch_execute("BEGIN; SELECT hftok.rotate_data_key('acme')").expect("rotated");
        std::thread::scope(|scope| {
            let mut owner = cluster.client("postgres", "app");
            let acting = scope.spawn(move || owner.batch_execute(&format!("SELECT {action}")));
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            wait_until("it waits", 10, || one::<i64>(&mut admin, waits, &[]) == 1);
            admin.batch_execute("COMMIT").expect("commit");
            acting.join().expect("a session").expect(action);
        });
        let usable = "SELECT EXISTS (SELECT FROM hftok_private.data_keys
            WHERE org_id = 'acme' AND state <> 'destroyed' AND shut_at IS NULL)";
        assert!(!one::<bool>(&mut admin, usable, &[]), "{action}");
        let _ = admin.batch_execute("SELECT hftok.unseal_org('acme')");
    }
}

#[test]
fn several_organisations_are_forgotten_beside_somebody_who_gives_one_of_them_a_key() {
    let cluster = Cluster::start_default();
    let mut operator = keyed(&cluster);
    let mut forgetting = operator.transaction().expect("begin");
    forgetting.batch_execute("SELECT hftok.forget_org('acme')").expect("forgotten");
    let mut other = impatient(&cluster);
    let mut giving = other.transaction().expect("begin");
    giving.batch_execute("SELECT hftok.give_org_key('other')").expect("given, at once");
    std::thread::scope(|scope| {
        let both = scope.spawn(move || {
            forgetting.batch_execute("SELECT hftok.forget_org('other')")?;
            forgetting.commit()
        });
        let mut admin = cluster.client("postgres", "app");
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        wait_until("it waits for the organisation", 10, || one::<i64>(&mut admin, waits, &[]) == 1);
        giving.commit().expect("given");
        both.join().expect("a session").expect("both are forgotten");
    });
    let mut admin = cluster.client("postgres", "app");
    let left = "SELECT count(*) FROM hftok_private.data_keys WHERE org_id > '' AND state <> 'destroyed'";
    assert_eq!(one::<i64>(&mut admin, left, &[]), 0);
}

/// Each gives keys to the same two, in another order.
#[test]
fn two_who_give_keys_to_the_same_organisations_take_turns() {
    let cluster = Cluster::start_default();
    let mut first = keyed(&cluster);
    let mut open = first.transaction().expect("begin");
    open.batch_execute("SELECT hftok.give_org_key('other')").expect("given");
    std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            let mut client = cluster.client("postgres", "app");
            client.batch_execute(
                "BEGIN; SELECT hftok.give_org_key('third'); SELECT hftok.give_org_key('other')",
            )
        });
        let mut admin = cluster.client("postgres", "app");
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        wait_until("it waits for its turn", 10, || one::<i64>(&mut admin, waits, &[]) == 1);
        open.batch_execute("SELECT hftok.give_org_key('third')").expect("no deadlock");
        open.commit().expect("commit");
        refused(second.join().expect("a session"), "23505");
    });
}
