//! `hftok.require_user`: whom the backend must name, as it is read again on reload.

use hftok_tests::answer::{one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::wait_until;
use postgres::Client;

const TOKEN: &str = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH";

fn set(cluster: &Cluster, client: &mut Client, value: &str) {
    cluster.configure(&format!("hftok.require_user = '{value}'"));
    cluster.reload();
    wait_until("the setting is read", 10, || one::<String>(client, "SHOW hftok.require_user", &[]) == value);
}

fn bad_input(client: &mut Client, sql: &str, message: &str) {
    let error = refused(client.query(sql, &[]), "22023");
    assert!(error.message().contains(message), "{sql}: {error:?}");
}

#[test]
fn the_backend_names_whom_it_must() {
    let cluster = Cluster::start_default();
    let mut superuser = cluster.database("app");
    superuser
        .batch_execute(&format!(
            "CREATE ROLE backend LOGIN; GRANT hftok_service TO backend;
             CREATE ROLE person LOGIN; GRANT hftok_user TO person;
             SELECT hftok.save_hf_token('{TOKEN}', p_global => true)"
        ))
        .expect("roles");
    let mut backend = cluster.client("backend", "app");
    let mut person = cluster.client("person", "app");
    let id: String = one(
        &mut backend,
        "SELECT hftok.create_integration_with_vault('i', 'openai', 'sk-proj-of-alice0000000000001', p_user_id => 'alice')::text",
        &[],
    );
    let for_nobody = [
        "SELECT hftok.resolve_hf_token()",
        "SELECT hftok.resolve_hf_token(p_user_id => NULL, p_model => 'org/model')",
        "SELECT source FROM hftok.resolve_token('huggingface', NULL)",
        "SELECT hftok.runner_env('{huggingface}')",
        "SELECT hftok.runner_env()",
        "SELECT * FROM hftok.explain_token('huggingface')",
        "SELECT hftok.token_provided('huggingface')",
        "SELECT * FROM hftok.tokens_provided('huggingface')",
        "SELECT source FROM hftok.resolve_token('no provider', p_unknown => 'none')",
    ];
    let without_user = [
        format!("SELECT hftok.get_integration_credentials('{id}')"),
        format!("SELECT hftok.update_integration('{id}', 'renamed')"),
        format!("SELECT hftok.update_integration_credentials('{id}', 'sk-proj-of-alice0000000000002')"),
        format!("SELECT hftok.update_integration_status('{id}', 'connected')"),
        format!("SELECT hftok.share_integration('{id}', 'acme')"),
        format!("SELECT hftok.unshare_integration('{id}', 'acme')"),
        format!("SELECT hftok.delete_integration_with_vault('{id}')"),
    ];
    superuser.batch_execute("SELECT hftok.add_member('acme', 'alice', 'owner')").expect("a member");

    assert_eq!(one::<String>(&mut backend, "SHOW hftok.require_user", &[]), "integrations");
    refused(backend.batch_execute("SET hftok.require_user = 'never'"), "55P02");
    for sql in for_nobody {
        backend.query(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    for sql in &without_user {
        bad_input(&mut backend, sql, "p_user_id must name the user");
    }

    set(&cluster, &mut backend, "always");
    for sql in for_nobody {
        bad_input(&mut backend, sql, "hftok.require_user does not allow a walk for nobody");
    }
    for sql in &without_user {
        bad_input(&mut backend, sql, "p_user_id must name the user");
    }
    for sql in [
        "SELECT hftok.resolve_hf_token('alice')",
        "SELECT hftok.resolve_hf_token(p_org_id => 'acme')",
        "SELECT hftok.resolve_hf_token(p_levels => '{global}')",
        "SELECT token FROM hftok.resolve_token('huggingface', p_levels => '{global}')",
        "SELECT hftok.runner_env('{huggingface}', p_levels => '{global}') ->> 'HF_TOKEN'",
    ] {
        assert_eq!(one::<String>(&mut backend, sql, &[]), TOKEN, "{sql}");
    }
    // A user is always named: by who they are.
    set(&cluster, &mut person, "always");
    assert!(one::<bool>(&mut person, "SELECT hftok.token_provided('huggingface')", &[]));

    set(&cluster, &mut backend, "never");
    for sql in for_nobody {
        backend.query(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    // An owner is somebody; and what a user may do has not changed.
    bad_input(&mut backend, "SELECT hftok.create_integration_with_vault('x', 'openai', 'y')", "p_user_id");
    set(&cluster, &mut person, "never");
    for sql in &without_user {
        let answer = person.query(sql.as_str(), &[]);
        match answer {
            Ok(rows) => assert!(!rows[0].get::<_, bool>(0), "{sql}"),
            Err(error) => assert!(
                matches!(error.code().map(postgres::error::SqlState::code), Some("42501" | "PT404")),
                "{sql}: {error:?}"
            ),
        }
    }
    let mut named = without_user[..1].to_vec();
    named[0] = named[0].replace("')", "', 'bob')");
    refused(backend.query(named[0].as_str(), &[]), "PT404");
    refused(
        backend
            .query("SELECT hftok.get_integration_credentials('00000000-0000-4000-8000-000000000000')", &[]),
        "PT404",
    );
    for sql in &without_user {
        backend.query(sql.as_str(), &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    assert_eq!(
        one::<i64>(&mut superuser, "SELECT count(*) FROM hftok.integrations", &[]),
        0,
        "it was deleted"
    );
    // Nobody was named, so the audit names nobody as who acted, and whose it was.
    wait_until("the audit is written", 10, || {
        one::<i64>(
            &mut superuser,
            "SELECT count(*) FROM hftok.audit_events WHERE action = 'get_integration_credentials' AND kind = 'reveal'
             AND owner_id = 'alice' AND actor_user IS DISTINCT FROM 'alice'",
            &[],
        ) == 1
    });
}
