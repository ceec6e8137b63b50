//! docs/drills.md: pg_upgrade from an older major version. `make test-matrix` has an older one beside each newer one.

use std::path::{Path, PathBuf};
use std::process::Command;

use hftok_tests::answer::{column, create, get, one, put, refused, row_counts};
use hftok_tests::audit::{TOKEN, count, global_token, settled, verified};
use hftok_tests::cluster::{Cluster, Stop};
use hftok_tests::drill::Drill;
use hftok_tests::process::contains;
use hftok_tests::setup::{Setup, installed};
use hftok_tests::wait_until;
use postgres::Client;

/// The programs of an older Postgres that has hftok too: HFTOK_OLDER_POSTGRES, or what the distribution has beside ours.
fn older() -> Option<PathBuf> {
    let named = std::env::var_os("HFTOK_OLDER_POSTGRES").map(PathBuf::from);
    let beside = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let beside = beside.map(|entry| entry.path().join("bin"));
    named.into_iter().chain(beside).find(|programs| {
        let newer = major(&installed("--bindir"));
        major(programs).is_some_and(|found| Some(found) < newer && found >= 15) && has_hftok(programs)
    })
}

fn has_hftok(programs: &Path) -> bool {
    let ours = installed("--sharedir").join("extension/hftok.control");
    let output = Command::new(programs.join("pg_config")).arg("--sharedir").output();
    output.is_ok_and(|output| {
        let shared = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let theirs = std::fs::read_to_string(shared.join("extension/hftok.control"));
        theirs.is_ok_and(|theirs| std::fs::read_to_string(ours).is_ok_and(|ours| ours == theirs))
    })
}

/// The major version of the server among these programs.
fn major(programs: &Path) -> Option<u32> {
    let output = Command::new(programs.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
}

const FILL: &str = "
    SELECT hftok.save_credential('openai', 'sk-proj-abcdefghijklmnopqrstuvwxyz' || n, p_user_id => 'alice') FROM generate_series(1, 3) n;
    SELECT hftok.add_member('acme', 'alice', 'owner');
    SELECT hftok.save_credential('groq', 'gsk_abcdefghijklmnopqrst', p_org_id => 'acme', p_allowed_hosts => '{api.groq.com}');
    SELECT hftok.create_integration_with_vault('models', 'openai', 'sk-proj-0123456789abcdefghijkl', p_user_id => 'alice');
    SELECT hftok.install_vault_schema();
    CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA hftok TO reader; GRANT EXECUTE ON FUNCTION hftok.get_secret TO reader;
    CREATE ROLE backend LOGIN IN ROLE hftok_service;
    CREATE ROLE anon NOLOGIN NOINHERIT; CREATE ROLE authenticated NOLOGIN NOINHERIT;
    CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS; CREATE ROLE authenticator LOGIN NOINHERIT;
    GRANT anon, authenticated, service_role TO authenticator;
    SELECT hftok.enable_rpc()";
const RESOLVED: &str = "SELECT (hftok.resolve_token('openai', 'alice')).token
    UNION ALL SELECT (hftok.resolve_token('groq', 'alice', 'acme', p_host => 'api.groq.com')).token
    UNION ALL SELECT hftok.resolve_hf_token('bob')
    UNION ALL SELECT hftok.get_secret('name', 1)
    UNION ALL SELECT v.decrypted_secret FROM vault.decrypted_secrets v
    UNION ALL SELECT hftok.get_integration_credentials(i.id, 'alice') #>> '{}' FROM hftok.integrations i";
/// Privileges, by the names of who has them.
const GRANTS: &str = "SELECT concat_ws(' ', o.name, a.grantee::regrole, a.privilege_type, a.is_grantable)
    FROM (SELECT oid::regprocedure::text AS name, coalesce(proacl, acldefault('f', proowner)) AS acl
        FROM pg_proc WHERE pronamespace::regnamespace::text ~ '^(hftok|vault)'
        UNION ALL SELECT oid::regclass::text, coalesce(relacl, acldefault('r', relowner))
        FROM pg_class WHERE relnamespace::regnamespace::text ~ '^(hftok|vault)') o, aclexplode(o.acl) a
    WHERE a.privilege_type <> 'MAINTAIN' ORDER BY 1";

const FINISHED: &str = "SELECT count(*) FROM hftok.rotation_progress WHERE state = 'finished'";

#[test]
fn an_upgrade_to_another_major_version_keeps_values_grants_and_audit() {
    let Some(older) = older() else {
        return eprintln!(
            "skipped: no older Postgres with this hftok: set HFTOK_OLDER_POSTGRES to the folder of its programs"
        );
    };
    let knows_marks = |programs: &Path| {
        contains(&std::fs::read(programs.join("postgres")).expect("a program"), b"pg_attver")
    };
    if knows_marks(&older) && !knows_marks(&installed("--bindir")) {
        return eprintln!("skipped: this minor release is too old for what the older Postgres writes");
    }
    // So slow that it goes on after the upgrade.
    let cluster = Setup::default().programs(&older).setting("hftok.reseal_rate = 1").start();
    let mut client = cluster.database("app");
    client.batch_execute(FILL).expect("filled");
    create(&mut client, "name", "the former value");
    put(&mut client, "name", "the value");
    global_token(&mut client);
    let wanted: Vec<String> = column(&mut client, RESOLVED);
    assert_eq!(wanted.len(), 6);
    client.batch_execute("SELECT hftok.rotate_data_key()").expect("rotated");
    settled(&mut client);
    assert_eq!(one::<i64>(&mut client, FINISHED, &[]), 0, "the rotation is under way");
    let (rows, grants) = (row_counts(&mut client), column::<String>(&mut client, GRANTS));
    let (events, chain) =
        (verified(&mut client), one::<String>(&mut client, "SELECT hftok.audit_head()", &[]));
    assert!(grants.iter().any(|grant| grant.starts_with("hftok.get_secret(") && grant.contains(" reader ")));

    let mut upgraded = upgrade(&cluster, &older, client);
    assert_eq!(column::<String>(&mut upgraded.1, RESOLVED), wanted);
    assert_eq!(row_counts(&mut upgraded.1), rows);
    let grants_there: Vec<String> = column(&mut upgraded.1, GRANTS);
    let differ = grants
        .iter()
        .filter(|it| !grants_there.contains(it))
        .chain(grants_there.iter().filter(|it| !grants.contains(it)));
    assert_eq!(differ.collect::<Vec<_>>(), Vec::<&String>::new());
    let upgraded_chain = "SELECT ok FROM hftok.verify_audit(p_head => $1)";
    assert!(one::<bool>(&mut upgraded.1, upgraded_chain, &[&chain]), "the chain that was pinned before");
    goes_on(&upgraded.0, &mut upgraded.1, events);
}

/// Does the drill, and gives it with a session of the upgraded server.
fn upgrade<'a>(cluster: &'a Cluster, older: &Path, client: Client) -> (Drill<'a>, Client) {
    drop(client);
    let mut drill = Drill::of(cluster, "drills.md", "Upgrade to another major version");
    // The paths of this machine, in place of those of the document.
    drill.skip();
    drill.set("OLD", &older.display().to_string());
    drill.set("NEW", &installed("--bindir").display().to_string());
    drill.step();
    cluster.stop(Stop::Fast);
    drill.step();
    let answer = drill.step();
    assert!(answer.contains("|      0\n"), "nothing fails: {answer}");
    let upgraded = drill.client(5433, "postgres");
    (drill, upgraded)
}

fn goes_on(drill: &Drill<'_>, upgraded: &mut Client, events: i64) {
    let mut reader = drill.client(5433, "reader");
    assert_eq!(get(&mut reader, "name").expect("the grant came along"), "the value");
    refused(reader.query("SELECT hftok.create_secret('x')", &[]), "42501");
    let mut backend = drill.client(5433, "backend");
    assert_eq!(one::<String>(&mut backend, "SELECT hftok.resolve_hf_token('bob')", &[]), TOKEN);
    is_served_over_rpc(drill);
    upgraded.batch_execute("SELECT hftok.disable_rpc(), hftok.enable_rpc()").expect("once more");
    is_served_over_rpc(drill);
    wait_until("the rotation is finished", 60, || one::<i64>(upgraded, FINISHED, &[]) == 1);
    put(upgraded, "name", "the next value");
    assert_eq!(get(upgraded, "name").expect("opens"), "the next value");
    assert_eq!(one::<String>(upgraded, "SELECT hftok.get_secret('name', 1)", &[]), "the former value");
    settled(upgraded);
    assert!(verified(upgraded) > events, "the same chain goes on");
    assert_eq!(count(upgraded, "action = 'put_secret' AND outcome = 'committed'"), 2);
    assert_eq!(count(upgraded, "action = 'adopt_database'"), 0, "it is no copy");
    assert_eq!(column::<Option<i64>>(upgraded, "SELECT failed FROM hftok.verify()"), [Some(0)]);
}

/// A person's request, as PostgREST makes it.
fn is_served_over_rpc(drill: &Drill<'_>) {
    let mut gateway = drill.client(5433, "authenticator");
    let mut request = gateway.transaction().expect("begin");
    let opening = r#"SET LOCAL ROLE authenticated; SET LOCAL "request.jwt.claims" = '{"sub": "alice"}'"#;
    request.batch_execute(opening).expect("claims");
    let own = "SELECT count(*) FROM hftok.credentials WHERE scope_id = 'alice'";
    assert_eq!(one::<i64>(&mut request, own, &[]), 1);
}
