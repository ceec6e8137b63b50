//! docs/drills.md: PgBouncer in transaction mode hands one session to many clients, and their claims not to each other.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;

use hftok_tests::answer::{one, refused};
use hftok_tests::audit::{TOKEN, global_token};
use hftok_tests::cluster::Cluster;
use hftok_tests::drill::Drill;
use hftok_tests::pooler::{MISSING, Pooler};
use postgres::types::Type;
use postgres::{Client, Config, NoTls, SimpleQueryMessage};

const ROLES: &str = "
    CREATE ROLE anon NOLOGIN NOINHERIT; CREATE ROLE authenticated NOLOGIN NOINHERIT;
    CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS; CREATE ROLE authenticator LOGIN NOINHERIT;
    GRANT anon, authenticated, service_role TO authenticator;
    CREATE ROLE backend LOGIN IN ROLE hftok_service;
    SELECT hftok.enable_rpc()";

/// Clients at once, and requests of each.
const CLIENTS: usize = 8;
const REQUESTS: usize = 30;

/// A login's session with the pooler.
fn through(folder: &Path, login: &str) -> Client {
    let mut config = Config::new();
    config.host_path(folder).port(6432).user(login).dbname("app").connect(NoTls).expect("the pooler answers")
}

/// The answer of a statement without parameters, by the protocol that prepares nothing.
fn plainly(client: &mut Client, sql: &str) -> Option<String> {
    let messages = client.simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}

const WHO: &str = "SELECT hftok.whoami()";
const LEFT: &str = "SELECT concat(current_user, current_setting('request.jwt.claims', true))";

/// The beginning of a user's request.
fn opening(user: &str, local: bool) -> String {
    format!(
        "SELECT set_config('role', 'authenticated', {local}),
            set_config('request.jwt.claims', '{{\"sub\": \"{user}\"}}', {local});"
    )
}

/// Requests of one user, which end in each way that a transaction can end.
fn requests(folder: &Path, user: &str, ask: &(dyn Fn(&mut Client) -> String + Sync)) {
    let mut client = through(folder, "authenticator");
    for number in 0..REQUESTS {
        assert_eq!(
            plainly(&mut client, LEFT).as_deref(),
            Some("authenticator"),
            "before a request of {user}"
        );
        client.batch_execute(&format!("BEGIN; {}", opening(user, true))).expect("begin");
        assert_eq!(ask(&mut client), user);
        match number % 4 {
            0 => client.batch_execute("COMMIT").expect("commit"),
            1 => client.batch_execute("ROLLBACK").expect("rollback"),
            2 => {
                refused(client.batch_execute("SELECT hftok.get_secret('not mine')"), "42501");
                client.batch_execute("ROLLBACK").expect("rollback");
            }
            // The client goes away in the middle.
            _ => client = through(folder, "authenticator"),
        }
    }
}

#[test]
fn claims_of_one_client_never_reach_the_next() {
    let cluster = Cluster::start_default();
    let mut superuser = cluster.database("app");
    superuser.batch_execute(ROLES).expect("roles");
    global_token(&mut superuser);
    let mut drill = Drill::of(&cluster, "drills.md", "Pooler");
    let folder = drill.folder().to_owned();
    let Some(pooler) = Pooler::found(&folder, Path::new(env!("CARGO_TARGET_TMPDIR"))) else {
        return eprintln!("skipped: {MISSING}");
    };
    drill.set("LD_LIBRARY_PATH", &pooler.libraries);
    drill.set("PATH", &format!("{}:{}", pooler.programs.display(), drill.variable("PATH")));
    drill.step();
    let answer = drill.step();
    assert!(answer.contains("during: alice\n") && answer.contains("after: authenticator\n"), "{answer}");

    let unprepared = |client: &mut Client| plainly(client, WHO).expect("somebody");
    at_once(&folder, &unprepared);
    // The protocol's statement without a name, which lasts until the next one.
    let unnamed = |client: &mut Client| {
        let rows = client.query_typed("SELECT hftok.whoami() WHERE $1", &[(&true, Type::BOOL)]);
        rows.expect("an answer")[0].get::<_, String>(0)
    };
    at_once(&folder, &unnamed);
    // Settings that were made for the session.
    let mut careless = through(&folder, "authenticator");
    let sql = format!("{} SELECT hftok.whoami()", opening("mallory", false));
    careless.simple_query(&sql).expect("set");
    drop(careless);
    let mut next = through(&folder, "authenticator");
    assert_eq!(plainly(&mut next, LEFT).as_deref(), Some("authenticator"));
    drop(next);
    let resolve = "SELECT hftok.resolve_hf_token('bob')";
    assert_eq!(plainly(&mut through(&folder, "backend"), resolve).as_deref(), Some(TOKEN));

    if pooler.version >= (1, 21) {
        prepared(&cluster, &folder);
    } else {
        eprintln!("PgBouncer {:?} carries no prepared statements: left out", pooler.version);
    }
    drill.step();
    drill.end();
}

/// Requests of several users at once, each of whom is who they are.
fn at_once(folder: &Path, ask: &(dyn Fn(&mut Client) -> String + Sync)) {
    let done = AtomicUsize::new(0);
    scope(|scope| {
        for number in 0..CLIENTS {
            let done = &done;
            scope.spawn(move || {
                requests(folder, &format!("user {number}"), ask);
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(done.into_inner(), CLIENTS);
}

/// Prepared statements that the pooler makes anew wherever the client comes to.
fn prepared(cluster: &Cluster, folder: &Path) {
    let mut admin = cluster.program("/bin/sh");
    let script = "echo 'max_prepared_statements = 100' >>pgbouncer.ini && kill -HUP $(cat pgbouncer.pid)";
    assert!(admin.args(["-euc", script]).current_dir(folder).status().is_ok_and(|status| status.success()));
    // In the order of its work, the pooler reads its settings before it lets in whoever comes after.
    drop(through(folder, "authenticator"));
    at_once(folder, &|client: &mut Client| one(client, WHO, &[]));
    let mut backend = through(folder, "backend");
    for _ in 0..3 {
        let sql = "SELECT hftok.resolve_hf_token($1)";
        assert_eq!(one::<String>(&mut backend, sql, &[&"bob"]), TOKEN);
    }
}
