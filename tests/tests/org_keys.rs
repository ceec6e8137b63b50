//! An organisation's own data key: what other sessions, standbys and processes know of it once it is shut or destroyed.

use hftok_tests::answer::{adopt, one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::copies::copied;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::{Setup, run};
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
    // Before the standby hears of anything it has the row as well.
    let is_back = "SELECT count(*) FROM hftok_private.secrets s, hftok_private.data_keys k
        WHERE s.scope_id = 'acme' AND k.org_id = 'acme' AND k.state = 'destroyed'";
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
    // Between two transactions what was counted may leave this view.
    let mut transaction = client.transaction().expect("begin");
    let before: i64 = one(&mut transaction, looks, &[]);
    transaction.query("SELECT hftok.get_secret('named')", &[]).expect("a value");
    assert_eq!(one::<i64>(&mut transaction, looks, &[]), before, "the installation's key is kept");
}

/// A backup from before holds the key, wrapped: a root key that wrapped it then still opens it, and nothing else does.
#[test]
fn a_backup_from_before_opens_as_long_as_its_root_key_is_there() {
    let keys = [RootKey::random(1), RootKey::random(2)];
    let cluster = Setup::default().keys(&keys[..1]).start();
    let mut client = keyed(&cluster);
    let dump = cluster.folder().join("before.sql");
    run(cluster.client_program("pg_dump", "postgres", "app").arg("--file").arg(&dump));
    let opens_with = "SELECT destroyed_keys_open_with FROM hftok.status()";
    assert_eq!(one::<Option<i32>>(&mut client, opens_with, &[]), None);
    client.batch_execute("SELECT * FROM hftok.forget_org('acme')").expect("forgotten");
    assert_eq!(one::<Option<i32>>(&mut client, opens_with, &[]), Some(1), "the backup's root key is there");
    let restore = |name: &str| {
        let client = cluster.empty_database(name);
        cluster.psql(name, &["--single-transaction", "--file", dump.to_str().expect("a path")]);
        client
    };
    let mut copy = restore("opens");
    adopt(&mut copy);
    assert_eq!(token(&mut copy), TOKEN, "said plainly in docs/keys.md");
    copy.batch_execute("SELECT * FROM hftok.forget_org('acme')").expect("forgotten there too");

    cluster.write_keyring(&keys);
    for client in [&mut copy, &mut client] {
        client
            .batch_execute("SELECT hftok.unseal(); SELECT hftok.rotate_root_key()")
            .expect("another root key");
    }
    cluster.write_keyring(&keys[1..]);
    client.batch_execute("SELECT hftok.unseal()").expect("the former root key is gone");
    assert_eq!(one::<Option<i32>>(&mut client, opens_with, &[]), None, "no root key opens it any more");
    let mut copy = restore("shut");
    refused(copy.batch_execute("SELECT hftok.adopt_database()"), "53HF1");
    refused(copy.query(RESOLVE, &[]), "53HF1");
}

#[test]
fn a_copy_keeps_sealed_what_its_organisation_has_sealed() {
    let cluster = Cluster::start_default();
    let mut client = keyed(&cluster);
    client.batch_execute("SELECT hftok.seal_org('acme')").expect("sealed");
    drop(client);
    let mut copy = copied(&cluster, "app", "copy");
    adopt(&mut copy);
    let save = format!("SELECT hftok.save_hf_token('{TOKEN}', p_org_id => 'acme')");
    refused(copy.query(&save, &[]), "53HF1");
    assert_eq!(outcome(&mut copy), "sealed");
    copy.batch_execute("SELECT hftok.unseal_org('acme')").expect("unsealed");
    assert_eq!(token(&mut copy), TOKEN);
    copy.batch_execute(&save).expect("saved");
}

/// A rotation of its key that is still under way ends with the organisation.
#[test]
fn an_organisation_is_forgotten_while_its_key_is_rotated() {
    let cluster = Cluster::start_default();
    let mut client = keyed(&cluster);
    let mut saver = cluster.client("postgres", "app");
    let mut open = saver.transaction().expect("begin");
    // The former key may be destroyed only when this transaction is over.
    open.batch_execute(
        "SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_org_id => 'other')",
    )
    .expect("saved");
    client.batch_execute("SELECT hftok.rotate_data_key('acme')").expect("rotated");
    assert_eq!(token(&mut client), TOKEN);
    client.batch_execute("SELECT * FROM hftok.forget_org('acme')").expect("forgotten");
    let left = "SELECT count(*) FROM hftok.rotation_progress WHERE finished_at IS NULL";
    // The resealer may be about to say how much there is to do.
    wait_until("nothing of it is left", 10, || one::<i64>(&mut client, left, &[]) == 0);
    let kept = "SELECT count(*) FROM hftok_private.data_keys WHERE org_id = 'acme' AND state <> 'destroyed'";
    assert_eq!(one::<i64>(&mut client, kept, &[]), 0, "the retired one is destroyed too");
    open.commit().expect("commit");
    assert_eq!(one::<i64>(&mut client, "SELECT failed FROM hftok.verify() WHERE kind = 'total'", &[]), 0);
}
