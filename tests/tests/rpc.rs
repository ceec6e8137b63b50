//! Settings that PostgREST makes and relies on: roles, claims, the method of the request, the headers of the answer.

use std::sync::OnceLock;
use std::time::Duration;

use hftok_tests::answer::{column, create, get, one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::wait_until;
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Transaction};

/// A server with Supabase's roles as they are.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let cluster = Cluster::start_default();
        cluster.client("postgres", "postgres").batch_execute(ROLES).expect("roles");
        cluster
    })
}

const ROLES: &str = "
    CREATE ROLE anon NOLOGIN NOINHERIT;
    CREATE ROLE authenticated NOLOGIN NOINHERIT;
    CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS;
    CREATE ROLE authenticator LOGIN NOINHERIT;
    GRANT anon, authenticated, service_role TO authenticator";

/// A request as PostgREST makes it: everything local to a transaction.
fn request<'a>(client: &'a mut Client, role: &str, settings: &[(&str, &str)]) -> Transaction<'a> {
    let mut transaction = client.transaction().expect("begin");
    transaction.batch_execute(&format!("SET LOCAL ROLE {role}")).expect("role");
    for (name, value) in settings {
        transaction.query("SELECT set_config($1, $2, true)", &[name, value]).expect("a setting");
    }
    transaction
}

const CLAIMS: &str = "request.jwt.claims";

fn whoami(transaction: &mut Transaction<'_>) -> Result<String, postgres::Error> {
    transaction.query_one("SELECT hftok.whoami()", &[]).map(|row| row.get(0))
}

#[test]
fn enable_rpc_lets_supabases_roles_call_what_is_theirs_and_disable_rpc_takes_it_back() {
    let mut superuser = cluster().database("rpc");
    create(&mut superuser, "target", "value");
    let mut gateway = cluster().client("authenticator", "rpc");
    let user = [(CLAIMS, r#"{"sub":"user-1","role":"authenticated"}"#), ("request.method", "POST")];
    let service = [(CLAIMS, r#"{"role":"service_role"}"#), ("request.method", "POST")];
    let view = "SELECT decrypted_secret FROM hftok.decrypted_secrets";

    let mut listener = cluster().client("postgres", "rpc");
    listener.batch_execute("LISTEN pgrst").expect("listen");
    for _ in 0..2 {
        superuser.batch_execute("SELECT hftok.enable_rpc()").expect("may be repeated");
        let heard =
            listener.notifications().timeout_iter(Duration::from_secs(5)).next().expect("a connection");
        assert_eq!(heard.expect("PostgREST is told").payload(), "reload schema");

        let mut backend = request(&mut gateway, "service_role", &service);
        assert_eq!(get(&mut backend, "target").expect("the backend reads"), "value");
        assert_eq!(one::<String>(&mut backend, view, &[]), "value");
        assert_eq!(one::<i64>(&mut backend, "SELECT secrets FROM hftok.status()", &[]), 1);
        backend.query("SELECT hftok.put_secret('by rpc', 'x')", &[]).expect("the backend writes");
        drop(backend);
        let mut person = request(&mut gateway, "authenticated", &user);
        assert_eq!(whoami(&mut person).expect("a user has an identity"), "user-1");
        refused(get(&mut person, "target"), "42501");
        drop(person);
        for sql in [view, "SELECT * FROM hftok.secrets", "SELECT hftok.status()", "SELECT hftok.seal()"] {
            refused(request(&mut gateway, "authenticated", &user).query(sql, &[]), "42501");
        }
        for sql in ["SELECT hftok.seal()", "SELECT hftok.unseal()", "SELECT * FROM hftok.verify()"] {
            refused(request(&mut gateway, "service_role", &service).query(sql, &[]), "42501");
        }
        for sql in
            [view, "SELECT hftok.whoami()", "SELECT hftok.get_secret('target')", "SELECT hftok.public_key()"]
        {
            assert!(request(&mut gateway, "anon", &[]).query(sql, &[]).is_err(), "{sql} as anon");
        }
        refused(request(&mut gateway, "anon", &[]).query("SELECT hftok.whoami()", &[]), "42501");
        // The login role itself has nothing.
        refused(get(&mut gateway, "target"), "42501");
    }

    superuser.batch_execute("SELECT hftok.disable_rpc()").expect("disable");
    refused(get(&mut request(&mut gateway, "service_role", &service), "target"), "42501");
    refused(request(&mut gateway, "service_role", &service).query(view, &[]), "42501");
    refused(whoami(&mut request(&mut gateway, "authenticated", &user)), "42501");
    let left: Vec<String> = column(
        &mut superuser,
        "SELECT a.grantee::regrole || ' still has ' || a.privilege_type FROM (
             SELECT proacl FROM pg_proc UNION ALL SELECT relacl FROM pg_class UNION ALL SELECT nspacl FROM pg_namespace
             UNION ALL SELECT attacl FROM pg_attribute
         ) o (acl), aclexplode(o.acl) a
         WHERE a.grantee IN ('authenticated'::regrole, 'service_role'::regrole)
         UNION ALL
         SELECT member::regrole || ' is still a member of ' || roleid::regrole FROM pg_auth_members
         WHERE roleid::regrole::text LIKE 'hftok%' AND member IN ('authenticated'::regrole, 'service_role'::regrole)",
    );
    assert_eq!(left, Vec::<String>::new());
    // Nobody else may open it.
    superuser.batch_execute("CREATE ROLE rpc_admin LOGIN; GRANT hftok_admin TO rpc_admin").expect("role");
    refused(cluster().client("rpc_admin", "rpc").query("SELECT hftok.enable_rpc()", &[]), "42501");
}

#[test]
fn enable_rpc_warns_of_a_login_role_whose_claims_are_not_believed() {
    cluster().database("warning").batch_execute("CREATE ROLE other_login LOGIN").expect("role");
    let (mut superuser, notices) = cluster().client_noting("postgres", "warning");
    let mut warnings = |call: &str| -> Vec<String> {
        let mut transaction = superuser.transaction().expect("begin");
        transaction.batch_execute(call).expect(call);
        transaction.rollback().expect("rollback");
        let mut notices = notices.lock().expect("lock");
        notices
            .drain(..)
            .filter(|notice| notice.severity() == "WARNING")
            .map(|notice| notice.message().into())
            .collect()
    };
    assert_eq!(warnings("SELECT hftok.enable_rpc()"), Vec::<String>::new());
    let missing = warnings("SELECT hftok.enable_rpc(p_login_role => 'other_login')");
    assert!(missing.len() == 1 && missing[0].contains("hftok.gateways"), "{missing:?}");
    let nobody = warnings("SELECT hftok.enable_rpc(p_login_role => 'nobody_at_all')");
    assert!(nobody.len() == 1 && nobody[0].contains("nobody_at_all"), "{nobody:?}");
}

#[test]
fn claims_are_believed_under_a_gateway_and_are_an_error_elsewhere() {
    // Changes what a gateway is: a server of its own.
    let cluster = Cluster::start_default();
    let mut superuser = cluster.database("app");
    superuser.batch_execute(ROLES).expect("roles");
    superuser
        .batch_execute(
            "SELECT hftok.enable_rpc(); CREATE ROLE direct LOGIN; GRANT hftok_user, authenticated TO direct",
        )
        .expect("roles");
    let mut gateway = cluster.client("authenticator", "app");
    for (subject, identity) in [
        ("user-1", "user-1"),
        ("6F9619FF-8B86-D011-B42D-00C04FC964FF", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ("Alice", "Alice"),
        ("postgres", "postgres"),
        ("hftok_admin", "hftok_admin"),
    ] {
        let claims = format!(r#"{{"role":"authenticated","sub":"{subject}"}}"#);
        let mut person = request(&mut gateway, "authenticated", &[(CLAIMS, &claims)]);
        assert_eq!(whoami(&mut person).expect("an identity"), identity);
    }
    for claims in [
        r#"{"sub":"role:postgres"}"#,
        r#"{"sub":"role:"}"#,
        r#"{"sub":""}"#,
        r#"{"sub":null}"#,
        r#"{"sub":7}"#,
        r#"{"sub":["user-1"]}"#,
        r#"{"Sub":"user-1"}"#,
        "{}",
        "[]",
        "\"user-1\"",
        "user-1",
        r#"{"sub":"user-1"#,
        "",
    ] {
        let error =
            refused(whoami(&mut request(&mut gateway, "authenticated", &[(CLAIMS, claims)])), "42501");
        assert!(!format!("{error:?}").contains("user-1"), "{claims}: {error:?}");
    }
    // Never the role as a makeshift: under a gateway it is everybody's.
    refused(whoami(&mut request(&mut gateway, "authenticated", &[])), "42501");

    let forged = [(CLAIMS, r#"{"sub":"user-1","role":"authenticated"}"#)];
    let mut direct = cluster.client("direct", "app");
    for role in ["direct", "authenticated"] {
        let error = refused(whoami(&mut request(&mut direct, role, &forged)), "42501");
        assert!(error.detail().is_some_and(|detail| detail.contains("\"direct\"")), "{error:?}");
    }
    assert_eq!(whoami(&mut request(&mut direct, "direct", &[])).expect("an identity"), "role:direct");
    assert_eq!(
        whoami(&mut request(&mut direct, "direct", &[(CLAIMS, "")])).expect("an identity"),
        "role:direct"
    );
    refused(whoami(&mut request(&mut superuser, "postgres", &forged)), "42501");
    refused(direct.batch_execute("SET hftok.gateways = 'direct'"), "55P02");

    // Listed, it is none before it was recorded in this database.
    cluster.configure("hftok.gateways = 'webgate, \"direct\"'");
    cluster.reload();
    wait_until("the login is listed", 10, || {
        let error = refused(whoami(&mut request(&mut direct, "direct", &forged)), "42501");
        error.detail().is_some_and(|detail| detail.contains("not recorded in this database"))
    });
    superuser.batch_execute("SELECT hftok.enable_rpc(p_login_role => 'direct')").expect("recorded");
    assert_eq!(whoami(&mut request(&mut direct, "direct", &forged)).expect("an identity"), "user-1");
    wait_until("authenticator no longer is", 10, || {
        whoami(&mut request(&mut gateway, "authenticated", &forged)).is_err()
    });
    refused(whoami(&mut request(&mut gateway, "authenticated", &forged)), "42501");
    let gateways: Vec<String> = one(&mut superuser, "SELECT gateways FROM hftok.status()", &[]);
    assert_eq!(gateways, ["direct"]);

    // Sessions that have known it are told, in this database and in no other.
    let mut elsewhere = cluster.database("elsewhere");
    elsewhere.batch_execute("SELECT hftok.enable_rpc(p_login_role => 'direct')").expect("recorded");
    superuser
        .batch_execute("REVOKE EXECUTE ON FUNCTION hftok_private.gateways() FROM direct")
        .expect("revoke");
    let error = refused(whoami(&mut request(&mut direct, "direct", &forged)), "42501");
    assert!(
        error.detail().is_some_and(|detail| detail.contains("not recorded in this database")),
        "{error:?}"
    );
    let mut direct = cluster.client("direct", "elsewhere");
    assert_eq!(whoami(&mut request(&mut direct, "direct", &forged)).expect("an identity"), "user-1");
}

#[test]
fn plaintext_is_neither_given_nor_taken_by_get_and_is_not_to_be_cached() {
    let mut superuser = cluster().database("methods");
    let id = create(&mut superuser, "name", "value");
    let plaintext = [
        "SELECT hftok.create_secret('x')".to_owned(),
        "SELECT hftok.put_secret('name', 'x')".into(),
        format!("SELECT hftok.update_secret('{id}', 'x')"),
        format!("SELECT hftok.restore_secret('{id}', 1)"),
        "SELECT hftok.get_secret('name')".into(),
        "SELECT secret_id FROM hftok.find_secret('value')".into(),
        "SELECT decrypted_secret FROM hftok.decrypted_secrets".into(),
    ];
    for method in ["GET", "HEAD"] {
        for sql in &plaintext {
            let mut request = request(&mut superuser, "postgres", &[("request.method", method)]);
            let error = refused(request.query(sql.as_str(), &[]), "PT405");
            assert_eq!(error.message(), "Method Not Allowed", "the HTTP status line");
        }
        // A statement that shows no value may come with any method.
        for sql in [
            "SELECT * FROM hftok.secrets",
            "SELECT name FROM hftok.decrypted_secrets",
            "SELECT hftok.status()",
        ] {
            let mut request = request(&mut superuser, "postgres", &[("request.method", method)]);
            assert_eq!(request.query(sql, &[]).expect(sql).len(), 1);
        }
    }
    let headers = "SELECT current_setting('response.headers', true)";
    for sql in &plaintext {
        for (before, others) in [
            ("", vec![]),
            (
                r#"[{"X-Kept":"1"},{"cache-control":"public"},{"Set-Cookie":"a"}]"#,
                vec!["X-Kept", "Set-Cookie"],
            ),
        ] {
            let settings = [("request.method", "POST"), ("response.headers", before)];
            let mut request = request(&mut superuser, "postgres", &settings);
            request.query(sql.as_str(), &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            let names: Vec<String> = column(
                &mut request,
                "SELECT k || '=' || v FROM json_array_elements(current_setting('response.headers')::json) h,
                 json_each_text(h) e (k, v)",
            );
            let control = |name: &&String| name.to_lowercase().starts_with("cache-control=");
            let controls: Vec<&String> = names.iter().filter(control).collect();
            assert_eq!(controls, ["Cache-Control=no-store"], "{sql}");
            for other in others {
                assert!(names.iter().any(|name| name.starts_with(other)), "{sql} took {other} away");
            }
        }
    }
    // Outside of a request nothing is set.
    get(&mut superuser, "name").expect("opens");
    assert_eq!(one::<Option<String>>(&mut superuser, headers, &[]).unwrap_or_default(), "");
}
