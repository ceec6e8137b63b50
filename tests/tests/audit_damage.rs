//! Somebody who owns the tables of the audit changes them where no writer looks: the audit goes on, says so for ever, and removes
//! nothing. And whoever verifies it while much is written is never told of damage that there is not.

use std::time::Duration;

use hftok_tests::answer::{create, get, one};
use hftok_tests::audit::{count, global_token, resolve, rows, settled, verified, without_writer};
use hftok_tests::cluster::Cluster;
use hftok_tests::traffic::{Manner, Traffic};
use postgres::Client;

/// The answer of verify_audit(): whether all is well, the first bad event, and the reason.
fn verdict(client: &mut Client) -> (Option<bool>, Option<i64>, String) {
    let row = client.query_one("SELECT ok, first_bad, reason FROM hftok.verify_audit()", &[]);
    let row = row.expect("verify_audit()");
    (row.get(0), row.get(1), row.get::<_, Option<String>>(2).unwrap_or_default())
}

/// Values for so many users.
#[track_caller]
fn reveal(client: &mut Client, name: &str, many: i32) {
    let sql = format!("SELECT count(hftok.resolve_hf_token('{name} ' || n)) FROM generate_series(1, $1) n");
    assert_eq!(one::<i64>(client, &sql, &[&many]), i64::from(many), "{name}: a value each");
    settled(client);
}

/// Number of events that lie in the tables, wherever somebody has put them.
fn stored(client: &mut Client) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM hftok_private.audit)
        + (SELECT coalesce(sum(count), 0)::bigint FROM hftok_private.audit_bundles)";
    one(client, sql, &[])
}

/// Does a deed while there is no writer, and sees the audit go on after it; gives the session.
#[track_caller]
fn goes_on_after(cluster: &Cluster, name: &str, deed: &str) -> Client {
    goes_on(cluster, name, deed, false)
}

/// The same, perhaps with a restart in between, after which no memory tells how long the log was.
#[track_caller]
fn goes_on(cluster: &Cluster, name: &str, deed: &str, restarts: bool) -> Client {
    let mut client = cluster.database(name);
    global_token(&mut client);
    client
        .batch_execute("CREATE TABLE older AS TABLE hftok_private.audit_checkpoints")
        .expect("an older checkpoint");
    reveal(&mut client, "before", 700);
    get(&mut client, "absent").expect_err("a refusal");
    create(&mut client, "name", "value");
    settled(&mut client);
    verified(&mut client);
    settled(&mut client);
    without_writer(cluster);
    client.batch_execute(deed).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let left = stored(&mut client);
    if restarts {
        cluster.restart();
        client = cluster.client("postgres", name);
    }

    resolve(&mut client, "after").expect("resolves");
    settled(&mut client);
    assert_eq!(count(&mut client, "kind = 'reveal' AND actor_user = 'after'"), 1, "{name}: no event is lost");
    let damage = "action = 'audit_checkpoint' AND outcome = 'damaged'";
    let told: Option<i64> =
        one(&mut client, &format!("SELECT min(id) FROM hftok_private.audit_rows WHERE {damage}"), &[]);
    let told = told.unwrap_or_else(|| panic!("{name}: no event tells of it"));
    for after in [0, 300] {
        reveal(&mut client, "later", after);
        let (ok, bad, reason) = verdict(&mut client);
        assert_eq!(ok, Some(false), "{name}: {reason}");
        let bad = bad.expect("a number");
        assert!(bad <= told && !reason.is_empty(), "{name}: {bad}, told by {told}: {reason}");
        settled(&mut client);
    }
    assert_eq!(count(&mut client, "kind = 'reveal' AND actor_user LIKE 'later %'"), 300, "{name}");
    let lag = "SELECT audit_lag < interval '1 s' FROM hftok.status()";
    assert!(one::<bool>(&mut client, lag, &[]), "{name}: the audit keeps up");
    // A reveal, the damage, and three hundred; and the two verifications.
    assert_eq!(
        stored(&mut client),
        left + 1 + rows(&mut client, damage) + 300 + 2,
        "{name}: nothing was removed"
    );
    assert_eq!(rows(&mut client, damage), 1, "{name}: it is told once");
    client
}

/// Number of events with a number that no event of ours has.
fn aside(client: &mut Client) -> i64 {
    let sql = "SELECT (SELECT count(*) FROM hftok_private.audit WHERE id < 0)
        + (SELECT count(*) FROM hftok_private.audit_bundles WHERE last_id < 0)";
    one(client, sql, &[])
}

/// A row as somebody without a key makes it, with this number.
fn row(number: &str) -> String {
    format!(
        "INSERT INTO hftok_private.audit (id, at, kind, action, outcome, count, protected, chain_hash)
         SELECT {number}, now(), 'audit', 'status', 'used', 1, true, sha256('x') FROM hftok_private.audit_checkpoints
         ORDER BY size DESC LIMIT 1;"
    )
}

#[test]
fn a_checkpoint_that_is_older_or_gone_or_changed_is_told_of() {
    let cluster = Cluster::start_default();
    for (name, deed) in [
        (
            "older",
            "DELETE FROM hftok_private.audit_checkpoints; INSERT INTO hftok_private.audit_checkpoints TABLE older",
        ),
        ("gone", "DELETE FROM hftok_private.audit_checkpoints"),
        (
            "changed",
            "UPDATE hftok_private.audit_checkpoints SET signature = set_byte(signature, 40, get_byte(signature, 40) # 1)",
        ),
    ] {
        let mut client = goes_on_after(&cluster, name, deed);
        assert_eq!(aside(&mut client), 0, "{name}: every event has its place");
    }
}

#[test]
fn rows_beyond_the_end_are_put_out_of_the_way() {
    let cluster = Cluster::start_default();
    let mut client = goes_on_after(&cluster, "beyond", &(row("size + 7") + &row("9223372036854775807")));
    assert_eq!(aside(&mut client), 2);
    let bundle = "INSERT INTO hftok_private.audit_bundles
        SELECT (SELECT max(size) FROM hftok_private.audit_checkpoints) + 5000, count, first_at, last_at, filter_key, filter,
            body, body_hash, mac FROM hftok_private.audit_bundles ORDER BY last_id LIMIT 1";
    assert_eq!(aside(&mut goes_on_after(&cluster, "bundle", bundle)), 1);
    // Where they would be put somebody has already put others; and nodes that no tree has.
    let taken = row("size + 7")
        + &row("-size - 7")
        + &row("-1")
        + &row("size + 1000")
        + "INSERT INTO hftok_private.audit_nodes VALUES (8, 3, sha256('x')), (100, 3, sha256('x')), (8, 9223372036854775807, '')";
    assert_eq!(aside(&mut goes_on_after(&cluster, "taken", &taken)), 4);
}

/// A row at the very next number would pass for the next event, and a bundle for the next events.
#[test]
fn what_was_forged_at_the_next_number_is_no_event() {
    let cluster = Cluster::start_default();
    let (row, bundle) = (
        row("size + 1"),
        "INSERT INTO hftok_private.audit_bundles
            SELECT (SELECT max(size) FROM hftok_private.audit_checkpoints) + count, count, first_at, last_at, filter_key, filter,
                body, body_hash, mac FROM hftok_private.audit_bundles ORDER BY last_id LIMIT 1;",
    );
    let both = format!("{row}{}", bundle.replace("+ count", "+ 1 + count"));
    for (name, deed, count) in [("row", row.as_str(), 1), ("bundle", bundle, 1), ("both", &both, 2)] {
        for restarts in [false, true] {
            let mut client = goes_on(&cluster, &format!("{name}_{restarts}"), deed, restarts);
            assert_eq!(aside(&mut client), count, "{name} {restarts}");
        }
    }
    // So many that were forged hide nothing.
    let many = "INSERT INTO hftok_private.audit_bundles SELECT c.size + 10 + n, 1, now(), now(), '', '', '', '', ''
            FROM generate_series(1, 1500) n, (SELECT max(size) AS size FROM hftok_private.audit_checkpoints) c;
        INSERT INTO hftok_private.audit_checkpoints SELECT c.size + n, now(), '', 1, ''
            FROM generate_series(1, 1500) n, (SELECT max(size) AS size FROM hftok_private.audit_checkpoints) c;";
    let mut client = goes_on(&cluster, "many", &format!("{row}{many}"), true);
    assert_eq!(aside(&mut client), 1501);
    // Where the checkpoints tell less than there was, bundles tell how far the log went.
    let older = "DELETE FROM hftok_private.audit_checkpoints; INSERT INTO hftok_private.audit_checkpoints TABLE older";
    let mut client = goes_on(&cluster, "older", &format!("{both}{older}"), true);
    let forged = "SELECT count(*) FROM hftok_private.audit WHERE id > 0 AND action = 'status'";
    assert_eq!(one::<i64>(&mut client, forged, &[]), 0, "it is no event");
    let bundles = "SELECT count(*) FROM hftok_private.audit_bundles WHERE last_id < 0";
    assert_eq!(one::<i64>(&mut client, bundles, &[]), 1, "those that hftok wrote stay");
}

#[test]
fn events_and_hashes_that_are_missing_stop_nothing() {
    let cluster = Cluster::start_default();
    let middle = "DELETE FROM hftok_private.audit WHERE id <= 256; DELETE FROM hftok_private.audit_bundles WHERE last_id <= 256;
        DELETE FROM hftok_private.audit_nodes WHERE height = 8 AND number = 0";
    assert_eq!(aside(&mut goes_on_after(&cluster, "middle", middle)), 0);
    // A gap before the end: what comes after it has no place in the tree any more.
    let near = "DELETE FROM hftok_private.audit_bundles WHERE last_id = (SELECT max(last_id) FROM hftok_private.audit_bundles)";
    assert!(aside(&mut goes_on_after(&cluster, "near", near)) > 0);
}

/// A race between its reads would be a false alarm.
#[test]
fn verifying_while_much_is_written_raises_no_alarm() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    global_token(&mut client);
    let manner = Manner { name: "busy".into(), opening: String::new(), pause: Duration::ZERO };
    let traffic = Traffic::begin(&cluster, "app", 8, &manner);
    let mut flood = cluster.client("postgres", "app");
    let rounds = std::env::var("HFTOK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(40);
    let writing = std::thread::spawn(move || {
        for round in 0..rounds {
            let sql = format!(
                "SELECT count(hftok.resolve_hf_token('{round} ' || n)) FROM generate_series(1, 500) n"
            );
            one::<i64>(&mut flood, &sql, &[]);
        }
    });
    let mut verdicts = 0;
    while !writing.is_finished() {
        let head: String = one(&mut client, "SELECT hftok.audit_head()", &[]);
        let row = client
            .query_one("SELECT ok, first_bad, reason FROM hftok.verify_audit(p_head => $1)", &[&head])
            .expect("verify_audit()");
        let (bad, reason): (Option<i64>, Option<String>) = (row.get(1), row.get(2));
        assert_eq!(
            row.get::<_, Option<bool>>(0),
            Some(true),
            "{bad:?}: {reason:?}, after {verdicts} verdicts"
        );
        verdicts += 1;
    }
    writing.join().expect("values");
    let answers = traffic.end();
    println!("{verdicts} verdicts while {} values were handed out", answers.given.len() + rounds * 500);
    assert_eq!(answers.refused, Vec::<String>::new());
    settled(&mut client);
    verified(&mut client);
}
