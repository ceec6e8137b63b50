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
    bulk.query("SELECT hftok_private.lock_owner('user', 'user ' || n) FROM generate_series(1, 20000) n", &[])
        .expect("no lock too many");
    let locks: i64 = one(
        &mut client,
        "SELECT count(DISTINCT (objid, objsubid)) FROM pg_locks WHERE locktype = 'object' AND classid = 'hftok_private.secrets'::regclass",
        &[],
    );
    assert_eq!(locks, 501);
    client.batch_execute("SET statement_timeout = '2s'").expect("set");
    // It holds the first 500, and the last one until it comes to another.
    for user in ["user 1", "user 500", "user 20000"] {
        refused(client.query("SELECT hftok_private.lock_owner('user', $1)", &[&user]), "57014");
    }
    client.query("SELECT hftok_private.lock_owner('user', 'user 501')", &[]).expect("passed");
    // A bulk does not wait again for an owner that it has passed; for another one it does.
    let mut other = cluster.client("postgres", "app");
    let mut other = other.transaction().expect("begin");
    other
        .query("SELECT hftok_private.lock_owner('user', unnest('{user 501,another}'::text[]))", &[])
        .expect("free");
    bulk.batch_execute(
        "SET LOCAL statement_timeout = '2s'; SELECT hftok_private.lock_owner('user', 'user 501')",
    )
    .expect("passed");
    refused(bulk.query("SELECT hftok_private.lock_owner('user', 'another')", &[]), "57014");
    bulk.rollback().expect("rollback");
    client.query("SELECT hftok_private.lock_owner('user', 'user 20000')", &[]).expect("free");
}

/// Names of others are locked before it is found out that they are others'.
#[test]
fn nobody_comes_past_their_own_lock_by_what_fails() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client.batch_execute("CREATE ROLE alice LOGIN IN ROLE hftok_user").expect("a role");
    let mut session = cluster.client("alice", "app");
    let mut alice = session.transaction().expect("begin");
    let strangers = "DO $$ BEGIN
        FOR n IN 1..510 LOOP
            BEGIN
                PERFORM hftok.add_member('org ' || n, 'role:alice');
                RAISE 'a member of a strange organisation';
            EXCEPTION WHEN SQLSTATE 'PT404' THEN NULL;
            END;
            BEGIN
                INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('u ' || n, 'openai', 'sk-0123456789abcdef0123456789');
                RAISE 'a key of a stranger';
            EXCEPTION WHEN insufficient_privilege THEN NULL;
            END;
        END LOOP;
    END $$";
    alice.batch_execute(strangers).expect("all fail");
    let save = "SELECT hftok.save_credential('openai', 'sk-0123456789abcdef0123456789', p_model => $1)";
    for model in ["a", "b"] {
        alice.query(save, &[&model]).expect("saved");
    }
    // The user's own lock is held, and not until the next one.
    alice.batch_execute("SAVEPOINT it").expect("savepoint");
    refused(alice.query("SELECT hftok.add_member('another', 'role:alice')", &[]), "PT404");
    alice.batch_execute("ROLLBACK TO it").expect("rollback");
    client.batch_execute("SET statement_timeout = '1s'").expect("set");
    client.query("SELECT hftok_private.lock_owner('user', 'u 1')", &[]).expect("no longer held");
    refused(client.query("SELECT hftok_private.lock_owner('user', 'role:alice')", &[]), "57014");
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'hftok_private.secrets'::regclass";
    assert_eq!(one::<i64>(&mut client, held, &[]), 1);
}

#[test]
fn a_user_an_organisation_and_an_integration_of_one_name_are_told_apart() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let mut holder = cluster.client("postgres", "app");
    let mut holder = holder.transaction().expect("begin");
    let lock = "SELECT hftok_private.lock_owner($1, 'name')";
    holder.query(lock, &[&"user"]).expect("held");
    client.batch_execute("SET statement_timeout = '1s'").expect("set");
    client.query(lock, &[&"org"]).expect("an organisation");
    client.query(lock, &[&"global"]).expect("nobody's");
    // Credentials and integrations of a user are counted together, so they share one lock.
    refused(client.query(lock, &[&"integration"]), "57014");
}

#[test]
fn without_preload_nothing_is_saved_and_things_are_still_deleted() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let token = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH";
    for user in ["alice", "bob"] {
        client.query("SELECT hftok.save_hf_token($1, p_user_id => $2)", &[&token, &user]).expect("saved");
    }
    let integration = "SELECT hftok.create_integration_with_vault('n', 'openai', 'sk-0123456789abcdef0123456789', p_user_id => 'alice')";
    client.query(integration, &[]).expect("made");
    cluster.configure("shared_preload_libraries = ''");
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    let change = "SELECT hftok.update_integration_credentials(id, 'sk-9876543210fedcba9876543210', 'alice') FROM hftok.integrations";
    for sql in [
        "SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_user_id => 'alice')",
        integration,
        change,
    ] {
        let error = refused(client.query(sql, &[]), "53HF1");
        assert!(error.detail().is_some_and(|it| it.starts_with("hftok was not loaded")), "{error:?}");
    }
    let mut holder = cluster.client("postgres", "app");
    let mut holder = holder.transaction().expect("begin");
    holder.query("SELECT hftok_private.lock_owner('user', 'alice')", &[]).expect("held");
    let names = "SELECT DISTINCT objid::int8 FROM pg_locks WHERE locktype = 'object' AND classid = 'hftok_private.secrets'::regclass";
    assert_eq!(one::<i64>(&mut client, names, &[]), 0);
    holder.rollback().expect("rollback");
    client.query("SELECT hftok.forget_user('alice')", &[]).expect("forgotten");
}
