//! An organisation's own data key: what other sessions, standbys and processes know of it once it is shut or destroyed.

use hftok_tests::answer::{one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

const RESOLVE: &str = "SELECT token FROM hftok.resolve_token('huggingface', p_org_id => 'acme')";
const TOKEN: &str = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH";

/// A database with two organisations, of which the first has a key of its own.
fn keyed(cluster: &Cluster) -> Client {
    let mut client = cluster.database("app");
    client
        .batch_execute(&format!(
            "SELECT hftok.save_hf_token('{TOKEN}', p_org_id => org) FROM unnest('{{acme,other}}'::text[]) org;
             SELECT hftok.give_org_key('acme')"
        ))
        .expect("organisations");
    client
}

fn token(client: &mut Client) -> String {
    one(client, RESOLVE, &[])
}

/// The outcome of a walk that is stopped.
fn outcome(client: &mut Client) -> String {
    let detail = refused(client.query(RESOLVE, &[]), "PT422").detail().expect("a detail").to_owned();
    ["sealed", "decrypt_failed"].into_iter().find(|word| detail.contains(word)).unwrap_or_default().to_owned()
}

/// The data keys that the server keeps unwrapped.
fn kept(client: &mut Client) -> i32 {
    one(client, "SELECT (hftok_private.keyring_state()::jsonb ->> 'data_keys_kept')::int", &[])
}

#[test]
fn a_key_that_is_shut_serves_nobody_from_the_next_call_on() {
    let primary = Cluster::start_default();
    let mut owner = keyed(&primary);
    let standby = Setup::standby_of(&primary);
    let mut reader = standby.client("postgres", "app");
    let mut session = primary.client("postgres", "app");
    let mut old = primary.client("postgres", "app");
    let mut old = old
        .build_transaction()
        .isolation_level(postgres::IsolationLevel::RepeatableRead)
        .start()
        .expect("a snapshot");
    assert_eq!(old.query_one(RESOLVE, &[]).expect("a token").get::<_, String>(0), TOKEN);
    wait_until("the standby has the token", 20, || reader.query_one(RESOLVE, &[]).is_ok());
    assert_eq!(token(&mut session), TOKEN);
    let before = kept(&mut owner);

    // As long as nobody has committed it, nothing is shut, and nothing is once it is rolled back.
    owner.batch_execute("BEGIN; SELECT hftok.seal_org('acme')").expect("sealed");
    assert_eq!(outcome(&mut owner), "sealed");
    owner.batch_execute("ROLLBACK").expect("rolled back");
    assert_eq!((token(&mut session), token(&mut owner)), (TOKEN.to_owned(), TOKEN.to_owned()));

    owner.batch_execute("SELECT hftok.seal_org('acme')").expect("sealed");
    assert_eq!(kept(&mut owner), before - 1, "wiped by the commit, whoever comes next");
    assert_eq!(outcome(&mut session), "sealed");
    assert!(old.query_one(RESOLVE, &[]).is_err(), "also in a transaction that began before");
    drop(old);
    wait_until("the standby knows of it", 20, || reader.query_one(RESOLVE, &[]).is_err());
    assert_eq!(outcome(&mut reader), "sealed");
    let save = format!("SELECT hftok.save_hf_token('{TOKEN}', p_org_id => 'acme')");
    refused(session.query(&save, &[]), "53HF1");

    // Nobody else is touched, and a restart does not open it.
    let other = "SELECT token FROM hftok.resolve_token('huggingface', p_org_id => 'other')";
    assert_eq!(one::<String>(&mut session, other, &[]), TOKEN);
    primary.restart();
    let mut session = primary.client("postgres", "app");
    assert_eq!(outcome(&mut session), "sealed");
    session.batch_execute("SELECT hftok.unseal_org('acme')").expect("unsealed");
    assert_eq!(token(&mut session), TOKEN);
    session.batch_execute(&save).expect("saved");
}

#[test]
fn what_is_left_of_an_organisation_that_is_forgotten_opens_nowhere() {
    let primary = Cluster::start_default();
    let mut operator = keyed(&primary);
    let standby = Setup::standby_of(&primary);
    let mut reader = standby.client("postgres", "app");
    wait_until("the standby has the token", 20, || reader.query_one(RESOLVE, &[]).is_ok());
    let mut session = primary.client("postgres", "app");
    assert_eq!(token(&mut session), TOKEN);
    operator
        .batch_execute(
            "CREATE TABLE public.kept AS SELECT * FROM hftok_private.secrets WHERE scope_id = 'acme'",
        )
        .expect("a copy");
    let before = kept(&mut operator);
    operator.batch_execute("SELECT * FROM hftok.forget_org('acme')").expect("forgotten");
    assert_eq!(kept(&mut operator), before - 1);
    operator.batch_execute("INSERT INTO hftok_private.secrets SELECT * FROM public.kept").expect("put back");
    assert_eq!(outcome(&mut session), "decrypt_failed");
    let is_back = "SELECT count(*) FROM hftok_private.secrets WHERE scope_id = 'acme'";
    wait_until("the standby has it again", 20, || one::<i64>(&mut reader, is_back, &[]) == 1);
    assert_eq!(outcome(&mut reader), "decrypt_failed");
}

/// Every organisation has a key, and no key is kept: a first read is one look at the table and one unwrapping.
#[test]
fn many_organisations_do_not_push_the_installations_keys_out() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client
        .batch_execute(&format!(
            "SELECT hftok.put_secret('named', 'value');
             SELECT hftok.save_hf_token('{TOKEN}', p_org_id => 'org' || n), hftok.give_org_key('org' || n) FROM generate_series(1, 600) n"
        ))
        .expect("organisations");
    let read = "SELECT count(hftok.resolve_hf_token(p_org_id => 'org' || n)) FROM generate_series(1, 600) n";
    assert_eq!(one::<i64>(&mut client, read, &[]), 600);
    assert!(kept(&mut client) > 200, "as many as there is room for");
    // The only look at a key's row is that of unwrapping it.
    let looks = "SELECT seq_scan + idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'data_keys'";
    let before: i64 = one(&mut client, looks, &[]);
    client.query("SELECT hftok.get_secret('named')", &[]).expect("a value");
    assert_eq!(one::<i64>(&mut client, looks, &[]), before, "the installation's key is kept");
}
