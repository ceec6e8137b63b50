//! `hftok open` and `hftok keys-for` over dumps: the disaster drill, without a server.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use command::{Said, hftok, said};
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use tempfile::TempDir;

const TOKEN: &str = "hf_aliceAliceAliceAliceAliceAlice0001";
const FORMER: &str = "hf_aliceAliceAliceAliceAliceAlice0000";
const ODD: &str = "line\nbreak 'quote' \\. \t\u{1F511} é";

/// Dumps of a server that is gone, and its keyring.
struct Left {
    folder: TempDir,
    programs: PathBuf,
}

impl Left {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.folder.path().join(name), content).expect("written");
        fs::set_permissions(self.folder.path().join(name), fs::Permissions::from_mode(0o600)).expect("chmod");
        self.path(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("a dump")
    }

    /// The command on a machine without Postgres: no server, and no program of it.
    fn alone(&self, arguments: &[&str]) -> Said {
        said(hftok(arguments).env("PATH", "/nowhere"), "")
    }
}

fn left() -> &'static Left {
    static LEFT: OnceLock<Left> = OnceLock::new();
    LEFT.get_or_init(|| {
        let key = RootKey::random(4);
        let cluster = Setup::default().keys(std::slice::from_ref(&key)).start();
        for database in ["app", "other"] {
            fill(&cluster, database);
        }
        let left =
            Left { folder: tempfile::tempdir().expect("a folder"), programs: cluster.programs().to_owned() };
        let dump = |name: &str, program: &str, arguments: &[&str]| {
            let mut program = cluster.client_program(program, "postgres", "app");
            let output = program.args(arguments).output().expect("pg_dump runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            left.write(name, output.stdout);
        };
        dump("plain.sql", "pg_dump", &[]);
        dump("custom.dump", "pg_dump", &["--format=custom"]);
        dump("tar.dump", "pg_dump", &["--format=tar"]);
        dump("inserts.sql", "pg_dump", &["--inserts"]);
        dump("all.sql", "pg_dumpall", &[]);
        left.write("keyring", RootKey::keyring(&[RootKey::random(7), key]));
        left.write("another", RootKey::keyring(&[RootKey::random(4)]));
        left.write("nothing", RootKey::keyring(&[RootKey::random(9)]));
        left
    })
}

fn fill(cluster: &Cluster, database: &str) {
    let mut client = cluster.database(database);
    for token in [FORMER, TOKEN] {
        client.execute("SELECT hftok.save_hf_token($1, p_user_id => 'alice')", &[&token]).expect("saved");
    }
    client
        .execute(
            "SELECT hftok.save_credential('groq', 'gsk_abcdefghijklmnopqrst', p_org_id => 'acme', p_model => 'a/b',
                p_allowed_hosts => '{api.groq.com}', p_expires_at => '2099-06-01 12:00:00.25+02')",
            &[],
        )
        .expect("saved");
    client.execute("SELECT hftok.put_secret('it''s \"odd\"\t\\', $1)", &[&ODD]).expect("saved");
    client.execute("SELECT hftok.create_secret('nameless')", &[]).expect("saved");
}

/// Each line that was printed, as JSON.
fn lines(said: &Said) -> Vec<serde_json::Value> {
    said.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_dump_opens_with_its_keyring_and_nothing_else() {
    let left = left();
    let (dump, keyring) = (left.path("plain.sql"), left.path("keyring"));
    let listed = left.alone(&["open", &dump, "--keyring", &keyring]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert!(listed.out.contains("user alice") && listed.out.contains("org acme"), "{listed:?}");
    assert!(listed.err.contains("5 open, 0 do not"), "{listed:?}");
    assert!(!format!("{listed:?}").contains(TOKEN), "values are shown unasked");

    let revealed = left.alone(&["open", &dump, "--keyring", &keyring, "--reveal", "--versions"]);
    let values: Vec<_> =
        lines(&revealed).iter().map(|line| line["value"].as_str().expect("text").to_owned()).collect();
    assert_eq!(values.len(), 5, "{revealed:?}");
    for value in [TOKEN, FORMER, ODD, "nameless", "gsk_abcdefghijklmnopqrst"] {
        assert!(values.iter().any(|found| found == value), "{value}");
    }

    let none = left.alone(&["open", &dump, "--keyring", &left.path("nothing"), "--json"]);
    assert_eq!(none.code, Some(1));
    assert!(none.err.contains("root key 4 with fingerprint"), "{none:?}");
    assert!(serde_json::from_str::<serde_json::Value>(&none.out).is_ok(), "{none:?}");
    assert_eq!(left.alone(&["open", &dump]).code, Some(2), "a keyring is asked for");
}

#[test]
fn every_format_of_a_dump_is_read() {
    let left = left();
    let keyring = left.path("keyring");
    let with_programs = |arguments: &[&str], input: Stdio| {
        let mut command = hftok(arguments);
        let output = command.env("PATH", &left.programs).stdin(input).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).expect("text")
    };
    for name in ["custom.dump", "tar.dump"] {
        let told = with_programs(&["open", &left.path(name), "--keyring", &keyring], Stdio::null());
        assert!(told.contains("5 open, 0 do not"), "{name}: {told}");
    }
    let folder = left.path("folder");
    let mut restore = Command::new(left.programs.join("pg_restore"));
    let plain = restore.args(["--file", &folder, &left.path("custom.dump")]).status();
    assert!(plain.expect("pg_restore runs").success());
    for name in ["custom.dump", "plain.sql", "folder"] {
        let input = fs::File::open(left.path(name)).expect("a dump").into();
        let told = with_programs(&["open", "-", "--keyring", &keyring], input);
        assert!(told.contains("5 open, 0 do not"), "{name}: {told}");
    }
    let all = left.alone(&["open", &left.path("all.sql"), "--keyring", &keyring, "--json"]);
    assert!(all.err.contains("10 open, 0 do not"), "{all:?}");
    assert!(all.out.contains("\"database\": \"other\""), "{all:?}");

    let custom = left.alone(&["open", &left.path("custom.dump"), "--keyring", &keyring]);
    assert_eq!(custom.code, Some(1));
    assert!(custom.err.contains("pg_restore"), "{custom:?}");
    let inserts = left.alone(&["open", &left.path("inserts.sql"), "--keyring", &keyring]);
    assert_eq!(inserts.code, Some(1));
    assert!(inserts.err.contains("--inserts"), "{inserts:?}");
}

#[test]
fn what_was_changed_in_a_dump_is_named() {
    let left = left();
    let keyring = left.path("keyring");
    let dump = left.text("plain.sql");
    for (name, from, to) in [
        ("owner.sql", "\talice\thuggingface\t", "\tmallory\thuggingface\t"),
        ("hosts.sql", "{api.groq.com}", "{evil.example}"),
    ] {
        let changed = dump.replace(from, to);
        assert_ne!(changed, dump, "{from}");
        let told = left.alone(&["open", &left.write(name, changed), "--keyring", &keyring, "--reveal"]);
        assert_eq!(told.code, Some(1), "{name}");
        assert!(told.err.contains("was changed"), "{told:?}");
        let value = if name == "owner.sql" { TOKEN } else { "gsk_" };
        assert!(!told.out.contains(value), "a value that does not open in its row is given out");
    }
    let at = dump.find("COPY hftok_private.secrets").expect("the table");
    let cut = left.write("cut.sql", &dump[..at + 600]);
    let told = left.alone(&["open", &cut, "--keyring", &keyring]);
    assert_eq!(told.code, Some(1));
    let nothing = left.write("nothing.sql", "SELECT 1;\n");
    let told = left.alone(&["keys-for", &nothing]);
    assert!(told.code == Some(1) && told.err.contains("nothing of hftok"), "{told:?}");
}

#[test]
fn a_dump_says_which_root_keys_it_needs() {
    let left = left();
    let dump = left.path("plain.sql");
    let needed = left.alone(&["keys-for", &dump]);
    assert_eq!(needed.code, Some(0), "{needed:?}");
    assert!(needed.out.lines().count() == 2, "{needed:?}");
    let of = |names: &[&str]| {
        let paths: Vec<String> = names.iter().map(|name| left.path(name)).collect();
        let mut arguments = vec!["keys-for", &dump, "--json"];
        arguments.extend(paths.iter().flat_map(|path| ["--keyring", path.as_str()]));
        let said = left.alone(&arguments);
        let json: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        let has = paths.iter().map(|path| json[0]["keyrings"][path].as_str().expect("a word").to_owned());
        assert_eq!(json[0]["root_key_id"], 4);
        (said.code, has.collect::<Vec<_>>())
    };
    assert_eq!(of(&["keyring"]), (Some(0), vec!["the_key".to_owned()]));
    assert_eq!(of(&["another"]), (Some(1), vec!["another".to_owned()]));
    assert_eq!(of(&["nothing"]), (Some(1), vec!["nothing".to_owned()]));
    assert_eq!(of(&["another", "keyring"]).0, Some(0), "one of them has it");
}

#[test]
fn a_keyring_of_another_installation_opens_and_says_what_a_server_would_make_of_it() {
    let left = left();
    let named = format!("installation: elsewhere\n{}", left.text("keyring"));
    let (dump, keyring) = (left.path("plain.sql"), left.write("elsewhere", named));
    let said = left.alone(&["keys-for", &dump, "--keyring", &keyring]);
    assert!(said.code == Some(0) && said.err.contains("takes the database for a copy"), "{said:?}");
    assert_eq!(left.alone(&["open", &dump, "--keyring", &keyring]).code, Some(0));
}

#[test]
fn what_an_organisation_holds_a_key_to_opens_with_that() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let own = format!("organisation: acme\n7:{}\n", "5a".repeat(32));
    client
        .batch_execute(&format!(
            "ALTER SYSTEM SET hftok.key_command = 'printf \"{}\"'",
            own.replace('\n', "\\n").replace("acme", "%s")
        ))
        .expect("a command");
    client.batch_execute("SELECT pg_reload_conf()").expect("reloaded");
    wait_until("the command is known", 10, || {
        client.query("SELECT hftok.give_org_key('acme', true)", &[]).is_ok()
    });
    client.execute("SELECT hftok.save_hf_token($1, p_org_id => 'acme')", &[&TOKEN]).expect("saved");
    let mut program = cluster.client_program("pg_dump", "postgres", "app");
    let dump = program.output().expect("pg_dump runs").stdout;
    let left = Left { folder: tempfile::tempdir().expect("a folder"), programs: PathBuf::new() };
    let (dump, keyring) =
        (left.write("app.sql", dump), left.write("keyring", fs::read(cluster.keyring()).expect("a keyring")));
    let (own, other) = (left.write("own", &own), left.write("other", own.replace("5a", "5b")));

    let needed = left.alone(&["keys-for", &dump, "--keyring", &keyring]);
    assert!(needed.code == Some(0) && needed.err.contains("organisation acme holds a key"), "{needed:?}");
    let open = ["open", &dump, "--keyring", &keyring, "--reveal"];
    let with = |keys: &str| left.alone(&[&open[..], &["--org-keys", keys]].concat());
    let without = left.alone(&open);
    assert!(without.code == Some(1) && without.err.contains("--org-keys"), "{without:?}");
    assert_eq!((with(&other).code, with(&other).out.as_str()), (Some(1), ""));
    let opened = with(&own);
    assert!(opened.code == Some(0) && opened.out.contains(TOKEN), "{opened:?}");
}

#[test]
fn values_go_to_private_files_only() {
    let left = left();
    let (dump, keyring, output) = (left.path("plain.sql"), left.path("keyring"), left.path("values.jsonl"));
    let reveal = ["open", &dump, "--keyring", &keyring, "--reveal"];
    let with = |more: &[&str]| left.alone(&[&reveal[..], more].concat());
    assert_eq!(with(&["--output", &output]).code, Some(0));
    let mode = fs::metadata(&output).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(fs::read_to_string(&output).expect("text").contains(TOKEN));
    let again = with(&["--output", &output]);
    assert!(again.code == Some(1) && again.err.contains("--force"), "{again:?}");
    assert_eq!(with(&["--output", &output, "--force"]).code, Some(0));

    let open_to_all = left.write("open.jsonl", "");
    fs::set_permissions(&open_to_all, fs::Permissions::from_mode(0o644)).expect("chmod");
    let file = fs::File::options().write(true).open(&open_to_all).expect("a file");
    let status = hftok(&reveal).stdout(file).stderr(Stdio::null()).status().expect("it runs");
    assert_eq!(status.code(), Some(2));
    assert_eq!(fs::metadata(&open_to_all).expect("it is there").len(), 0);
    assert_eq!(drafts(left.folder.path()), 0, "drafts are left behind");
}

/// Files that were begun and not completed.
fn drafts(folder: &Path) -> usize {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    names.filter(|name| name.to_string_lossy().starts_with('.')).count()
}
