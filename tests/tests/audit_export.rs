//! The log as others verify it: a script in another language, that knows docs/audit-format.md alone, believes what hftok exported and
//! what pg_dump wrote, and nothing that somebody has changed in either.

use std::fs;
use std::path::Path;

use hftok_tests::answer::{create, one, put};
use hftok_tests::audit::{TOKEN, global_token, resolve, settled, verified};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use hftok_tests::verifier::{SCRIPT, dump, verify};
use postgres::Client;

/// Writes the files of the log from an event on into a folder.
fn export(client: &mut Client, folder: &Path, from: i64) -> usize {
    let rows = client.query("SELECT path, content FROM hftok.audit_tiles($1)", &[&from]).expect("tiles");
    for row in &rows {
        let path = folder.join(row.get::<_, String>(0));
        fs::create_dir_all(path.parent().expect("a folder")).expect("mkdir");
        fs::write(path, row.get::<_, Vec<u8>>(1)).expect("write");
    }
    rows.len()
}

/// Events of every kind: reveals, changes, refusals, keys, and the audit's own; some with texts that are hard to write.
fn events(client: &mut Client, reveals: usize) {
    for name in ["näme \u{1F511}", "tab\tline\nback\\slash", "", "6f9619ff8b86d011b42d00c04fc964ff"] {
        let id = create(client, &format!("secret {name}"), "a value");
        let _ = client
            .execute("SELECT hftok.save_hf_token($1, p_user_id => $2)", &[&TOKEN, &format!("user {name}")]);
        client.execute("SELECT hftok.delete_secret($1)", &[&id]).expect("deleted");
    }
    put(client, "kept", "first");
    put(client, "kept", "second");
    let users = [
        "alice",
        "6f9619ff-8b86-d011-b42d-00c04fc964ff",
        "6F9619FF-8b86-d011-b42d-00c04fc964ff",
        "role:postgres",
    ];
    for at in 0..reveals {
        resolve(client, users[at % users.len()]).expect("a token");
    }
    client.execute("SELECT hftok.get_secret('nobody''s')", &[]).expect_err("not found");
    client.execute("SELECT hftok.update_secret(gen_random_uuid(), 'x')", &[]).expect_err("not found");
    client.execute("SELECT hftok.find_secret('a guess')", &[]).expect("asked");
    client.execute("SELECT hftok.seal()", &[]).expect("sealed");
    client.execute("SELECT hftok.get_secret('kept')", &[]).expect_err("sealed");
    client.execute("SELECT hftok.unseal()", &[]).expect("unsealed");
    settled(client);
}

/// Changes bytes of a file as long as a closure runs.
fn changed(path: &Path, change: impl FnOnce(&mut Vec<u8>), check: impl FnOnce()) {
    let whole = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = whole.clone();
    change(&mut bytes);
    assert_ne!(bytes, whole);
    fs::write(path, bytes).expect("write");
    check();
    fs::write(path, whole).expect("write");
}

/// A server, a log of some hundred events, and its public key.
fn log(reveals: usize) -> (Cluster, Client, String) {
    let cluster = Setup::default().setting("hftok.audit_retention = 0").start();
    let mut client = cluster.database("app");
    global_token(&mut client);
    events(&mut client, reveals);
    let key = one(&mut client, "SELECT hftok.audit_public_key()", &[]);
    (cluster, client, key)
}

#[test]
fn the_script_is_as_short_as_promised() {
    let script = fs::read_to_string(SCRIPT).expect("the script");
    assert!(script.lines().count() <= 200, "longer than promised");
}

#[test]
fn what_was_exported_or_dumped_is_believed() {
    let (cluster, mut client, key) = log(700);
    let folder = tempfile::tempdir().expect("a folder");
    let (tiles, head) = (folder.path().join("log"), folder.path().join("head"));
    fs::write(&head, one::<String>(&mut client, "SELECT hftok.audit_head()", &[])).expect("write");
    let count = verified(&mut client);
    assert!(count > 700, "{count}");
    export(&mut client, &tiles, 0);
    let said = verify(&tiles, &key, Some(&head)).expect("believed");
    assert!(said.starts_with("OK: ") && said.ends_with(" events"), "{said}");

    // An export is brought up to date by its newer part, and says what a dump says.
    events(&mut client, 300);
    let newer = export(&mut client, &tiles, 513);
    let all = export(&mut client, &folder.path().join("all"), 0);
    assert!(newer < all, "{newer} files of {all}");
    let said = verify(&tiles, &key, Some(&head)).expect("believed");
    assert_eq!(verify(&dump(&cluster, folder.path()), &key, Some(&head)), Ok(said));

    // Events that were purged are missed by nobody, and a head from before holds: within a tile, too.
    // By somebody else: nobody wipes their own slate.
    client.batch_execute("CREATE ROLE purger LOGIN SUPERUSER").expect("a role");
    let mut purger = cluster.client("purger", "app");
    let removed: i64 = one(&mut purger, "SELECT hftok.purge_audit(now() + interval '1 minute')", &[]);
    assert!(removed > 512, "{removed}");
    settled(&mut client);
    let purged = folder.path().join("purged");
    export(&mut client, &purged, 0);
    assert!(!purged.join("tile/entries/000").exists());
    let said = verify(&purged, &key, Some(&head)).expect("believed");
    assert_eq!(verify(&dump(&cluster, folder.path()), &key, Some(&head)), Ok(said));
}

#[test]
fn an_export_that_somebody_has_changed_is_refused() {
    let (_cluster, mut client, key) = log(500);
    let folder = tempfile::tempdir().expect("a folder");
    let (older, newer, head) =
        (folder.path().join("older"), folder.path().join("newer"), folder.path().join("head"));
    export(&mut client, &older, 0);
    events(&mut client, 10);
    export(&mut client, &newer, 0);
    fs::copy(newer.join("checkpoint"), &head).expect("copied");
    verify(&older, &key, None).expect("believed");
    verify(&newer, &key, Some(&head)).expect("believed");
    let refused = verify(&older, &key, Some(&head)).expect_err("the newest events are missing");
    assert!(refused.contains("up to the head are missing"), "{refused}");

    let files = ["checkpoint", "tile/0/000", "tile/0/001", "tile/entries/000", "tile/entries/001"];
    let partial = ["tile/1", "tile/entries", "tile/0"].map(|level| {
        let find = |folder: fs::ReadDir| {
            folder.map(|file| file.expect("a file").path()).find(|path| path.extension().is_some())
        };
        let folder = find(fs::read_dir(newer.join(level)).expect("a folder")).expect("a part of a tile");
        fs::read_dir(folder).expect("a folder").next().expect("a file").expect("a file").path()
    });
    for path in files.map(|file| newer.join(file)).iter().chain(&partial) {
        let last = fs::metadata(path).expect("a file").len();
        for at in [0, 40, last / 2, last - 2].map(|at| usize::try_from(at.min(last - 2)).expect("small")) {
            changed(
                path,
                |bytes| bytes[at] ^= 1,
                || {
                    verify(&newer, &key, None).expect_err(&format!("byte {at} of {}", path.display()));
                },
            );
        }
        fs::rename(path, folder.path().join("away")).expect("moved");
        verify(&newer, &key, None).expect_err("a file is missing");
        fs::rename(folder.path().join("away"), path).expect("moved");
    }
    changed(
        &newer.join("tile/entries/001"),
        |bytes| bytes[300] ^= 8,
        || {
            let refused = verify(&newer, &key, None).expect_err("changed");
            assert!(refused.contains(": event 2"), "{refused}");
        },
    );
    let other = key.replace('+', "x+");
    verify(&newer, &other, None).expect_err("the key of another log");
}

/// Copies of the tables, to undo an edit by: pg_dump sees what is committed only.
const KEEP: &str = "CREATE TABLE kept AS TABLE hftok_private.audit; CREATE TABLE kept_bundles AS TABLE hftok_private.audit_bundles;
    CREATE TABLE kept_nodes AS TABLE hftok_private.audit_nodes;
    CREATE TABLE kept_checkpoints AS TABLE hftok_private.audit_checkpoints";
const UNDO: &str = "TRUNCATE hftok_private.audit, hftok_private.audit_bundles, hftok_private.audit_nodes, hftok_private.audit_checkpoints;
    INSERT INTO hftok_private.audit TABLE kept; INSERT INTO hftok_private.audit_bundles TABLE kept_bundles;
    INSERT INTO hftok_private.audit_nodes TABLE kept_nodes; INSERT INTO hftok_private.audit_checkpoints TABLE kept_checkpoints;
    DROP TABLE kept, kept_bundles, kept_nodes, kept_checkpoints";

/// Edits of a change (c), a bundle (b), nodes (n) and the newest checkpoint (k), and words of the refusal.
const EDITS: [(&str, &str); 15] = [
    ("UPDATE c SET owner_id = 'x'", "event {change}: "),
    ("UPDATE c SET at = at + interval '1 us'", "event {change}: "),
    ("UPDATE c SET chain_hash = '\\x00'", "event {change}: "),
    ("DELETE FROM c", "event {change}: "),
    ("UPDATE c SET id = 900000", "event 900000: "),
    ("UPDATE b SET body = set_byte(body, 90, 1 + get_byte(body, 90) % 2)", "bundle from event "),
    (
        "UPDATE b SET body = set_byte(body, length(body) - 1, 77), body_hash = sha256(set_byte(body, length(body) - 1, 77))",
        "NOT OK: ",
    ),
    ("UPDATE b SET first_at = first_at - interval '1 us'", "bundle from event "),
    ("UPDATE b SET count = count - 1", "event "),
    ("DELETE FROM b", "event "),
    ("UPDATE n SET hash = sha256(hash) WHERE number = 1", "events 257 to 512"),
    ("DELETE FROM n WHERE number = 0", "events 1 to 256"),
    ("UPDATE k SET root = sha256(root)", "not by this key"),
    ("UPDATE k SET size = size + 1", "not by this key"),
    ("UPDATE k SET signature = set_byte(signature, 50, get_byte(signature, 50) # 1)", "not by this key"),
];

#[test]
fn a_dump_that_somebody_has_changed_is_refused() {
    let (cluster, mut client, key) = log(500);
    let folder = tempfile::tempdir().expect("a folder");
    verify(&dump(&cluster, folder.path()), &key, None).expect("believed");
    let change: i64 = one(&mut client, "SELECT max(id) FROM hftok_private.audit WHERE kind = 'change'", &[]);
    client
        .batch_execute(&format!(
            "SET session_replication_role = replica;
            CREATE TEMP VIEW c AS SELECT * FROM hftok_private.audit WHERE id = {change};
            CREATE TEMP VIEW b AS SELECT * FROM hftok_private.audit_bundles
                WHERE last_id = (SELECT max(last_id) FROM hftok_private.audit_bundles WHERE count > 3);
            CREATE TEMP VIEW n AS SELECT * FROM hftok_private.audit_nodes;
            CREATE TEMP VIEW k AS SELECT * FROM hftok_private.audit_checkpoints
                WHERE size = (SELECT max(size) FROM hftok_private.audit_checkpoints)"
        ))
        .expect("made");
    for (edit, words) in EDITS {
        client.batch_execute(KEEP).expect("kept");
        assert!(client.execute(edit, &[]).expect("edited") > 0, "{edit}");
        let refused = verify(&dump(&cluster, folder.path()), &key, None).expect_err(edit);
        assert!(refused.contains(&words.replace("{change}", &change.to_string())), "{edit}: {refused}");
        client.batch_execute(UNDO).expect("undone");
    }
    verify(&dump(&cluster, folder.path()), &key, None).expect("believed");
}
