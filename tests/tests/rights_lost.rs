//! Whoever waits to write for an organisation, and is removed from it meanwhile, writes nothing; nor into one that is forgotten. And a
//! provider is not taken away from under a credential that is being saved.

use hftok_tests::answer::{one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::wait_until;
use postgres::{Client, Error};

/// Runs a statement of the member `role:adam`, who loses the organisation by `loss` while it waits.
fn overtaken(cluster: &Cluster, admin: &mut Client, loss: &str, statement: &str) -> Result<(), Error> {
    admin.batch_execute("SELECT hftok.add_member('acme', 'role:adam', 'admin')").expect("a member");
    admin.batch_execute(&format!("BEGIN; SELECT {loss}")).expect("the loss");
    std::thread::scope(|scope| {
        let mut adam = cluster.client("adam", "app");
        let acting = scope.spawn(move || adam.batch_execute(&format!("SELECT {statement}")));
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        wait_until("it waits", 10, || one::<i64>(admin, waits, &[]) == 1);
        admin.batch_execute("COMMIT").expect("commit");
        acting.join().expect("a session")
    })
}

#[test]
fn who_is_removed_while_they_wait_writes_nothing() {
    let cluster = Cluster::start_default();
    let mut admin = cluster.database("app");
    admin
        .batch_execute(
            "CREATE ROLE adam LOGIN IN ROLE hftok_user;
             SELECT hftok.add_member('acme', 'olga', 'owner'), hftok.add_member('acme', 'role:adam', 'admin')",
        )
        .expect("an organisation");
    let make = "SELECT hftok.create_integration_with_vault('of acme', 'openai', 'sk-proj-acme0000000000000001', p_org_id => 'acme')::text";
    let made: String = one(&mut admin, make, &[]);
    let shared = "SELECT hftok.create_integration_with_vault('own', 'openai', 'sk-proj-adam0000000000000001', p_user_id => 'role:adam')::text";
    let own: String = one(&mut admin, shared, &[]);
    let create = "hftok.create_integration_with_vault('late', 'openai', 'sk-proj-acme0000000000000002', p_org_id => 'acme')";
    let save = "hftok.save_credential('openai', 'sk-proj-acme0000000000000003', p_org_id => 'acme')";
    let replace =
        format!("hftok.update_integration('{made}', p_credentials => 'sk-proj-acme0000000000000004')");
    let delete = format!("hftok.delete_integration_with_vault('{made}')");
    let share = format!("hftok.share_integration('{own}', 'acme')");
    let removal = "hftok.remove_member('acme', 'role:adam')";
    for (statement, sqlstate) in
        [(create, "PT404"), (save, "PT404"), (replace.as_str(), "PT404"), (share.as_str(), "42501")]
    {
        refused(overtaken(&cluster, &mut admin, removal, statement), sqlstate);
    }
    overtaken(&cluster, &mut admin, removal, &delete).expect("answered with false");
    let left = "SELECT count(*) FROM hftok.integrations WHERE org_id = 'acme' AND version = 1";
    assert_eq!(one::<i64>(&mut admin, left, &[]), 1);
    for statement in [create, save] {
        refused(overtaken(&cluster, &mut admin, "hftok.forget_org('acme')", statement), "PT404");
    }
    let left = "SELECT count(*) FROM hftok_private.secrets WHERE scope_id = 'acme'";
    assert_eq!(one::<i64>(&mut admin, left, &[]), 0);
}

/// Otherwise it could be described with other hosts next, and the credential would be sent there.
#[test]
fn a_provider_is_not_taken_back_while_somebody_saves_a_credential_of_it() {
    let cluster = Cluster::start_default();
    let mut admin = cluster.database("app");
    let describe = r#"SELECT hftok.register_provider('{"name": "own", "label": "Own", "fields": [{"name": "key", "secret": true}], "hosts": ["a.example"]}')"#;
    admin.batch_execute(describe).expect("a provider");
    for save in [
        "hftok.save_credential('own', 'a-key-of-somebody-01', p_user_id => 'vic')",
        "hftok.create_integration_with_vault('own', 'own', 'a-key-of-somebody-02', p_user_id => 'vic')",
    ] {
        admin.batch_execute(&format!("BEGIN; SELECT {save}")).expect("saved");
        std::thread::scope(|scope| {
            let mut other = cluster.client("postgres", "app");
            let taking = scope.spawn(move || other.batch_execute("SELECT hftok.unregister_provider('own')"));
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            wait_until("it waits", 10, || one::<i64>(&mut admin, waits, &[]) == 1);
            admin.batch_execute("COMMIT").expect("commit");
            refused(taking.join().expect("a session"), "22023");
        });
        admin.batch_execute("SELECT hftok.forget_user('vic')").expect("forgotten");
    }
    assert!(one::<bool>(&mut admin, "SELECT hftok.unregister_provider('own')", &[]));
}
