//! Whoever waits to write for an organisation, and is removed from it meanwhile, writes nothing; nor into one that is forgotten. And a
//! provider is not taken away from under a credential that is being saved.

use hftok_tests::answer::{one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::wait_until;
use postgres::{Client, Error};

/// Calls a function as the member `role:adam`, who loses the organisation by `loss` while it waits.
fn overtaken(cluster: &Cluster, admin: &mut Client, loss: &str, call: &str) -> Result<(), Error> {
    admin.batch_execute("SELECT hftok.add_member('acme', 'role:adam', 'admin')").expect("a member");
    waiting(cluster, admin, "adam", loss, &format!("SELECT {call}"))
}

/// Runs a statement of a role, which waits for what another session does before it commits.
fn waiting(
    cluster: &Cluster,
    admin: &mut Client,
    role: &str,
    first: &str,
    statement: &str,
) -> Result<(), Error> {
    admin.batch_execute(&format!("BEGIN; SELECT {first}")).expect("what comes first");
    std::thread::scope(|scope| {
        let mut acting = cluster.client(role, "app");
        let acting = scope.spawn(move || acting.batch_execute(statement));
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

#[test]
fn who_is_removed_while_they_wait_changes_no_credential_either() {
    let cluster = Cluster::start_default();
    let mut admin = cluster.database("app");
    admin
        .batch_execute(
            "CREATE ROLE adam LOGIN IN ROLE hftok_user;
             SELECT hftok.add_member('acme', 'olga', 'owner'), hftok.add_member('acme', 'role:adam', 'admin');
             SELECT hftok.save_credential('openai', 'sk-proj-acme0000000000000001', p_org_id => 'acme');
             SELECT hftok.save_credential('openai', 'sk-proj-acme0000000000000002', p_org_id => 'acme');
             SELECT hftok.save_credential('openai', 'sk-proj-all00000000000000001', p_global => true);
             SELECT hftok.save_credential('openai', 'sk-proj-all00000000000000002', p_global => true)",
        )
        .expect("credentials");
    let state = "SELECT string_agg(format('%s %s %s', scope, version, label), ', ' ORDER BY scope) FROM hftok.credentials";
    let former: String = one(&mut admin, state, &[]);
    for (scope, owner) in [("org", "p_org_id => 'acme'"), ("global", "p_global => true")] {
        let id = format!("SELECT secret_id::text FROM hftok.credentials WHERE scope = '{scope}'");
        let id: String = one(&mut admin, &id, &[]);
        for statement in [
            format!("SELECT hftok.restore_credential('{id}', 1)"),
            format!("SELECT hftok.delete_credential('openai', {owner})"),
            format!("UPDATE hftok.credentials SET label = 'late' WHERE secret_id = '{id}'"),
            format!("DELETE FROM hftok.credentials WHERE secret_id = '{id}'"),
        ] {
            admin
                .batch_execute(
                    "SELECT hftok.add_member('acme', 'role:adam', 'admin'), hftok.grant_administrator('role:adam')",
                )
                .expect("rights");
            // Nothing is counted for the installation, so there is only the row to wait for.
            let loss = format!(
                "hftok.remove_member('acme', 'role:adam'), hftok.revoke_administrator('role:adam'),
                 (SELECT s.id FROM hftok_private.secrets s WHERE s.id = '{id}' FOR UPDATE)"
            );
            let acted = waiting(&cluster, &mut admin, "adam", &loss, &statement);
            println!("{statement}: {acted:?}");
            assert_eq!(one::<String>(&mut admin, state, &[]), former, "{statement}");
        }
    }
}

/// Nobody asks a trusted backend whether it may, so what it waited for is asked: an organisation that was there is there still.
#[test]
fn a_backend_that_waits_saves_nothing_for_an_organisation_that_is_forgotten() {
    let cluster = Cluster::start_default();
    let mut admin = cluster.database("app");
    admin.batch_execute("CREATE ROLE backend LOGIN IN ROLE hftok_service").expect("a role");
    let save = "hftok.save_credential('openai', 'sk-proj-acme0000000000000001', p_org_id => 'acme')";
    let create = "hftok.create_integration_with_vault('late', 'openai', 'sk-proj-acme0000000000000002', p_org_id => 'acme')";
    for known_by in ["hftok.add_member('acme', 'olga', 'owner')", save, create] {
        for statement in [save, create] {
            admin.batch_execute(&format!("SELECT {known_by}")).expect("an organisation");
            let forget = "hftok.forget_org('acme')";
            let saved = waiting(&cluster, &mut admin, "backend", forget, &format!("SELECT {statement}"));
            refused(saved, "PT404");
            let left = "SELECT count(*) FROM hftok_private.secrets WHERE scope_id = 'acme'";
            assert_eq!(one::<i64>(&mut admin, left, &[]), 0);
        }
    }
    // One that nobody knew is made by what is saved for it, whatever came to nothing meanwhile.
    let other = "hftok.remove_member('acme', 'olga')";
    waiting(&cluster, &mut admin, "backend", other, &format!("SELECT {save}")).expect("saved");
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

/// The same for what an operator said of a provider that is built in, also where the session that saves remembers it without that.
#[test]
fn what_is_said_of_a_provider_is_not_taken_back_while_somebody_saves_a_credential_of_it() {
    let cluster = Cluster::start_default();
    let mut admin = cluster.database("app");
    let save = "SELECT hftok.save_credential('openai', 'sk-proj-vic000000000000000001', p_user_id => 'vic')";
    admin.batch_execute(save).expect("saved");
    for remembers_it in [false, true] {
        let mut other = cluster.client("postgres", "app");
        let describe = r#"SELECT hftok.register_provider('{"id": "openai", "label": "Ours"}')"#;
        other.batch_execute(describe).expect("described");
        if remembers_it {
            admin.batch_execute(save).expect("saved");
        }
        admin.batch_execute(&format!("BEGIN; {save}")).expect("saved");
        std::thread::scope(|scope| {
            let taking =
                scope.spawn(move || other.batch_execute("SELECT hftok.unregister_provider('openai')"));
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            wait_until("it waits", 10, || one::<i64>(&mut admin, waits, &[]) == 1);
            admin.batch_execute("COMMIT").expect("commit");
            taking.join().expect("a session").expect("taken back");
        });
    }
}
