//! Trouble for the audit: as long as it lasts, loss is bounded; when it is over, callers are served at once; and a server
//! that stops loses nothing that it handed out.

use std::time::{Duration, Instant};

use hftok_tests::answer::{create, get, one, refused};
use hftok_tests::audit::{count, global_token, lines, resolve, rows, settled, verified, without_writer};
use hftok_tests::cluster::{Cluster, Stop, signal};
use hftok_tests::process::titled;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator as _;

/// A call that no signal interrupts for some seconds, and that reveals a value at its end. It takes a lock once its text is made, which a
/// signal would interrupt.
const LONG_CALL: &str = "SELECT pg_try_advisory_lock(1),
        length(sha512(b)) + length(sha512(b)) + length(sha512(b)) + length(sha512(b)) + length(sha512(b))
        + length(sha512(b)) + length(sha512(b)) + length(sha512(b)) + length(sha512(b)) + length(sha512(b)),
        hftok.get_secret('late')
    FROM (SELECT convert_to(repeat('x', 100000000), 'UTF8') AS b OFFSET 0) s";

#[test]
fn a_value_that_is_revealed_while_the_server_stops_is_told() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    create(&mut client, "late", "value");
    assert_eq!(get(&mut client, "late").expect("opens"), "value");
    settled(&mut client);
    without_writer(&cluster);
    let backend: i32 = one(&mut client, "SELECT pg_backend_pid()", &[]);
    let mut observer = cluster.client("postgres", "postgres");
    let caller = std::thread::spawn(move || {
        let begin = Instant::now();
        let Ok(mut answer) = client.query_raw(LONG_CALL, std::iter::empty::<i32>()) else {
            return (0, begin.elapsed());
        };
        let mut rows = 0;
        while let Ok(Some(_)) = answer.next() {
            rows += 1;
        }
        (rows, begin.elapsed())
    });
    let is_under_way =
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = $1)";
    wait_until("the call is under way", 120, || one::<bool>(&mut observer, is_under_way, &[&backend]));
    let stopping = Instant::now();
    cluster.stop(Stop::Fast);
    let (given, took) = caller.join().expect("the caller");
    assert!(stopping.elapsed() > Duration::from_millis(300), "it was stopped meanwhile: {took:?}");
    cluster.start();
    let mut client = cluster.client("postgres", "app");
    let told = count(&mut client, "kind = 'reveal' AND action = 'get_secret'") - 1;
    let lines = lines(&cluster).iter().filter(|line| line.contains("\"reveal\"")).count();
    println!("{given} given after {took:?}, {told} rows and {lines} lines tell of it");
    // The call is told of the end of its session before it answers, but its event has been accepted by then.
    assert_eq!(usize::try_from(told).expect("a count") + lines, 1, "what is revealed then is told");
    assert!(given <= 1, "{given}");
    verified(&mut client);
}

fn with_token(setting: &str) -> (Cluster, Client) {
    let cluster = Setup::default().setting("hftok.audit_timeout = 400ms").setting(setting).start();
    let mut client = cluster.database("app");
    global_token(&mut client);
    (cluster, client)
}

/// The lock is that of CREATE INDEX.
#[test]
fn nothing_is_revealed_on_top_of_events_that_have_waited_for_long() {
    let (cluster, mut client) = with_token("hftok.audit_flush_interval = 100ms");
    let mut holder = cluster.client("postgres", "app");
    let mut held = holder.transaction().expect("BEGIN");
    held.batch_execute("LOCK TABLE hftok_private.audit IN SHARE MODE").expect("LOCK");
    let begin = Instant::now();
    let mut accepted = 0;
    let refusal = loop {
        match resolve(&mut client, &format!("user {accepted}")) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(begin.elapsed() < Duration::from_secs(8), "values go on being handed out");
        std::thread::sleep(Duration::from_millis(50));
    };
    refused(Err::<(), _>(refusal), "53HF2");
    assert!(accepted > 5, "within the bound they are: {accepted}");
    // A second, and the time that the call waited.
    assert!(begin.elapsed() < Duration::from_secs(3), "after {:?}", begin.elapsed());
    let state = "SELECT audit_writer FROM hftok.status()";
    assert_eq!(one::<String>(&mut client, state, &[]), "blocked");
    wait_until("the server's log says why", 5, || cluster.log().contains("waits for a lock on its tables"));
    held.commit().expect("COMMIT");
    until_served(&mut client);
    settled(&mut client);
    assert_eq!(rows(&mut client, "kind = 'reveal'"), accepted + 1);
    verified(&mut client);
}

/// From the end of what stood in the way to the first answer, asking again and again.
#[track_caller]
fn until_served(client: &mut Client) -> Duration {
    let begin = Instant::now();
    while let Err(error) = resolve(client, "after") {
        refused(Err::<(), _>(error), "53HF2");
        assert!(begin.elapsed() < Duration::from_secs(20), "still refused");
    }
    begin.elapsed()
}

#[test]
fn callers_are_served_as_soon_as_a_lock_is_gone() {
    let (cluster, mut client) = with_token("hftok.audit_queue_size = 256");
    client.batch_execute("SET hftok.audit = 'sync'").expect("SET");
    let mut holder = cluster.client("postgres", "app");
    let mut held = holder.transaction().expect("BEGIN");
    held.batch_execute("LOCK TABLE hftok_private.audit IN SHARE MODE").expect("LOCK");
    let end = Instant::now() + Duration::from_secs(8);
    while Instant::now() < end {
        refused(resolve(&mut client, "meanwhile"), "53HF2");
    }
    held.commit().expect("COMMIT");
    let took = until_served(&mut client);
    assert!(took < Duration::from_millis(1500), "it took {took:?}");
}

/// A writer that fails at once, and is started again after longer and longer pauses, unless somebody waits.
#[test]
fn callers_are_served_as_soon_as_a_writer_can_write_again() {
    let (_cluster, mut client) = with_token("hftok.audit_queue_size = 256");
    let mut dba = _cluster.client("postgres", "app");
    client.batch_execute("SET hftok.audit = 'sync'").expect("SET");
    dba.batch_execute("ALTER TABLE hftok_private.audit RENAME TO elsewhere").expect("ALTER");
    let end = Instant::now() + Duration::from_secs(12);
    while Instant::now() < end {
        refused(resolve(&mut client, "meanwhile"), "53HF2");
    }
    dba.batch_execute("ALTER TABLE hftok_private.elsewhere RENAME TO audit").expect("ALTER");
    let took = until_served(&mut client);
    assert!(took < Duration::from_millis(2500), "it took {took:?}");
    settled(&mut client);
    verified(&mut client);
}

/// The keyring's worker hangs like this where the key file lies on a file system that does not answer.
#[test]
fn a_keyring_that_is_read_for_ever_stops_no_audit() {
    let (cluster, mut client) = with_token("hftok.audit_flush_interval = 100ms\nhftok.audit_timeout = 30s");
    settled(&mut client);
    without_writer(&cluster);
    let keyring = titled(&cluster, "hftok keyring").expect("the keyring's worker");
    signal(keyring, "STOP");
    client.batch_execute("SET hftok.audit = 'sync'").expect("SET");
    let answer = resolve(&mut client, "meanwhile");
    signal(keyring, "CONT");
    answer.expect("a writer was started");
    assert_eq!(rows(&mut client, "kind = 'reveal' AND actor_user = 'meanwhile'"), 1);
}

/// The trouble that status() tells of.
fn trouble(client: &mut Client) -> String {
    one::<Option<String>>(client, "SELECT audit_trouble FROM hftok.status()", &[]).unwrap_or_default()
}

/// Puts rows where the next bundles are to stand.
const TAKE_NEXT_NUMBERS: &str = "INSERT INTO hftok_private.audit_bundles
    SELECT c.size + n, 1, now(), now(), '', '', '', '', '' FROM generate_series(1, 50) n,
        (SELECT max(size) AS size FROM hftok_private.audit_checkpoints) c";

/// Waits until status() and the server's log name the same.
#[track_caller]
fn is_named(cluster: &Cluster, client: &mut Client, named: &str) {
    wait_until(&format!("status() has: {named}"), 5, || trouble(client).contains(named));
    wait_until("the server's log has it too", 5, || cluster.log().contains(named));
}

/// Whoever may write to the tables of the audit can hold the numbers that come next.
#[test]
fn who_holds_the_next_number_is_named_and_gets_no_event_in() {
    let (cluster, mut client) = with_token("hftok.audit_flush_interval = 100ms");
    for (end, aside) in [("ROLLBACK", 0), ("COMMIT", 50)] {
        let mut holder = cluster.client("postgres", "app");
        let process: i32 = one(&mut holder, "SELECT pg_backend_pid()", &[]);
        holder.batch_execute(&format!("BEGIN; {TAKE_NEXT_NUMBERS}")).expect("INSERT");
        let begin = Instant::now();
        resolve(&mut client, "meanwhile").expect("accepted");
        let named = format!("process {process} of role postgres has written to hftok_private.audit_bundles");
        is_named(&cluster, &mut client, &named);
        println!("named after {:?}", begin.elapsed());
        holder.batch_execute(end).expect("the end");
        settled(&mut client);
        assert_eq!(trouble(&mut client), "", "{end}");
        let strangers = "SELECT count(*) FROM hftok_private.audit_bundles WHERE last_id < 0";
        assert_eq!(one::<i64>(&mut client, strangers, &[]), aside, "{end}: they are no events");
    }
    assert_eq!(rows(&mut client, "actor_user = 'meanwhile'"), 2);
}

/// The writer moves the row of a stranger out of its way, unless somebody has it locked. The name of that role looks like a remedy.
#[test]
fn who_holds_a_row_that_the_writer_moves_is_named() {
    let (cluster, mut client) = with_token("hftok.audit_flush_interval = 100ms");
    client
        .batch_execute("CREATE ROLE \"me (DROP DATABASE app); index\" LOGIN SUPERUSER")
        .expect("CREATE ROLE");
    let mut holder = cluster.client("me (DROP DATABASE app); index", "app");
    let process: i32 = one(&mut holder, "SELECT pg_backend_pid()", &[]);
    holder.batch_execute(TAKE_NEXT_NUMBERS).expect("INSERT");
    holder.batch_execute("BEGIN; SELECT FROM hftok_private.audit_bundles FOR UPDATE").expect("SELECT");
    resolve(&mut client, "meanwhile").expect("accepted");
    let named = format!(
        "process {process} of role \"me (DROP DATABASE app); index\" has locked rows of hftok_private.audit_bundles \
         in a transaction that is open (pg_terminate_backend({process}))"
    );
    is_named(&cluster, &mut client, &named);
    holder.batch_execute("COMMIT").expect("COMMIT");
    settled(&mut client);
    assert_eq!(trouble(&mut client), "");
    assert_eq!(rows(&mut client, "actor_user = 'meanwhile'"), 1);
}

/// Before the server is started again, such a transaction has the virtual id of the session that made it.
#[test]
fn a_prepared_transaction_is_named_also_after_a_restart() {
    let (cluster, mut client) = with_token("max_prepared_transactions = 2");
    let prepare = format!("BEGIN; {TAKE_NEXT_NUMBERS}; PREPARE TRANSACTION 'it''s'");
    client.batch_execute(&prepare).expect("PREPARE");
    // Another one, which is not in the way.
    client.batch_execute("BEGIN; CREATE TABLE other (); PREPARE TRANSACTION 'other'").expect("PREPARE");
    let named = "prepared transaction 'it''s' has written to hftok_private.audit_bundles in a transaction \
        that is open (ROLLBACK PREPARED 'it''s')";
    resolve(&mut client, "before").expect("accepted");
    is_named(&cluster, &mut client, named);
    assert!(!trouble(&mut client).contains("other"));
    cluster.stop(Stop::Fast);
    let told = cluster.log().len();
    cluster.start();
    let mut client = cluster.client("postgres", "app");
    resolve(&mut client, "after").expect("accepted");
    wait_until("status() names it", 5, || trouble(&mut client).contains(named));
    wait_until("the server's log does", 5, || cluster.log()[told..].contains(named));
    assert!(!trouble(&mut client).contains("other"));
    client.batch_execute("ROLLBACK PREPARED 'it''s'").expect("ROLLBACK PREPARED");
    settled(&mut client);
    assert_eq!(trouble(&mut client), "");
    assert_eq!(rows(&mut client, "actor_user = 'after'"), 1);
}

/// A change lies in `audit_pending` for a moment, where somebody can lock it before the writer takes it.
#[test]
fn who_keeps_changes_out_of_the_log_is_named() {
    let (cluster, mut client) = with_token("hftok.audit_flush_interval = 100ms");
    let mut holder = cluster.client("postgres", "app");
    let mut open = cluster.client("postgres", "app");
    let process: i32 = one(&mut holder, "SELECT pg_backend_pid()", &[]);
    open.batch_execute("BEGIN; LOCK TABLE hftok_private.audit IN SHARE MODE").expect("LOCK");
    let id = create(&mut client, "kept", "value");
    holder
        .batch_execute("BEGIN; SELECT FROM hftok_private.audit_pending FOR UPDATE SKIP LOCKED")
        .expect("SELECT");
    open.batch_execute("COMMIT").expect("COMMIT");
    let named = format!(
        "process {process} of role postgres has locked rows of hftok_private.audit_pending in a transaction that is open, \
         and keeps events there (pg_terminate_backend({process}))"
    );
    wait_until("status() names who keeps it", 12, || trouble(&mut client).contains(&named));
    wait_until("the server's log does", 12, || cluster.log().contains(&named));
    let told = format!("kind = 'change' AND object_id = '{id}'");
    assert_eq!(rows(&mut client, &told), 0);
    holder.batch_execute("COMMIT").expect("COMMIT");
    // By the tables, since status() might make somebody look.
    wait_until("it is written without a call", 5, || rows(&mut client, &told) == 1);
    without_writer(&cluster);
    assert_eq!(trouble(&mut client), "");
    assert_eq!(cluster.log().matches("are kept out of its audit").count(), 1);
    verified(&mut client);
}

#[test]
fn a_trigger_that_keeps_changes_out_of_the_log_is_named() {
    let (cluster, mut client) = with_token("hftok.audit_flush_interval = 100ms");
    client
        .batch_execute(
            "CREATE FUNCTION public.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER \"Keep\" BEFORE DELETE ON hftok_private.audit_pending
                FOR EACH ROW EXECUTE FUNCTION public.keep()",
        )
        .expect("CREATE TRIGGER");
    create(&mut client, "kept", "value");
    let remedy = "DROP TRIGGER \"Keep\" ON hftok_private.audit_pending";
    wait_until("status() names it", 12, || trouble(&mut client).contains(&format!("({remedy})")));
    // It does not stay, or nobody could drop the database.
    without_writer(&cluster);
    client.batch_execute(remedy).expect("DROP TRIGGER");
    resolve(&mut client, "after").expect("resolves");
    settled(&mut client);
    assert_eq!(trouble(&mut client), "");
    assert_eq!(rows(&mut client, "kind = 'change' AND action = 'create_secret'"), 1);
}

/// Neither the caller, who has changes of their own that nobody can take yet, nor another who has some open.
#[test]
fn nobody_is_named_for_changes_that_only_wait() {
    let (cluster, mut client) = with_token("hftok.audit_flush_interval = 100ms");
    let mut other = cluster.client("postgres", "app");
    let mut holder = cluster.client("postgres", "app");
    holder.batch_execute("BEGIN; LOCK TABLE hftok_private.audit IN SHARE MODE").expect("LOCK");
    create(&mut client, "waits", "value");
    other.batch_execute("BEGIN").expect("BEGIN");
    create(&mut other, "open", "value");
    client.batch_execute("BEGIN").expect("BEGIN");
    create(&mut client, "own", "value");
    let waits = "SELECT count(*) FROM hftok_private.audit_pending";
    assert_eq!(one::<i64>(&mut client, waits, &[]), 2);
    let named = "SELECT hftok_private.pending_trouble(0, NULL)";
    assert_eq!(one::<Option<String>>(&mut client, named, &[]), None);
    for session in [&mut client, &mut other, &mut holder] {
        session.batch_execute("COMMIT").expect("COMMIT");
    }
    settled(&mut client);
    assert_eq!(rows(&mut client, "kind = 'change' AND action = 'create_secret'"), 3);
}

#[test]
fn an_index_that_refuses_events_is_named() {
    let (cluster, mut client) = with_token("hftok.audit_flush_interval = 100ms");
    let mut dba = cluster.client("postgres", "app");
    let last: i64 = one(&mut dba, "SELECT max(size) FROM hftok_private.audit_checkpoints", &[]);
    dba.batch_execute(&format!(
        "CREATE UNIQUE INDEX stranger ON hftok_private.audit_bundles (count) WHERE last_id > {last}"
    ))
    .expect("CREATE INDEX");
    resolve(&mut client, "first").expect("resolves");
    settled(&mut client);
    assert_eq!(trouble(&mut client), "", "nothing is refused yet");
    resolve(&mut client, "second").expect("accepted");
    let named = "(DROP INDEX hftok_private.stranger)";
    wait_until("status() names the index", 5, || trouble(&mut client).contains(named));
    wait_until("the server's log does", 5, || cluster.log().contains(named));
    dba.batch_execute("DROP INDEX hftok_private.stranger").expect("DROP INDEX");
    settled(&mut client);
    assert_eq!(rows(&mut client, "actor_user = 'second'"), 1);
    verified(&mut client);
}
