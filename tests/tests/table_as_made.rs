//! New secrets of several sessions, which need no statement while their table is as the install script made it.

use std::time::{Duration, Instant};

use hftok_tests::answer::{column, one};
use hftok_tests::cluster::Cluster;
use hftok_tests::question::run;
use hftok_tests::race::race;
use hftok_tests::wait_until;
use postgres::Client;

/// What a call that stores a secret comes to: its SQLSTATE, or nothing.
fn code(client: &mut Client, sql: &str) -> Option<String> {
    client.query(sql, &[]).err().map(|error| error.code().map_or("", |state| state.code()).to_owned())
}

/// A session that has stored a secret, and so knows the table.
fn knowing(cluster: &Cluster, database: &str) -> Client {
    let mut client = cluster.client("postgres", database);
    run(&mut client, "SELECT hftok.create_secret('v')");
    client
}

/// Begins a call in a session, and answers once the session waits for a lock.
fn waits(
    mut client: Client,
    observer: &mut Client,
    sql: &'static str,
) -> std::thread::JoinHandle<Option<String>> {
    let process: i32 = one(&mut client, "SELECT pg_backend_pid()", &[]);
    let waiting = std::thread::spawn(move || code(&mut client, sql));
    wait_until("it waits for a lock", 20, || {
        let sql = format!("SELECT wait_event_type FROM pg_stat_activity WHERE pid = {process}");
        column::<Option<String>>(observer, &sql) == [Some("Lock".into())]
    });
    waiting
}

/// A session knows the table, waits for it, and finds another table there.
#[test]
fn a_trigger_that_comes_while_a_session_waits_has_its_say() {
    let cluster = Cluster::start_default();
    let mut owner = cluster.database("waiting");
    let session = knowing(&cluster, "waiting");
    owner
        .batch_execute(
            "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
             BEGIN; CREATE TRIGGER stop AFTER INSERT ON hftok_private.secrets FOR EACH ROW EXECUTE FUNCTION stop()",
        )
        .expect("a trigger");
    let waiting = waits(session, &mut owner, "SELECT hftok.create_secret('v', 'name')");
    owner.batch_execute("COMMIT").expect("committed");
    assert_eq!(waiting.join().expect("no panic").as_deref(), Some("P0001"));
}

#[test]
fn a_name_that_is_taken_leaves_no_dead_row_behind() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("names");
    run(&mut client, "SELECT hftok.create_secret('v', 'name')");
    for _ in 0..5 {
        assert_eq!(code(&mut client, "SELECT hftok.create_secret('v', 'name')").as_deref(), Some("23505"));
    }
    run(&mut client, "SELECT hftok.create_secret('v', 'other')");
    let places = "SELECT ctid::text FROM hftok_private.secrets ORDER BY ctid";
    assert_eq!(column::<String>(&mut client, places), ["(0,1)", "(0,2)"]);
}

#[test]
fn a_name_goes_to_whoever_was_first_and_stays() {
    let cluster = Cluster::start_default();
    let mut first = cluster.database("names");
    let create = "SELECT hftok.create_secret('v', 'name')";
    let (second, third) = (knowing(&cluster, "names"), knowing(&cluster, "names"));
    first.batch_execute(&format!("BEGIN; {create}")).expect("created");
    let waiting = waits(second, &mut first, create);
    first.batch_execute("ROLLBACK").expect("rolled back");
    assert_eq!(waiting.join().expect("no panic"), None);
    first.batch_execute("BEGIN; SELECT hftok.put_secret('other', 'v')").expect("put");
    let waiting = waits(third, &mut first, "SELECT hftok.create_secret('v', 'other')");
    first.batch_execute("COMMIT").expect("committed");
    assert_eq!(waiting.join().expect("no panic").as_deref(), Some("23505"));
}

#[test]
fn of_many_at_once_one_creates_a_name_and_each_puts_a_version() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("race");
    for round in 0..20 {
        let ends = race(&cluster, "race", 6, |_, client| {
            code(client, &format!("SELECT hftok.create_secret('v', 'created {round}')"))
        });
        assert_eq!(ends.iter().filter(|end| end.is_none()).count(), 1);
        assert!(ends.iter().flatten().all(|code| code == "23505"), "{ends:?}");
        let ends = race(&cluster, "race", 6, |session, client| {
            let put = format!("SELECT hftok.put_secret('put {round}', 'v{session}')");
            let save = format!(
                "SELECT hftok.save_credential('groq', 'groq-key-of-{session}', p_user_id => 'u{round}')"
            );
            code(client, &put).or(code(client, &save))
        });
        assert!(ends.iter().all(Option::is_none), "{ends:?}");
    }
    let versions = "SELECT version FROM hftok_private.secrets WHERE name LIKE 'put %' OR scope_id LIKE 'u%'";
    assert_eq!(column::<i32>(&mut client, versions), [6; 40]);
    let masks =
        "SELECT count(*) FROM hftok_private.user_api_keys k JOIN hftok_private.secrets s ON s.id = k.id
        WHERE k.api_key = s.preview";
    assert_eq!(one::<i64>(&mut client, masks, &[]), 20);
    let failed: i64 = one(&mut client, "SELECT count(*) FROM hftok.verify() WHERE kind <> 'total'", &[]);
    assert_eq!(failed, 0);
}

#[test]
fn secrets_are_added_while_their_indexes_are_replaced() {
    let cluster = Cluster::start_default();
    let mut owner = cluster.database("beside");
    let end = Instant::now() + Duration::from_secs(4);
    let made: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let mut client = cluster.client("postgres", "beside");
                scope.spawn(move || {
                    let mut made = 0;
                    while Instant::now() < end {
                        run(&mut client, &format!("SELECT hftok.create_secret('v', '{writer} {made}')"));
                        made += 1;
                    }
                    made
                })
            })
            .collect();
        while Instant::now() < end {
            owner.batch_execute("REINDEX TABLE CONCURRENTLY hftok_private.secrets").expect("REINDEX");
        }
        writers.into_iter().map(|writer| writer.join().expect("no panic")).sum()
    });
    let by_index = "SET enable_seqscan = off; SET enable_bitmapscan = off";
    owner.batch_execute(by_index).expect("by index");
    let found: i64 = one(
        &mut owner,
        "SELECT count(*) FROM hftok_private.secrets s WHERE EXISTS (SELECT FROM hftok_private.secrets t WHERE t.binding_key = s.binding_key)
         AND EXISTS (SELECT FROM hftok_private.secrets t WHERE t.scope = s.scope AND t.scope_id = s.scope_id AND t.id = s.id)",
        &[],
    );
    assert_eq!(usize::try_from(found), Ok(made));
}
