//! Rows edited behind hftok's back, by somebody who may read and edit every row and has no key: nothing opens where it
//! doesn't belong, the others stay readable, and verify() names what is wrong.

use std::collections::BTreeSet;
use std::sync::{Once, OnceLock};

use hftok_tests::answer::{column, create, get, one, put, refused, texts};
use hftok_tests::cluster::Cluster;
use postgres::Client;
use uuid::Uuid;

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start_default)
}

/// A database with hftok: a session of a superuser, and one of the intruder.
fn tampering(name: &str) -> (Client, Client) {
    let mut client = cluster().database(name);
    static ROLE: Once = Once::new();
    ROLE.call_once(|| {
        let sql = "CREATE ROLE intruder LOGIN BYPASSRLS IN ROLE pg_read_all_data, pg_write_all_data";
        client.batch_execute(sql).expect("a superuser may");
    });
    // The role may not execute the table's check, but that is no wall to count on.
    client
        .batch_execute("GRANT EXECUTE ON FUNCTION hftok_private.is_secret TO intruder")
        .expect("a superuser may");
    (client, cluster().client("intruder", name))
}

/// Faults that verify() names: kind and id.
type Faults = BTreeSet<(String, String)>;

/// Asks verify(); its last row must count what it checked and what failed.
fn verify(client: &mut Client, checked: i64) -> Faults {
    let rows =
        client.query("SELECT kind, id, reason, checked, failed FROM hftok.verify()", &[]).expect("verify()");
    let (last, named) = rows.split_last().expect("a last row");
    assert_eq!(last.get::<_, String>(0), "total");
    // And the two keys of the audit.
    assert_eq!(last.get::<_, Option<i64>>(3), Some(checked + 2), "rows checked");
    assert_eq!(last.get::<_, Option<i64>>(4), i64::try_from(named.len()).ok(), "rows failed");
    for row in named {
        assert!(!row.get::<_, String>(2).is_empty(), "a reason");
    }
    named.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The rows that the view shows as NULL; all others must show `value of <name>`.
fn unreadable(client: &mut Client) -> BTreeSet<Uuid> {
    let rows = client
        .query("SELECT id, name, decrypted_secret FROM hftok.decrypted_secrets", &[])
        .expect("the view");
    rows.iter()
        .filter(|row| match row.get::<_, Option<String>>(2) {
            Some(value) => {
                assert_eq!(value, format!("value of {}", row.get::<_, String>(1)));
                false
            }
            None => true,
        })
        .map(|row| row.get(0))
        .collect()
}

fn faults(kind: &str, ids: impl IntoIterator<Item = Uuid>) -> Faults {
    ids.into_iter().map(|id| (kind.to_owned(), id.to_string())).collect()
}

/// A call for a value that is there but does not open, with the JSON that PostgREST passes on as `details`.
fn assert_damaged(result: Result<String, postgres::Error>, id: Uuid, version: i32) {
    let error = refused(result, "PT422");
    assert_eq!(error.message(), "Unprocessable Entity", "the HTTP status line");
    let detail = error.detail().expect("a detail");
    for part in [
        r#""level":"vault""#.to_owned(),
        r#""outcome":"decrypt_failed""#.to_owned(),
        format!(r#""secret_id":"{id}""#),
        format!(r#""version":{version}"#),
    ] {
        assert!(detail.contains(&part), "{detail} lacks {part}");
    }
}

#[test]
fn any_edit_of_what_is_bound_shuts_the_value() {
    let (mut client, mut intruder) = tampering("edits");
    let edits = [
        "name = 'renamed'",
        "scope_id = 'mallory'",
        "provider = 'huggingface'",
        "model = 'm'",
        "version = version + 1",
        "expires_at = now() + interval '1 year'",
        "allowed_hosts = '{evil.example}'",
        "allowed_hosts = '{}'",
        "sealed = set_byte(sealed, 0, get_byte(sealed, 0) # 3)",
        "sealed = set_byte(sealed, 5, get_byte(sealed, 5) # 1)",
        "sealed = set_byte(sealed, 29, get_byte(sealed, 29) # 128)",
        "sealed = set_byte(sealed, length(sealed) - 1, get_byte(sealed, length(sealed) - 1) # 1)",
        "sealed = substr(sealed, 1, length(sealed) - 1)",
        "sealed = sealed || '\\x00'",
        "sealed = ''",
    ];
    let ids: Vec<Uuid> =
        (0..edits.len()).map(|at| create_fitting(&mut client, &format!("edited {at}"))).collect();
    create_fitting(&mut client, "untouched");
    let checked = i64::try_from(edits.len()).expect("a count") + 3;
    assert_eq!(verify(&mut client, checked), Faults::new(), "nothing is wrong before the edits");
    for (at, (edit, id)) in edits.iter().zip(&ids).enumerate() {
        let sql = format!("UPDATE hftok_private.secrets SET {edit} WHERE id = $1");
        assert_eq!(intruder.execute(&sql, &[id]).expect("edited"), 1);
        // The name still leads to the row: the hash that finds it was not edited.
        let version = if edit.starts_with("version") { 2 } else { 1 };
        let result = get(&mut client, &format!("edited {at}"));
        assert_damaged(result, *id, version);
    }
    assert_eq!(get(&mut client, "untouched").expect("the others open"), "value of untouched");
    assert_eq!(unreadable(&mut client), ids.iter().copied().collect());
    assert_eq!(verify(&mut client, checked), faults("secret", ids));
}

/// No trigger mends the row: hosts and end of a named secret are not changed by a plain UPDATE.
#[test]
fn an_edit_with_triggers_shuts_a_named_secret_too() {
    let mut client = cluster().database("triggers");
    for (at, edit) in
        ["allowed_hosts = '{evil.example}'", "expires_at = now() + interval '1 year'"].iter().enumerate()
    {
        let name = format!("edited {at}");
        let id = create_fitting(&mut client, &name);
        let sql = format!("UPDATE hftok_private.secrets SET {edit} WHERE id = $1");
        // Refused, or the value does not open any more.
        if client.execute(&sql, &[&id]).is_ok() {
            let result = get(&mut client, &name);
            assert!(result.is_err(), "sealed anew for whoever edits the row: {edit}");
            assert_damaged(result, id, 1);
        }
    }
}

fn create_fitting(client: &mut Client, name: &str) -> Uuid {
    create(client, name, &format!("value of {name}"))
}

/// A role with every right on the tables lets two rows swap something, as completely as it can.
#[test]
fn rows_that_swapped_something_do_not_open() {
    let (mut client, mut intruder) = tampering("swaps");
    create_fitting(&mut client, "untouched");
    let mut shut = BTreeSet::new();
    for (number, columns) in [
        &["sealed"][..],
        &["name"],
        &["name", "binding_key"],
        &["sealed", "preview", "fingerprint"],
        &["version"],
    ]
    .into_iter()
    .enumerate()
    {
        let names = [format!("left {number}"), format!("right {number}")];
        let ids = names.each_ref().map(|name| create_fitting(&mut client, name));
        put(&mut client, &names[1], &format!("value of {}", names[1]));
        swap(&mut intruder, columns, ids);
        for name in &names {
            let error = refused(get(&mut client, name), "PT422");
            assert!(
                error.detail().is_some_and(|detail| ids.iter().any(|id| detail.contains(&id.to_string())))
            );
        }
        shut.extend(ids);
    }
    assert_eq!(unreadable(&mut client), shut);
    assert_eq!(get(&mut client, "untouched").expect("the others open"), "value of untouched");
    let named: Vec<Uuid> = verify(&mut client, 2 + 11 + 5)
        .into_iter()
        .map(|(kind, id)| {
            assert_eq!(kind, "secret");
            id.parse().expect("an id")
        })
        .collect();
    assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), shut);
}

/// Secrets without a name differ in nothing but their id.
#[test]
fn nameless_secrets_that_swapped_their_ciphertexts_do_not_open() {
    let (mut client, mut intruder) = tampering("nameless");
    let mut make = || one::<Uuid>(&mut client, "SELECT hftok.create_secret('the same value')", &[]);
    let ids = [make(), make()];
    swap(&mut intruder, &["sealed"], ids);
    assert_eq!(unreadable(&mut client), BTreeSet::from(ids));
    assert_eq!(verify(&mut client, 2 + 2), faults("secret", ids));
    refused(client.query("SELECT hftok.update_secret($1, new_name => 'named')", &[&ids[0]]), "PT422");
}

/// Lets two rows swap columns, in three steps, because the hash is unique.
fn swap(client: &mut Client, columns: &[&str], [left, right]: [Uuid; 2]) {
    let assignments =
        |from: &str| columns.iter().map(|c| format!("{c} = {from}.{c}")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "BEGIN;
         CREATE TEMP TABLE held ON COMMIT DROP AS SELECT * FROM hftok_private.secrets WHERE id IN ('{left}', '{right}');
         UPDATE hftok_private.secrets SET binding_key = gen_random_uuid() WHERE id = '{left}' AND {moves};
         UPDATE hftok_private.secrets s SET {to_right} FROM held WHERE s.id = '{right}' AND held.id = '{left}';
         UPDATE hftok_private.secrets s SET {to_left} FROM held WHERE s.id = '{left}' AND held.id = '{right}';
         COMMIT",
        moves = columns.contains(&"binding_key"),
        to_right = assignments("held"),
        to_left = assignments("held"),
    );
    client.batch_execute(&sql).expect("swapped");
}

/// The edited fields do not decide who gets the value, so it opens; but a preview or hash of another value would be a lie.
#[test]
fn verify_names_previews_fingerprints_and_hashes_that_belong_to_another_value() {
    let (mut client, mut intruder) = tampering("previews");
    let edits = [
        "preview = 'hf_•••••••••••••9999'",
        "fingerprint = set_byte(fingerprint, 19, get_byte(fingerprint, 19) # 1)",
        "fingerprint = ''",
        "binding_key = gen_random_uuid()",
    ];
    let ids: Vec<Uuid> =
        (0..edits.len()).map(|at| create_fitting(&mut client, &format!("shown {at}"))).collect();
    for (edit, id) in edits.iter().zip(&ids) {
        let sql = format!("UPDATE hftok_private.secrets SET {edit} WHERE id = $1");
        assert_eq!(intruder.execute(&sql, &[id]).expect("edited"), 1);
    }
    assert_eq!(unreadable(&mut client), BTreeSet::new());
    assert_eq!(verify(&mut client, 4 + 2), faults("secret", ids));
}

#[test]
fn previous_versions_open_after_a_rename_and_not_after_an_edit() {
    let (mut client, mut intruder) = tampering("previous");
    let id = create(&mut client, "old name", "first");
    put(&mut client, "old name", "second");
    client.query("SELECT hftok.update_secret($1, new_name => 'new name')", &[&id]).expect("renamed");
    put(&mut client, "new name", "third");
    let version = |client: &mut Client, version: i32| {
        client
            .query_one("SELECT hftok.get_secret('new name', $1)", &[&version])
            .map(|row| row.get::<_, String>(0))
    };
    for (number, value) in [(1, "first"), (2, "second"), (3, "third")] {
        assert_eq!(version(&mut client, number).expect("opens after the rename"), value);
    }
    refused(get(&mut client, "old name"), "PT404");
    assert_eq!(verify(&mut client, 1 + 2 + 2), Faults::new());

    let sql =
        "UPDATE hftok_private.secret_versions SET name = 'new name' WHERE secret_id = $1 AND version = 1";
    assert_eq!(intruder.execute(sql, &[&id]).expect("edited"), 1);
    assert_damaged(version(&mut client, 1), id, 1);
    assert_eq!(version(&mut client, 2).expect("the others open"), "second");
    assert_eq!(verify(&mut client, 1 + 2 + 2), faults("version", [id]));
    refused(client.query("SELECT hftok.restore_secret($1, 1)", &[&id]), "PT422");

    // A previous version put in the place of the current one: the version is bound.
    let sql = "UPDATE hftok_private.secrets s SET sealed = v.sealed FROM hftok_private.secret_versions v
        WHERE s.id = $1 AND v.secret_id = s.id AND v.version = 2";
    assert_eq!(intruder.execute(sql, &[&id]).expect("edited"), 1);
    assert_damaged(get(&mut client, "new name"), id, 3);
}

/// Under keys that are wiped and unwrapped anew: those in memory know nothing of the edit.
#[test]
fn data_keys_that_were_swapped_or_deleted_are_named_and_come_back() {
    let (mut client, mut intruder) = tampering("data_keys");
    let id = create_fitting(&mut client, "kept");
    let forget = |client: &mut Client| client.batch_execute("SELECT hftok.unseal()").expect("unseal");
    client
        .batch_execute("CREATE TABLE public.backup AS SELECT * FROM hftok_private.data_keys")
        .expect("backup");

    intruder
        .batch_execute(
            "UPDATE hftok_private.data_keys k SET wrapped = b.wrapped FROM backup b WHERE b.purpose <> k.purpose",
        )
        .expect("swapped");
    forget(&mut client);
    let error = refused(get(&mut client, "kept"), "53HF1");
    let key: i32 = one(&mut client, "SELECT id FROM backup WHERE purpose = 'values'", &[]);
    assert!(error.detail().is_some_and(|detail| detail.contains(&key.to_string())), "{error:?}");
    let keys: Vec<i32> = column(&mut client, "SELECT id FROM backup");
    let mut expected: Faults = keys.iter().map(|key| ("data key".to_owned(), key.to_string())).collect();
    expected.extend(faults("secret", [id]));
    assert_eq!(verify(&mut client, 3), expected);
    assert_eq!(unreadable(&mut client), BTreeSet::from([id]));
    // Nothing is sealed by a key that nobody can unwrap.
    refused(client.query("SELECT hftok.create_secret('x')", &[]), "53HF1");

    intruder
        .batch_execute(
            "UPDATE hftok_private.data_keys k SET wrapped = b.wrapped FROM backup b WHERE b.id = k.id",
        )
        .expect("put back");
    assert_eq!(get(&mut client, "kept").expect("opens again"), "value of kept");

    intruder.batch_execute("DELETE FROM hftok_private.data_keys WHERE purpose = 'values'").expect("deleted");
    forget(&mut client);
    let error = refused(get(&mut client, "kept"), "53HF1");
    assert!(error.detail().is_some_and(|detail| detail.contains(&key.to_string())), "{error:?}");
    assert_eq!(unreadable(&mut client), BTreeSet::from([id]));
    assert_eq!(verify(&mut client, 2), faults("secret", [id]));
    let reason = texts(&mut client, "SELECT reason FROM hftok.verify() WHERE kind = 'secret'");
    assert!(reason[0].as_ref().is_some_and(|reason| reason.contains(&key.to_string())), "{reason:?}");

    intruder
        .batch_execute("INSERT INTO hftok_private.data_keys SELECT * FROM backup WHERE purpose = 'values'")
        .expect("put back");
    assert_eq!(get(&mut client, "kept").expect("opens again"), "value of kept");
    assert_eq!(verify(&mut client, 3), Faults::new());

    // The id of the key in the value itself: it leads to a key that isn't there, or to one for another purpose.
    intruder
        .batch_execute(
            "UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 4, get_byte(sealed, 4) # 1)",
        )
        .expect("edited");
    refused(get(&mut client, "kept"), "53HF1");
    assert_eq!(unreadable(&mut client), BTreeSet::from([id]));
    assert_eq!(verify(&mut client, 3), faults("secret", [id]));
}
