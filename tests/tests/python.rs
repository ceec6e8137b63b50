//! The sealed format as docs/sealed-format.md has it: a script of some forty lines in another language, with another
//! library, opens what the extension sealed.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use hftok_tests::answer::{create, one, put};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::run;
use hftok_tests::wait_until;
use postgres::Client;

/// A Python with the package that has AES, installed once under the target folder.
fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(install).clone()
}

fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("open_value");
    let python = folder.join("bin/python");
    let has_package = |python: &Path| {
        let import = "from cryptography.hazmat.primitives.ciphers.aead import AESGCM";
        Command::new(python)
            .args(["-c", import])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !has_package(&python) {
        let _ = fs::remove_dir_all(&folder);
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(folder.join("bin/pip")).args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "cryptography",
        ]));
        assert!(has_package(&python));
    }
    python
}

/// The value that the script opens a row to, or `None` when it does not open.
fn opened(python: &Path, given: &str) -> Option<Vec<u8>> {
    let mut script = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/open_value.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python runs");
    script.stdin.take().expect("a pipe").write_all(given.as_bytes()).expect("write");
    let output = script.wait_with_output().expect("python ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || complaint.contains("InvalidTag"), "{complaint}");
    output.status.success().then_some(output.stdout)
}

/// The input of the script: the keyring, the data key and the row, as anybody finds them in a dump.
fn given(cluster: &Cluster, client: &mut Client, table: &str, condition: &str) -> String {
    let keyring = fs::read_to_string(cluster.keyring()).expect("the keyring");
    one(
        client,
        &format!(
            "SELECT json_build_object('keyring', $1::text, 'data_key', row_to_json(k), 'row', row_to_json(r), 'generations',
                (SELECT json_agg(i ORDER BY i.generation) FROM hftok_private.database_identity i))::text
             FROM hftok_private.{table} r, hftok_private.data_keys k
             WHERE k.purpose = 'values' AND k.state = 'active' AND {condition}"
        ),
        &[&keyring],
    )
}

#[test]
fn a_script_in_another_language_opens_what_was_sealed() {
    let script =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/open_value.py")).expect("the script");
    assert!(script.lines().count() <= 50, "longer than promised");
    let python = python();
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let values = ["hf_0123456789abcdefghij", "", "Schlüssel \u{1F511}\nwith 'quotes'"];
    for (at, value) in values.iter().enumerate() {
        create(&mut client, &format!("näme {at}"), value);
    }
    put(&mut client, "näme 0", "the second version");
    client.query("SELECT hftok.create_secret('nameless')", &[]).expect("create");

    let mut open = |table: &str, condition: &str| {
        let given = given(&cluster, &mut client, table, condition);
        opened(&python, &given).map(|bytes| String::from_utf8(bytes).expect("text"))
    };
    assert_eq!(open("secrets", "r.name = 'näme 0'").as_deref(), Some("the second version"));
    assert_eq!(open("secret_versions", "r.name = 'näme 0'").as_deref(), Some(values[0]));
    assert_eq!(open("secrets", "r.name = 'näme 1'").as_deref(), Some(values[1]));
    assert_eq!(open("secrets", "r.name = 'näme 2'").as_deref(), Some(values[2]));
    assert_eq!(open("secrets", "r.name = ''").as_deref(), Some("nameless"));

    // Triggers must not mend what is edited here.
    client.batch_execute("SET session_replication_role = replica").expect("set");
    for edit in
        ["name = 'other'", "version = 3", "expires_at = now()", "allowed_hosts = '{}'", "scope_id = 'x'"]
    {
        client
            .batch_execute(&format!("BEGIN; UPDATE hftok_private.secrets SET {edit} WHERE name = 'näme 0'"))
            .expect("edited");
        let given = given(&cluster, &mut client, "secrets", "r.version > 1");
        client.batch_execute("ROLLBACK").expect("undone");
        assert_eq!(opened(&python, &given), None, "{edit} is bound");
    }
}

#[test]
fn it_opens_what_an_organisation_holds_a_key_to() {
    let python = python();
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let own = "5a".repeat(32);
    client
        .batch_execute(&format!(
            "ALTER SYSTEM SET hftok.key_command = 'printf \"organisation: %s\\n7:{own}\\n\"'"
        ))
        .expect("a command");
    client.batch_execute("SELECT pg_reload_conf()").expect("reloaded");
    wait_until("the command is known", 10, || {
        client.query("SELECT hftok.give_org_key('acme', true)", &[]).is_ok()
    });
    let value = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH";
    client.query("SELECT hftok.save_hf_token($1, p_org_id => 'acme')", &[&value]).expect("saved");
    let given = given(&cluster, &mut client, "secrets", "k.by_org");
    let with = |own: &str| opened(&python, &format!("{}, \"own\": \"{own}\"}}", &given[..given.len() - 1]));
    assert_eq!(with(&own).as_deref(), Some(value.as_bytes()));
    assert_eq!(with(&"5b".repeat(32)), None);
}
