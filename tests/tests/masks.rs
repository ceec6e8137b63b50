//! Masks go with their keys, also while somebody holds their rows.

use hftok_tests::answer::{column, one};
use hftok_tests::cluster::Cluster;
use hftok_tests::wait_until;
use postgres::Client;

fn masks(client: &mut Client) -> Vec<String> {
    column(client, "SELECT user_id || ' ' || api_key FROM hftok_private.user_api_keys")
}

fn faults(client: &mut Client) -> Vec<String> {
    column(client, "SELECT kind || ': ' || reason FROM hftok.verify() WHERE kind <> 'total'")
}

/// Two users of the database, each with a key of their own; one holds the row of their mask.
fn holding(cluster: &Cluster, database: &str, lock: &str) -> (Client, Client) {
    let mut owner = cluster.database(database);
    owner
        .batch_execute(
            "DO $$BEGIN CREATE ROLE u1 LOGIN IN ROLE hftok_user; EXCEPTION WHEN duplicate_object THEN NULL; END$$",
        )
        .expect("a user");
    let mut user = cluster.client("u1", database);
    let sql = "SELECT (hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH')).version";
    assert_eq!(one::<i32>(&mut user, sql, &[]), 1);
    owner.batch_execute(&format!("BEGIN; SELECT 1 FROM hftok_private.user_api_keys {lock}")).expect("held");
    (owner, user)
}

/// Runs a statement that has to wait for the holder, who then commits.
fn after_the_holder(cluster: &Cluster, database: &str, holder: &mut Client, sql: &'static str) {
    let mut waiting = cluster.client("postgres", database);
    let process: i32 = one(&mut waiting, "SELECT pg_backend_pid()", &[]);
    let waiter = std::thread::spawn(move || waiting.batch_execute(sql));
    wait_until("it waits for the row", 20, || {
        let sql = format!("SELECT coalesce(wait_event_type, '') FROM pg_stat_activity WHERE pid = {process}");
        column::<String>(holder, &sql) == ["Lock"]
    });
    holder.batch_execute("COMMIT").expect("let go");
    waiter.join().expect("no panic").expect(sql);
}

#[test]
fn nothing_is_left_of_a_user_who_is_forgotten() {
    let cluster = Cluster::start_default();
    let (mut holder, _user) = holding(&cluster, "forgotten", "FOR KEY SHARE");
    after_the_holder(&cluster, "forgotten", &mut holder, "SELECT hftok.forget_user('role:u1')");
    assert_eq!(masks(&mut holder), Vec::<String>::new());
    assert_eq!(faults(&mut holder), Vec::<String>::new());
}

#[test]
fn a_mask_is_that_of_the_key_that_is_stored() {
    let cluster = Cluster::start_default();
    let (mut holder, mut user) = holding(&cluster, "replaced", "FOR UPDATE");
    let sql = "SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCD9999', p_user_id => 'role:u1')";
    after_the_holder(&cluster, "replaced", &mut holder, sql);
    assert_eq!(masks(&mut holder), ["role:u1 hf_•••••••••••••9999"]);
    assert_eq!(faults(&mut holder), Vec::<String>::new());
    // Deleted by the user themselves.
    holder.batch_execute("BEGIN; SELECT 1 FROM hftok_private.user_api_keys FOR SHARE").expect("held");
    let sql = "SELECT hftok.delete_credential('huggingface', p_user_id => 'role:u1')";
    after_the_holder(&cluster, "replaced", &mut holder, sql);
    assert_eq!(masks(&mut holder), Vec::<String>::new());
    assert_eq!(one::<i64>(&mut user, "SELECT count(*) FROM hftok.user_api_keys", &[]), 0);
}

/// One that was left by an older state of the tables is forgotten too.
#[test]
fn a_mask_without_a_key_is_named_and_forgotten() {
    let cluster = Cluster::start_default();
    let mut owner = cluster.database("ghost");
    owner
        .batch_execute(
            "SET session_replication_role = replica;
             INSERT INTO hftok_private.user_api_keys (user_id, service, api_key) VALUES ('ghost', 'groq', '•');
             RESET session_replication_role",
        )
        .expect("a ghost");
    assert_eq!(faults(&mut owner), ["mask: there is no key that it stands for"]);
    owner.batch_execute("SELECT hftok.forget_user('ghost')").expect("forget_user");
    assert_eq!(faults(&mut owner), Vec::<String>::new());
}
