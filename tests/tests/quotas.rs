//! Quotas: nobody may have more than an operator allows.

use hftok_tests::answer::{one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

const KEY: &str = "sk-0123456789abcdef0123456789";

fn cluster() -> Cluster {
    Setup::default()
        .setting("hftok.max_integrations_per_user = 2")
        .setting("hftok.max_members_per_org = 3")
        .setting("hftok.max_credentials_per_org = 2")
        .setting("hftok.max_bytes_per_user = 200kB")
        .start()
}

/// The DETAIL of a call that must be refused by a quota.
#[track_caller]
fn quota(client: &mut Client, sql: &str) -> String {
    refused(client.query(sql, &[]), "PT413").detail().unwrap_or_default().to_owned()
}

#[track_caller]
fn done(client: &mut Client, sql: &str) {
    client.query(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

#[test]
fn integrations_members_and_models_of_an_organisation_are_counted() {
    let cluster = cluster();
    let mut client = cluster.database("app");
    let integration =
        format!("SELECT hftok.create_integration_with_vault('n', 'openai', '{KEY}', p_user_id => 'alice')");
    done(&mut client, &integration);
    done(&mut client, &integration);
    assert_eq!(quota(&mut client, &integration), "A user may have 2 integrations at most.");
    done(&mut client, &integration.replace("alice", "bob"));
    done(
        &mut client,
        "SELECT hftok.delete_integration_with_vault(id, user_id) FROM hftok.integrations WHERE user_id = 'alice'",
    );
    done(&mut client, &integration);
    // An organisation has as many, apart from what its members have.
    let of_org = integration.replace("p_user_id => 'alice'", "p_org_id => 'acme'");
    done(&mut client, &of_org);
    done(&mut client, &of_org);
    assert_eq!(quota(&mut client, &of_org), "An organisation may have 2 integrations at most.");

    for (user, role) in [("alice", "owner"), ("bob", "member"), ("carol", "member")] {
        done(&mut client, &format!("SELECT hftok.add_member('acme', '{user}', '{role}')"));
    }
    assert_eq!(
        quota(&mut client, "SELECT hftok.add_member('acme', 'dave')"),
        "An organisation may have 3 members at most."
    );
    // Another role is no other member.
    done(&mut client, "SELECT hftok.add_member('acme', 'carol', 'admin')");

    let model =
        |n: u32| format!("SELECT hftok.save_credential('openai', '{KEY}', 'm{n}', p_org_id => 'acme')");
    done(&mut client, &model(1));
    done(&mut client, &model(2));
    assert_eq!(quota(&mut client, &model(3)), "An organisation may have 2 credentials at most.");
    done(&mut client, &model(2));
}

#[test]
fn bytes_are_summed_up_with_previous_versions() {
    let cluster = cluster();
    let mut client = cluster.database("app");
    let save = |client: &mut Client, user: &str, length: usize| {
        client.query(
            "SELECT hftok.save_credential('openai', 'sk-' || repeat('a', $1::int), p_user_id => $2)",
            &[&i32::try_from(length).expect("short"), &user],
        )
    };
    for _ in 0..3 {
        save(&mut client, "alice", 60_000).expect("180 kB");
    }
    let refusal = refused(save(&mut client, "alice", 60_000), "PT413");
    assert_eq!(
        refusal.detail(),
        Some("All values of an owner, with their hosts and previous versions, may have 204800 bytes.")
    );
    assert_eq!(
        refusal.hint(),
        Some("Delete one that is no longer needed, or raise hftok.max_bytes_per_user.")
    );
    // To others than operators no setting is named.
    client.batch_execute("CREATE ROLE backend IN ROLE hftok_service; SET ROLE backend").expect("a role");
    assert_eq!(
        refused(save(&mut client, "alice", 60_000), "PT413").hint(),
        Some("Delete one that is no longer needed.")
    );
    client.batch_execute("RESET ROLE").expect("reset");
    let integration = "SELECT hftok.create_integration_with_vault('n', 'openai', 'sk-' || repeat('a', 60000), p_user_id => 'alice')";
    assert!(quota(&mut client, integration).starts_with("All values"));
    save(&mut client, "bob", 60_000).expect("of another user");
    // A key of the usual length is never in the way of who has it replaced.
    client.batch_execute("ALTER SYSTEM SET hftok.max_bytes_per_user = '10MB'").expect("raised");
    client.batch_execute("SELECT pg_reload_conf()").expect("reload");
    wait_until("the session knows", 10, || save(&mut client, "alice", 60).is_ok());
}

#[test]
fn hosts_are_counted_as_values_are() {
    let cluster = cluster();
    let mut client = cluster.database("app");
    // 900 names that nothing compresses, some 66 kB together.
    let hosts = |seed: u32| {
        format!(
            "(SELECT array_agg(md5(h || 'a{seed}') || md5(h || 'b{seed}') || '.example') FROM generate_series(1, 900) h)"
        )
    };
    let save = |seed: u32| {
        format!(
            "SELECT hftok.save_credential('openai', '{KEY}', p_user_id => 'alice', p_allowed_hosts => {})",
            hosts(seed)
        )
    };
    done(&mut client, &save(1));
    done(&mut client, &save(2));
    assert!(quota(&mut client, &save(3)).starts_with("All values"));
    // The hosts come along into the next version, also when nobody names them.
    let again = format!("SELECT hftok.save_credential('openai', '{KEY}', p_user_id => 'alice')");
    assert!(quota(&mut client, &again).starts_with("All values"));

    let hosts_of = |user: &str, hosts: &str| {
        format!("UPDATE hftok.credentials SET allowed_hosts = {hosts} WHERE scope_id = '{user}'")
    };
    for model in 1..=4 {
        done(&mut client, &format!("SELECT hftok.save_credential('openai', '{KEY}', 'm{model}', 'bob')"));
    }
    assert!(quota(&mut client, &hosts_of("bob", &hosts(4))).starts_with("All values"));
    // Fewer are never in the way, nor are a few.
    done(&mut client, &hosts_of("alice", "'{one.example}'"));
    done(&mut client, &hosts_of("bob", "'{one.example,two.example}'"));
    done(&mut client, &again);
}

/// Somebody moves many in, in one transaction. Postgres keeps the plan of a statement that it made while there were few rows, so what an
/// organisation has is counted by the index itself.
#[test]
fn organisations_of_one_transaction_are_not_sought_among_all_secrets() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let save = format!(
        "SELECT count((hftok.save_credential('openai', '{KEY}', p_org_id => 'org ' || n)).version)
        FROM generate_series(1, 600) n"
    );
    assert_eq!(one::<i64>(&mut client, &save, &[]), 600);
    let read = "SELECT seq_tup_read FROM pg_stat_all_tables WHERE relid = 'hftok_private.secrets'::regclass";
    client.batch_execute("SELECT pg_stat_force_next_flush()").expect("told");
    let read: i64 = one(&mut client, read, &[]);
    assert!(read < 10 * 600, "{read} rows read for 600 that are new");
}
