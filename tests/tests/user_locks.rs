//! Writers of one user's credentials come one after the other; those of different users do not wait for each other, whatever
//! their names are, and a bulk leaves the server room for the locks of others.

use hftok_tests::answer::{one, refused};
use hftok_tests::cluster::Cluster;

#[test]
fn nobody_chooses_whose_lock_they_share() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let token = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH";
    client.query("SELECT hftok.save_hf_token($1, p_user_id => 'adda')", &[&token]).expect("first");
    let mut holder = cluster.client("postgres", "app");
    let mut holder = holder.transaction().expect("begin");
    holder.query("SELECT hftok.save_hf_token($1, p_user_id => 'role:u1')", &[&token]).expect("held");
    client.batch_execute("SET statement_timeout = '2s'").expect("set");
    // h * 31 + byte, modulo 1024, is the same for both.
    client
        .query("SELECT hftok.save_hf_token($1, p_user_id => 'adda')", &[&token])
        .expect("another user is served");
    client.query("SELECT * FROM hftok.forget_user('adda')", &[]).expect("another user is forgotten");
    refused(client.query("SELECT hftok.save_hf_token($1, p_user_id => 'role:u1')", &[&token]), "57014");
    refused(client.query("SELECT * FROM hftok.forget_user('role:u1')", &[]), "57014");
}

#[test]
fn a_bulk_takes_a_bounded_number_of_locks() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let mut bulk = cluster.client("postgres", "app");
    let mut bulk = bulk.transaction().expect("begin");
    bulk.query("SELECT hftok_private.lock_user('user ' || n) FROM generate_series(1, 20000) n", &[])
        .expect("no lock too many");
    let locks: i64 = one(
        &mut client,
        "SELECT count(DISTINCT (objid, objsubid)) FROM pg_locks WHERE locktype = 'object' AND classid = 'hftok_private.secrets'::regclass",
        &[],
    );
    assert!((100..=1600).contains(&locks), "{locks}");
    client.batch_execute("SET statement_timeout = '2s'").expect("set");
    // The first and the last of them are locked alike.
    for user in ["user 1", "user 20000"] {
        refused(client.query("SELECT hftok_private.lock_user($1)", &[&user]), "57014");
    }
    bulk.rollback().expect("rollback");
    client.query("SELECT hftok_private.lock_user('user 20000')", &[]).expect("free");
}
