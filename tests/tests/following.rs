//! Tables that are followed while several sessions write to them.

use std::time::{Duration, Instant};

use hftok_tests::answer::{column, one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::race::race;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

const SESSIONS: usize = 6;
/// Rows that a writer changes, and as many that it deletes.
const ROWS: i64 = 100;

/// A table of memberships that is followed.
fn followed(setup: Setup) -> (Cluster, Client) {
    let cluster = setup.start();
    let mut client = cluster.database("app");
    client
        .batch_execute(
            "CREATE TABLE memberships (org text, usr text, role text, PRIMARY KEY (org, usr));
             CREATE TRIGGER follow AFTER INSERT OR UPDATE OR DELETE ON memberships
                 FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('org', 'usr', 'role');
             CREATE TRIGGER follow_truncate BEFORE TRUNCATE ON memberships
                 FOR EACH STATEMENT EXECUTE FUNCTION hftok.follow_members('org', 'usr')",
        )
        .expect("a table");
    (cluster, client)
}

/// Members here and there, but for what both have.
#[track_caller]
fn assert_in_step(client: &mut Client) {
    let differ: Vec<String> = column(
        client,
        "SELECT format('%s %s %s', org, usr, role) FROM (
             (SELECT org, usr, role FROM memberships EXCEPT SELECT org_id, user_id, role FROM hftok.members)
             UNION ALL (SELECT org_id, user_id, role FROM hftok.members EXCEPT SELECT org, usr, role FROM memberships)
         ) d (org, usr, role) ORDER BY 1",
    );
    assert_eq!(differ, Vec::<String>::new());
}

#[test]
fn sessions_that_write_at_once_are_all_followed() {
    let (cluster, mut client) = followed(Setup::default());
    let roles = ["owner", "admin", "member"];
    race(&cluster, "app", SESSIONS, |number, client| {
        for round in 0..60 {
            // All sessions write to the same few rows, of which some come, some change and some go; in two organisations, and
            // always in this order.
            let (user, role) = ((number + round) % 4, roles[round % 3]);
            let sql = if round % 5 == 4 {
                format!("DELETE FROM memberships WHERE usr = 'u{user}' AND org = 'a'")
            } else {
                format!(
                    "INSERT INTO memberships VALUES ('a', 'u{user}', '{role}'), ('b', 'u{user}', '{role}')
                     ON CONFLICT (org, usr) DO UPDATE SET role = excluded.role"
                )
            };
            client.batch_execute(&sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
    });
    assert_in_step(&mut client);
    let failed: Vec<Option<i64>> =
        column(&mut client, "SELECT failed FROM hftok.verify() WHERE kind = 'total'");
    assert_eq!(failed, [Some(0)]);
}

#[test]
fn an_organisation_that_is_full_refuses_the_writers_statement() {
    let (cluster, mut client) = followed(Setup::default().setting("hftok.max_members_per_org = 4"));
    let came = race(&cluster, "app", SESSIONS, |number, client| {
        client.batch_execute(&format!("INSERT INTO memberships VALUES ('a', 'u{number}', 'member')")).is_ok()
    });
    assert_eq!(came.into_iter().filter(|came| *came).count(), 4);
    assert_in_step(&mut client);
}

/// TRUNCATE takes rows that came since its transaction took its snapshot, and their members are hidden from that transaction.
#[test]
fn what_a_transaction_does_not_see_is_told_and_not_left_behind() {
    let (cluster, mut client) = followed(Setup::default());
    let mut other = cluster.client("postgres", "app");
    let level = postgres::IsolationLevel::RepeatableRead;
    let mut transaction = client.build_transaction().isolation_level(level).start().expect("begin");
    assert_eq!(one::<i64>(&mut transaction, "SELECT count(*) FROM memberships", &[]), 0);
    other.batch_execute("INSERT INTO memberships VALUES ('a', 'late', 'owner')").expect("a row");
    refused(transaction.batch_execute("TRUNCATE memberships"), "PT409");
    transaction.rollback().expect("rollback");
    assert_in_step(&mut client);
    client.batch_execute("TRUNCATE memberships").expect("truncated");
    assert_in_step(&mut client);
}

/// Of two rows for one membership that two transactions delete at once the last one takes it along, whatever its transaction sees.
#[test]
fn two_rows_for_one_membership_that_go_at_once_take_it_along() {
    let (cluster, mut client) = followed(Setup::default());
    client
        .batch_execute("ALTER TABLE memberships DROP CONSTRAINT memberships_pkey, ADD COLUMN id int")
        .expect("several rows");
    for level in ["READ COMMITTED", "REPEATABLE READ"] {
        client
            .batch_execute("INSERT INTO memberships VALUES ('a', 'u', 'admin', 1), ('a', 'u', 'member', 2)")
            .expect("rows");
        client.batch_execute("BEGIN; DELETE FROM memberships WHERE id = 1").expect("the first");
        let count = "SELECT count(*) FROM hftok.members";
        assert_eq!(one::<i64>(&mut client, count, &[]), 1);
        std::thread::scope(|scope| {
            let mut other = cluster.client("postgres", "app");
            let delete =
                format!("BEGIN ISOLATION LEVEL {level}; DELETE FROM memberships WHERE id = 2; COMMIT");
            let deleting = scope.spawn(move || other.batch_execute(&delete));
            wait_until("it waits", 10, || {
                let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
                one::<i64>(&mut client, waits, &[]) == 1
            });
            client.batch_execute("COMMIT").expect("commit");
            let deleted = deleting.join().expect("a session");
            println!("{level}: {deleted:?}");
            if deleted.is_err() {
                // Told, and not left behind: its row is there still.
                refused(deleted, "PT409");
                client.batch_execute("DELETE FROM memberships").expect("once more");
            }
        });
        assert_eq!(one::<i64>(&mut client, count, &[]), 0, "{level}");
    }
}

/// What is looked for when a row goes is found by an index, or known not to be there.
#[test]
fn rows_go_as_fast_from_a_long_table() {
    let (_cluster, mut client) = followed(Setup::default());
    let fill = "ALTER TABLE memberships DISABLE TRIGGER follow;
        INSERT INTO memberships SELECT 'o' || n % 100, 'u' || n, 'member' FROM generate_series(1, 200000) n;
        ALTER TABLE memberships ENABLE TRIGGER follow; ANALYZE memberships";
    client.batch_execute(fill).expect("rows");
    for index in ["memberships_pkey", "memberships_usr"] {
        let begun = Instant::now();
        client
            .batch_execute("DELETE FROM memberships WHERE usr IN (SELECT usr FROM memberships LIMIT 500)")
            .expect("deleted");
        println!("500 rows of 200000 with {index}: {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(5), "{index}");
        client
            .batch_execute(
                "ALTER TABLE memberships DROP CONSTRAINT IF EXISTS memberships_pkey;
                 CREATE INDEX IF NOT EXISTS memberships_usr ON memberships (usr)",
            )
            .expect("another index");
    }
}

/// An import that runs while the table is written to and followed leaves nobody out, and brings nobody back.
#[test]
fn an_import_beside_writers_leaves_hftok_in_step() {
    let (cluster, mut client) = followed(Setup::default());
    client
        .batch_execute(
            "ALTER TABLE memberships DISABLE TRIGGER follow;
             INSERT INTO memberships SELECT 'o' || n % 20, 'u' || n, 'member' FROM generate_series(1, 4000) n;
             ALTER TABLE memberships ENABLE TRIGGER follow",
        )
        .expect("rows");
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let import = scope.spawn(|| {
            let mut operator = cluster.client("postgres", "app");
            operator
                .batch_execute("CALL hftok.import_members('memberships', 'org', 'usr', 'role')")
                .expect("imported");
        });
        let mut writer = cluster.client("postgres", "app");
        wait_until("the import", 60, || {
            one::<i64>(&mut writer, "SELECT count(*) FROM hftok.members", &[]) > 0
        });
        for n in 0..ROWS {
            // Rows that the import has listed are deleted and changed before it comes to them.
            let (last, other) = (4000 - n, 4000 - n - ROWS);
            writer
                .batch_execute(&format!(
                    "INSERT INTO memberships VALUES ('o{}', 'new{n}', 'admin');
                     DELETE FROM memberships WHERE usr = 'u{last}';
                     UPDATE memberships SET role = 'owner' WHERE usr = 'u{other}'",
                    n % 20,
                ))
                .expect("rows");
        }
        import.join().expect("joined");
    });
    println!("4000 memberships beside a writer: {:?}", begun.elapsed());
    assert_in_step(&mut client);
    assert!(begun.elapsed() < Duration::from_secs(120));
}

/// A user is deleted, and forgotten, while an import holds their row in its hands: it does not bring them back.
#[test]
fn an_import_brings_no_deleted_user_back() {
    let (cluster, mut client) = followed(Setup::default());
    client
        .batch_execute(
            "CREATE TABLE users (id int PRIMARY KEY, token text);
             CREATE TABLE connections (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), owner int REFERENCES users ON DELETE CASCADE,
                 name text, type text, secret text);
             CREATE TRIGGER forget AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION hftok.forget_user_row();
             INSERT INTO users SELECT n, format('sk-proj-%s', md5(n::text)) FROM generate_series(1, 9) n;
             INSERT INTO connections (owner, name, type, secret) SELECT id, 'x', 'openai', token FROM users;
             -- The first that is saved makes keys, for which others wait.
             SELECT hftok.save_credential('openai', 'sk-proj-a1b2c3d4e5f6a7b8c9d0', p_user_id => 'first')",
        )
        .expect("tables");
    let calls = [
        "CALL hftok.import_column('users', 'token', 'id', 'openai')",
        "CALL hftok.import_integrations('connections', 'id', 'owner', 'name', 'type', 'secret')",
    ];
    for (sql, deleted) in calls.into_iter().zip(["5", "4"]) {
        // Whoever saves for the user has the lock that the import comes to once it has read the row.
        let mut transaction = client.transaction().expect("begin");
        let save =
            "SELECT hftok.save_credential('groq', 'gsk_a1b2c3d4e5f6a7b8c9d0e1f2a3b4', p_user_id => $1)";
        transaction.execute(save, &[&deleted]).expect("saved");
        std::thread::scope(|scope| {
            let import = scope.spawn(|| cluster.client("postgres", "app").batch_execute(sql));
            let mut watcher = cluster.client("postgres", "app");
            wait_until("the import to wait", 30, || {
                let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
                one::<i64>(&mut watcher, waits, &[]) == 1
            });
            transaction.batch_execute(&format!("DELETE FROM users WHERE id = {deleted}")).expect("deleted");
            transaction.commit().expect("commit");
            import.join().expect("joined").expect("imported");
        });
        let of_deleted: i64 = one(
            &mut client,
            "SELECT count(*) FROM hftok_private.secrets s WHERE s.scope_id = $1",
            &[&deleted],
        );
        assert_eq!(of_deleted, 0, "{sql}");
    }
    let kept: Vec<i64> = column(
        &mut client,
        "SELECT count(*) FROM hftok_private.secrets s JOIN users u ON s.scope_id = u.id::text GROUP BY s.scope ORDER BY s.scope",
    );
    assert_eq!(kept, [7, 7], "everybody else's");
}
