//! Roles that stand for themselves: names that are no text here, and what a restored dump takes them for.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

use hftok_tests::answer::{one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::run;

/// The output and the errors of psql as this login; names and statements are bytes.
fn psql(cluster: &Cluster, database: &str, login: &[u8], sql: &[u8]) -> (String, String) {
    let mut child = cluster
        .program("psql")
        .args(["-XAtq", "-p", "5432", "-d", database, "-h"])
        .arg(cluster.folder())
        .arg("-U")
        .arg(OsStr::from_bytes(login))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql runs");
    child.stdin.take().expect("a pipe").write_all(sql).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr))
}

#[test]
fn a_name_that_is_not_utf_8_is_nobody() {
    let cluster = Cluster::start_default();
    let mut superuser = cluster.database("app");
    superuser
        .batch_execute("CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0")
        .expect("a database");
    let make =
        b"CREATE ROLE \"m\xe9x\" LOGIN IN ROLE hftok_user; CREATE ROLE \"m\xe8x\" LOGIN IN ROLE hftok_user;";
    let (_, error) = psql(&cluster, "bytes", b"postgres", make);
    assert_eq!(error, "");
    for name in [b"m\xe9x", b"m\xe8x"] {
        for sql in
            ["SELECT hftok.whoami()", "SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH')"]
        {
            let (out, error) = psql(&cluster, "app", name, sql.as_bytes());
            assert_eq!(out, "", "{sql}");
            assert!(error.contains("hftok does not know who is calling"), "{sql}: {error}");
        }
        let (out, _) = psql(&cluster, "app", name, b"SELECT count(*) FROM hftok.credentials");
        assert_eq!(out, "0\n");
    }
    // The audit shows them apart.
    superuser.batch_execute("SELECT hftok.audit_head()").expect("written");
    let shown = "SELECT count(DISTINCT login_role) FROM hftok.audit_events WHERE outcome = 'no_identity'";
    assert_eq!(one::<i64>(&mut superuser, shown, &[]), 2);
}

#[test]
fn a_restored_database_takes_roles_by_name_once() {
    let cluster = Cluster::start_default();
    let mut superuser = cluster.database("app");
    superuser.batch_execute("CREATE ROLE direct LOGIN IN ROLE hftok_user").expect("a role");
    let save = "SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH')";
    cluster.client("direct", "app").batch_execute(save).expect("saved");
    let folder = cluster.folder().to_owned();
    let dump =
        run(cluster.program("pg_dump").args(["-U", "postgres", "-p", "5432", "-h"]).arg(&folder).arg("app"));
    // In another server the role of this name has another oid.
    superuser
        .batch_execute("DROP ROLE direct; CREATE ROLE direct LOGIN IN ROLE hftok_user")
        .expect("another");
    refused(cluster.client("direct", "app").batch_execute("SELECT hftok.whoami()"), "42501");
    superuser.batch_execute("CREATE DATABASE restored TEMPLATE template0").expect("a database");
    psql(&cluster, "restored", b"postgres", dump.as_bytes());
    let mut direct = cluster.client("direct", "restored");
    assert_eq!(one::<String>(&mut direct, "SELECT hftok.whoami()", &[]), "role:direct");
    assert_eq!(one::<i64>(&mut direct, "SELECT count(*) FROM hftok.credentials", &[]), 1);
    cluster
        .client("postgres", "restored")
        .batch_execute("DROP ROLE direct; CREATE ROLE direct LOGIN IN ROLE hftok_user")
        .expect("another");
    refused(cluster.client("direct", "restored").batch_execute("SELECT hftok.whoami()"), "42501");
}
