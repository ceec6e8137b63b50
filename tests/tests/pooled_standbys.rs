//! docs/scale.md: readers who come through a pooler to several standbys.

use std::path::Path;
use std::process::Stdio;

use hftok_tests::audit::{TOKEN, global_token, lines, settled};
use hftok_tests::cluster::Cluster;
use hftok_tests::drill::blocks;
use hftok_tests::pooler::{MISSING, Pooler};
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// A session of the backend's with the pooler.
fn through(folder: &Path, database: &str) -> Result<Client, postgres::Error> {
    Config::new().host_path(folder).port(6432).user("backend").dbname(database).connect(NoTls)
}

fn asked(client: &mut Client, sql: &str) -> Result<Option<String>, postgres::Error> {
    let messages = client.simple_query(sql)?;
    Ok(messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

const RESOLVE: &str = "SELECT hftok.resolve_hf_token('bob')";

#[test]
fn standbys_behind_a_pooler_answer_in_turn() {
    let primary = Cluster::start_default();
    let folder = primary.make_folder("pooler");
    let Some(pooler) = Pooler::found(&folder, Path::new(env!("CARGO_TARGET_TMPDIR"))) else {
        return eprintln!("skipped: {MISSING}");
    };
    let mut client = primary.database("app");
    client.batch_execute("CREATE ROLE backend LOGIN IN ROLE hftok_service").expect("a role");
    global_token(&mut client);
    settled(&mut client);
    let standbys = [Setup::standby_of(&primary), Setup::standby_of(&primary)];

    let mut databases = blocks("scale.md", "Standbys behind a pooler", "ini").concat();
    for (name, server) in [("primary", &primary), ("standby1", &standbys[0]), ("standby2", &standbys[1])] {
        databases = databases.replace(&format!("{name}.internal"), &server.folder().display().to_string());
    }
    let rest = format!(
        "{databases}[pgbouncer]\npool_mode = transaction\nlisten_port = 6432\nunix_socket_dir = {0}\nauth_type = trust
auth_file = {0}/logins\ndefault_pool_size = 4\n",
        folder.display()
    );
    primary.write_file("pooler/logins", "\"backend\" \"\"\n", 0o600);
    let settings = primary.write_file("pooler/pgbouncer.ini", rest, 0o600);
    let mut program = primary.program(pooler.programs.join("pgbouncer").to_str().expect("a path"));
    program.arg("--quiet").arg(settings).current_dir(&folder).env("LD_LIBRARY_PATH", &pooler.libraries);
    let mut running = program.stdin(Stdio::null()).spawn().expect("the pooler runs");
    wait_until("the pooler answers", 10, || through(&folder, "app").is_ok());

    let mut writer = through(&folder, "app").expect("the primary");
    assert_eq!(asked(&mut writer, RESOLVE).expect("resolves").as_deref(), Some(TOKEN));
    assert_eq!(asked(&mut writer, "SELECT pg_is_in_recovery()").expect("an answer").as_deref(), Some("f"));
    // Each holds a session of its own for as long as its transaction lasts.
    let mut readers: Vec<Client> = (0..4).map(|_| through(&folder, "app_read").expect("a standby")).collect();
    for reader in &mut readers {
        reader.batch_execute("BEGIN").expect("begin");
        assert_eq!(asked(reader, "SELECT pg_is_in_recovery()").expect("an answer").as_deref(), Some("t"));
        assert_eq!(asked(reader, RESOLVE).expect("resolves").as_deref(), Some(TOKEN));
    }
    let error = asked(&mut readers[0], "SELECT hftok.save_hf_token('hf_0123456789', p_user_id => 'bob')");
    let error = error.expect_err("a standby");
    assert_eq!(error.code().map(postgres::error::SqlState::code), Some("25006"), "{error:?}");
    let told = standbys
        .each_ref()
        .map(|standby| lines(standby).iter().filter(|line| line.contains("\"reveal\"")).count());
    assert_eq!(told, [2, 2], "each tells of its own");
    drop(readers);
    running.kill().expect("the pooler ends");
    running.wait().expect("it has ended");
}
