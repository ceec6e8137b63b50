//! A hot standby with the same keyring.

use hftok_tests::answer::{create, get, one, put, refused, sealed_reason};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;
use postgres::error::SqlState;

#[test]
fn a_standby_reads_and_does_not_write() {
    let primary = Cluster::start_default();
    let mut writer = primary.database("app");
    let id = create(&mut writer, "name", "before");
    let others = "SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGI', p_user_id => 'alice');
        SELECT hftok.add_member('acme', 'alice', 'owner')";
    writer.batch_execute(others).expect("a user and an organisation");
    let standby = Setup::standby_of(&primary);

    let mut reader = standby.client("postgres", "app");
    assert!(one::<bool>(&mut reader, "SELECT pg_is_in_recovery()", &[]));
    // This waits while the keyring is loaded; status() does not.
    assert_eq!(get(&mut reader, "name").expect("opens on the standby"), "before");
    assert_eq!(sealed_reason(&mut reader), (false, None));

    put(&mut writer, "name", "after");
    wait_until("the new value is on the standby", 20, || {
        get(&mut reader, "name").expect("opens on the standby") == "after"
    });
    assert_eq!(one::<String>(&mut reader, "SELECT hftok.get_secret('name', 1)", &[]), "before");
    assert_eq!(
        one::<String>(&mut reader, "SELECT decrypted_secret FROM hftok.decrypted_secrets", &[]),
        "after"
    );
    assert_eq!(one::<i64>(&mut reader, "SELECT secrets FROM hftok.status()", &[]), 2);
    assert_eq!(one::<Option<i64>>(&mut reader, "SELECT failed FROM hftok.verify()", &[]), Some(0));
    assert_eq!(one::<uuid::Uuid>(&mut reader, "SELECT secret_id FROM hftok.find_secret('after')", &[]), id);
    // PostgREST asks like this.
    let mut request = reader.transaction().expect("begin");
    request.batch_execute("SELECT set_config('request.method', 'POST', true)").expect("set");
    assert_eq!(get(&mut request, "name").expect("opens in a request"), "after");
    drop(request);

    for write in [
        "SELECT hftok.create_secret('x')",
        "SELECT hftok.put_secret('name', 'x')",
        "SELECT hftok.update_secret((SELECT id FROM hftok.secrets), 'x')",
        "SELECT hftok.delete_secret((SELECT id FROM hftok.secrets))",
        "SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_user_id => 'alice')",
        "SELECT hftok.save_credential('openai', 'sk-proj-abcdefghijklmnopqrstuvwxyz', p_org_id => 'acme')",
        "SELECT hftok.save_credential('openai', 'sk-proj-abcdefghijklmnopqrstuvwxyz', p_global => true)",
        r#"SELECT hftok.save_credentials('[{"provider": "openai", "secret": "sk-proj-abcdefghijklmnopqrstuvwxyz", "user_id": "alice"}]')"#,
        "SELECT hftok.delete_credential('huggingface', p_user_id => 'alice')",
        "SELECT hftok.report_credential((SELECT secret_id FROM hftok.credentials), 'invalid')",
        "SELECT hftok.add_member('acme', 'bob')",
        "SELECT hftok.remove_member('acme', 'alice')",
        "SELECT hftok.forget_user('alice')",
        "SELECT hftok.forget_org('acme')",
        "SELECT hftok.create_integration_with_vault('ours', 'openai', 'sk-proj-abcdefghijklmnopqrst', p_user_id => 'alice')",
        "INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('alice', 'openai', 'sk-proj-abcdefghijklmnopqrst')",
        "UPDATE hftok.credentials SET enabled = false",
        "DELETE FROM hftok.credentials",
        "SELECT hftok.rotate_root_key()",
        "SELECT hftok.purge_audit(now() - interval '91 days')",
        "SELECT hftok.grant_administrator('alice')",
    ] {
        let error = reader.query(write, &[]).expect_err(write);
        assert_eq!(error.code().map(SqlState::code), Some("25006"), "{write}: {error:?}");
    }
    // A database without keys: the first creation must not be tried here either.
    primary.database("fresh");
    wait_until("the new database is on the standby", 20, || standby.connect("postgres", "fresh").is_ok());
    let mut fresh = standby.client("postgres", "fresh");
    wait_until("the extension is on the standby", 20, || fresh.query("SELECT hftok.status()", &[]).is_ok());
    refused(fresh.query("SELECT hftok.create_secret('x')", &[]), "25006");

    // Sealing is a matter of one server.
    reader.batch_execute("SELECT hftok.seal()").expect("seal");
    refused(get(&mut reader, "name"), "53HF1");
    assert_eq!(get(&mut writer, "name").expect("the primary is open"), "after");
}

/// docs/scale.md says how a revocation waits for those who read elsewhere.
#[test]
fn what_is_revoked_with_remote_apply_is_answered_by_no_standby() {
    let primary = Cluster::start_default();
    let mut writer = primary.database("app");
    let standbys = [Setup::standby_of(&primary), Setup::standby_of(&primary)];
    primary.configure("synchronous_standby_names = '2 (*)'");
    primary.reload();
    wait_until("both are waited for", 20, || {
        one::<i64>(&mut writer, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", &[])
            == 2
    });
    let mut readers = standbys.each_ref().map(|standby| standby.client("postgres", "app"));
    let in_time = |writer: &mut Client, change: &str| {
        let sql = format!("BEGIN; SET LOCAL synchronous_commit = remote_apply; {change}; COMMIT");
        writer.batch_execute(&sql).expect(change);
    };
    let resolve = "SELECT hftok.resolve_hf_token('alice')";
    for number in 0..20 {
        let token = format!("hf_abcdefghijklmnopqrstuvwxyzABCD{number:04}");
        in_time(&mut writer, &format!("SELECT hftok.save_hf_token('{token}', p_user_id => 'alice')"));
        for reader in &mut readers {
            assert_eq!(one::<Option<String>>(reader, resolve, &[]), Some(token.clone()));
        }
        in_time(&mut writer, "SELECT hftok.delete_credential('huggingface', p_user_id => 'alice')");
        for reader in &mut readers {
            assert_eq!(one::<Option<String>>(reader, resolve, &[]), None, "revoked, and answered");
        }
    }
}
