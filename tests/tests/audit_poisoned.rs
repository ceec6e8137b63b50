//! Somebody who may write to the tables of the audit puts there what no hftok has written: texts that no index takes, times that no
//! clock has, and bytes without end. The audit goes on, values are handed out, and the writer's memory stays what it was.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use hftok_tests::answer::one;
use hftok_tests::audit::{count, global_token, resolve, rows, settled, verified, without_writer, writer};
use hftok_tests::cluster::Cluster;
use hftok_tests::wait_until;
use postgres::Client;

/// A time in 2027, in microseconds since 2000.
const AT: i64 = 850_000_000_000_000;
/// Damage of what waited to be written.
const DAMAGED: &str = "action = 'audit_pending' AND outcome = 'damaged'";

/// So many bytes that no compression makes fewer.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from(state >> 60).expect("four bits"))
    };
    (0..length).map(letter).collect()
}

/// A text of the own part, in its shortest form.
fn own(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a length");
    let short = u8::try_from(length).ok().and_then(|length| length.checked_add(4));
    let begin = short.map_or_else(|| [&[3][..], &length.to_be_bytes()].concat(), |tag| vec![tag]);
    [&begin, text.as_bytes()].concat()
}

/// A change as bytes: the flags of its own part, and what follows them.
fn change(at: i64, has: u8, own: &[Vec<u8>]) -> Vec<u8> {
    let mut shape = vec![1, 2, 1];
    for text in ["add_member", "committed", "org"] {
        shape.extend(u16::try_from(text.len()).expect("a length").to_be_bytes());
        shape.extend(text.as_bytes());
    }
    shape.extend([0xff; 14]);
    let length = u16::try_from(shape.len()).expect("a length").to_be_bytes();
    [&length[..], &shape, &at.to_be_bytes(), &[has], &own.concat()].concat()
}

/// A database with a token, and somebody who may write to every table and no more.
fn with_dba(cluster: &Cluster, name: &str) -> (Client, Client) {
    let mut client = cluster.database(name);
    global_token(&mut client);
    let dba = format!("dba_{name}");
    client
        .batch_execute(&format!(
            "CREATE ROLE {dba} LOGIN BYPASSRLS IN ROLE pg_write_all_data, pg_read_all_data"
        ))
        .expect("a DBA");
    (client, cluster.client(&dba, name))
}

/// Puts an event where events wait.
fn put(dba: &mut Client, at: &str, event: &[u8]) {
    let sql = format!("INSERT INTO hftok_private.audit_pending (at, event) VALUES ('{at}', $1)");
    dba.execute(&sql, &[&event]).expect("the DBA may");
}

/// Sees that values are handed out, told of and verified, and that nothing is in the way.
#[track_caller]
fn goes_on(client: &mut Client) {
    for user in ["one", "two"] {
        resolve(client, user).expect("a value");
        settled(client);
        assert_eq!(count(client, &format!("actor_user = '{user}'")), 1);
    }
    let trouble = "SELECT audit_trouble FROM hftok.status()";
    assert_eq!(one::<Option<String>>(client, trouble, &[]), None);
}

#[test]
fn a_text_that_no_index_takes_is_told_as_damage() {
    let cluster = Cluster::start_default();
    let (mut client, mut dba) = with_dba(&cluster, "texts");
    let long = own(&noise(4000));
    let none = vec![0];
    let (user, owner) =
        (change(AT, 0x30, &[none.clone(), long.clone()]), change(AT, 0, std::slice::from_ref(&long)));
    let zero = change(AT, 0, &[own("a\0b")]);
    for event in [user, owner, change(AT, 0x40, &[none, long]), zero] {
        put(&mut dba, "now", &event);
    }
    put(&mut dba, "now", &change(AT, 0, &[own(&noise(1024))]));
    goes_on(&mut client);
    assert_eq!(rows(&mut client, &format!("{DAMAGED} AND NOT protected")), 4);
    assert_eq!(
        rows(&mut client, "action = 'add_member' AND NOT protected"),
        1,
        "what an event can have is told"
    );
    verified(&mut client);
    assert_eq!(one::<i64>(&mut client, "SELECT unprotected FROM hftok.verify_audit()", &[]), 5);
}

#[test]
fn a_time_that_no_clock_has_is_told_as_damage() {
    let cluster = Cluster::start_default();
    let (mut client, mut dba) = with_dba(&cluster, "times");
    let mut holder = cluster.client("postgres", "times");
    let mut held = holder.transaction().expect("BEGIN");
    held.batch_execute("LOCK TABLE hftok_private.audit IN SHARE MODE").expect("LOCK");
    for (at, time) in
        [("-infinity", i64::MIN), ("infinity", i64::MAX), ("-infinity", -1 << 60), ("now", 1 << 58)]
    {
        put(&mut dba, at, &change(time, 0, &[vec![0]]));
    }
    put(&mut dba, "-infinity", &change(AT, 0, &[vec![0]]));
    // A count that is none: twice minus one.
    put(&mut dba, "infinity", &change(AT, 1, &[[vec![0xff; 9], vec![1]].concat(), vec![0]]));
    let lag = "SELECT audit_waiting >= 6 AND audit_lag < interval '1 min' FROM hftok.status()";
    assert!(one::<bool>(&mut client, lag, &[]));
    held.commit().expect("COMMIT");
    goes_on(&mut client);
    assert_eq!(rows(&mut client, DAMAGED), 5);
    assert_eq!(
        rows(&mut client, "action = 'add_member'"),
        1,
        "the time at which it was put there is only its place"
    );
    assert_eq!(rows(&mut client, "at NOT BETWEEN '2020-01-01' AND '2100-01-01'"), 0);
    verified(&mut client);
}

/// An index that somebody else made takes less than ours.
#[test]
fn one_event_that_cannot_be_stored_keeps_no_other() {
    let cluster = Cluster::start_default();
    let (mut client, mut dba) = with_dba(&cluster, "one");
    settled(&mut client);
    without_writer(&cluster);
    client
        .batch_execute("CREATE INDEX wide ON hftok_private.audit (owner_id, actor_user, subject, owner_id)")
        .expect("CREATE INDEX");
    let mut put_all = dba.transaction().expect("BEGIN");
    let sql = "INSERT INTO hftok_private.audit_pending (event) VALUES ($1)";
    for number in 0..60 {
        let texts = ["x", "y", "z"]
            .map(|text| own(&format!("{text}{number}{}", noise(if number % 25 == 13 { 1000 } else { 9 }))));
        put_all.execute(sql, &[&change(AT, 0x70, &texts)]).expect("the DBA may");
    }
    put_all.commit().expect("COMMIT");
    goes_on(&mut client);
    assert_eq!((rows(&mut client, DAMAGED), rows(&mut client, "action = 'add_member'")), (2, 58));
    // A true one is given up by nobody.
    let add = "SELECT hftok.add_member('a' || $1, 'b' || $1, 'owner')";
    client.execute(add, &[&noise(1000)]).expect("a member");
    let failing = "SELECT audit_writer = 'failing' AND audit_trouble IS NOT NULL FROM hftok.status()";
    wait_until("it is told", 10, || one::<bool>(&mut client, failing, &[]));
    client.batch_execute("DROP INDEX hftok_private.wide").expect("DROP INDEX");
    settled(&mut client);
    assert_eq!(
        (rows(&mut client, DAMAGED), rows(&mut client, "action = 'add_member' AND protected")),
        (2, 1)
    );
    verified(&mut client);
}

/// The most memory that a process has had, without what it shares with others, in kB; 0 when it is gone.
fn own_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let shared = field("RssFile:").unwrap_or(0) + field("RssShmem:").unwrap_or(0);
    field("VmHWM:").unwrap_or(0).saturating_sub(shared)
}

/// The most memory that a writer has of its own while something is done and for some time after it, in kB. Values are read meanwhile.
fn memory_of_writers(cluster: &Cluster, client: &mut Client, deed: impl FnOnce() + Send) -> u64 {
    let is_over = AtomicBool::new(false);
    scope(|scope| {
        let most = scope.spawn(|| {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(writer(cluster).map_or(0, own_memory));
                sleep(Duration::from_millis(5));
            }
            most
        });
        deed();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            resolve(client, "meanwhile").expect("a value");
            sleep(Duration::from_millis(50));
        }
        is_over.store(true, Ordering::Relaxed);
        most.join().expect("a measurement")
    })
}

/// 200 MB that take two on disk.
const LARGE: &str = "CREATE TEMP TABLE large AS SELECT convert_to(repeat('x', 200000000), 'UTF8') AS bytes";

#[test]
fn bytes_without_end_are_not_read() {
    let cluster = Cluster::start_default();
    let (mut client, mut dba) = with_dba(&cluster, "bytes");
    let mut bound = 0;
    for (deed, damage) in [
        ("SELECT", ""),
        ("INSERT INTO hftok_private.audit_pending (event, protection) SELECT bytes, bytes FROM large, generate_series(1, 5)", DAMAGED),
        (
            "INSERT INTO hftok_private.audit_bundles SELECT c.size + n, 1, now(), now(), bytes, '', bytes, bytes, bytes
                FROM large, generate_series(1, 20) n, (SELECT max(size) AS size FROM hftok_private.audit_checkpoints) c",
            "action = 'audit_checkpoint'",
        ),
        ("UPDATE hftok_private.audit_checkpoints SET root = bytes, signature = bytes FROM large", "action = 'audit_checkpoint'"),
        ("UPDATE hftok_private.audit_bundles SET body = bytes FROM large WHERE last_id > 0; DELETE FROM hftok_private.audit_checkpoints", "action = 'audit_checkpoint'"),
    ] {
        dba.batch_execute(LARGE).expect("bytes");
        settled(&mut client);
        without_writer(&cluster);
        let before = if damage.is_empty() { 0 } else { rows(&mut client, damage) };
        let most = memory_of_writers(&cluster, &mut client, || dba.batch_execute(deed).expect("the DBA may"));
        println!("{most} kB: {deed}");
        settled(&mut client);
        match damage {
            "" => bound = most + 100_000,
            _ => assert!(rows(&mut client, damage) > before, "it is told: {deed}"),
        }
        assert!(most < bound, "{most} kB of {bound}: {deed}");
        dba.batch_execute("DROP TABLE large").expect("DROP");
    }
    let mut reader = cluster.client("postgres", "bytes");
    let process = u32::try_from(one::<i32>(&mut reader, "SELECT pg_backend_pid()", &[])).expect("a process");
    for sql in [
        "SELECT count(*) FROM hftok.audit_events",
        "SELECT count(*) FROM hftok.refusals_by_role",
        "SELECT count(*) FROM hftok.find_audit_events(p_kind => 'reveal')",
        "SELECT checked FROM hftok.verify_audit()",
    ] {
        one::<i64>(&mut reader, sql, &[]);
        let most = own_memory(process);
        println!("{most} kB: {sql}");
        assert!(most < bound, "{most} kB of {bound}: {sql}");
    }
    let ok = "SELECT ok FROM hftok.verify_audit()";
    assert_eq!(one::<Option<bool>>(&mut client, ok, &[]), Some(false));
}

/// A text of a row that is longer than any is another than was written.
#[test]
fn a_text_without_end_is_told_as_changed() {
    let cluster = Cluster::start_default();
    let (mut client, mut dba) = with_dba(&cluster, "changed");
    client.execute("SELECT hftok.add_member('acme', 'alice', 'owner')", &[]).expect("a member");
    settled(&mut client);
    verified(&mut client);
    for column in ["application_name", "outcome", "request_id"] {
        let change = format!(
            "UPDATE hftok_private.audit SET {column} = repeat('x', 100000000) WHERE action = 'add_member'"
        );
        dba.batch_execute(&change).expect("the DBA may");
        let verdict =
            client.query_one("SELECT ok, reason FROM hftok.verify_audit()", &[]).expect("verify_audit()");
        let (ok, reason): (Option<bool>, Option<String>) = (verdict.get(0), verdict.get(1));
        assert!(ok == Some(false) && reason.is_some(), "{column}: {reason:?}");
        resolve(&mut client, column).expect("a value");
        settled(&mut client);
        assert_eq!(count(&mut client, &format!("actor_user = '{column}'")), 1);
    }
}

#[test]
fn a_writer_that_fails_again_and_again_is_told_while_the_next_one_runs() {
    let cluster = Cluster::start_default();
    let (mut client, _dba) = with_dba(&cluster, "failing");
    settled(&mut client);
    without_writer(&cluster);
    client.batch_execute("ALTER TABLE hftok_private.audit_bundles ADD COLUMN more int").expect("ALTER");
    resolve(&mut client, "first").expect("accepted");
    sleep(Duration::from_secs(2));
    let mut untold = 0;
    for _ in 0..300 {
        let told = "SELECT audit_trouble IS NOT NULL AND audit_writer = 'failing' FROM hftok.status()";
        untold += i32::from(!one::<bool>(&mut client, told, &[]));
        sleep(Duration::from_millis(10));
    }
    assert_eq!(untold, 0, "it is told all the time");
    client.batch_execute("ALTER TABLE hftok_private.audit_bundles DROP COLUMN more").expect("ALTER");
}
