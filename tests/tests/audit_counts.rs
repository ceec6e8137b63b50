//! How often each credential was handed out, of so many that their counts lie in many rows.

use std::collections::BTreeMap;

use hftok_tests::answer::{column, one};
use hftok_tests::audit::{TOKEN, settled, verified, without_writer};
use hftok_tests::cluster::Cluster;
use hftok_tests::question::run;
use hftok_tests::wait_until;
use postgres::Client;

const USERS: i32 = 1500;

/// The counts in the view, by the number of the credential's owner; none of those that nobody used.
fn counts(client: &mut Client) -> BTreeMap<i32, i64> {
    let seen = "SELECT scope_id::int, use_count, last_used_at FROM hftok.credentials";
    let rows = client.query(seen, &[]).expect("the view");
    rows.iter()
        .map(|row| {
            let last: Option<std::time::SystemTime> = row.get(2);
            assert_eq!(last.is_some(), row.get::<_, i64>(1) > 0, "of user {}", row.get::<_, i32>(0));
            (row.get(0), row.get(1))
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Resolves the tokens of the users whose numbers this divides, and adds that to what their counts are to be.
fn use_some(client: &mut Client, wanted: &mut BTreeMap<i32, i64>, divisor: i32) {
    let resolve =
        "SELECT count(hftok.resolve_hf_token(n::text)) FROM generate_series(1, $1) n WHERE n % $2 = 0";
    let users = (1..=USERS).filter(|user| user % divisor == 0);
    let resolved = users.map(|user| *wanted.entry(user).or_default() += 1).count();
    assert_eq!(one::<i64>(client, resolve, &[&USERS, &divisor]), i64::try_from(resolved).expect("fits"));
}

#[test]
fn every_credential_has_its_own_count() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let save = "SELECT count(hftok.save_hf_token($2, p_user_id => n::text)) FROM generate_series(1, $1) n";
    assert_eq!(one::<i64>(&mut client, save, &[&USERS, &TOKEN]), i64::from(USERS));
    settled(&mut client);
    assert_eq!(counts(&mut client), BTreeMap::new());
    let mut wanted = BTreeMap::new();
    // Few, whose rows are divided as others come between them; and some again.
    for divisor in [100, 7, 3, 1, 2, 500, 1] {
        use_some(&mut client, &mut wanted, divisor);
        wait_until("all are counted", 20, || counts(&mut client) == wanted);
        let unused: i64 = one(&mut client, "SELECT count(*) FROM hftok.unused_secrets", &[]);
        assert_eq!(unused, i64::from(USERS) - i64::try_from(wanted.len()).expect("fits"));
    }
    let lengths: Vec<i32> =
        column(&mut client, "SELECT cardinality(secret_ids) FROM hftok_private.use_counts");
    assert!(lengths.len() > 20 && lengths.iter().all(|length| (1..=64).contains(length)), "{lengths:?}");

    // Half of them go, some rows as a whole; a use of one that is gone does not count.
    let lowest = "SELECT hftok.delete_credential('huggingface', p_user_id => scope_id) FROM (
            SELECT c.scope_id FROM hftok.credentials c ORDER BY c.secret_id LIMIT 700
        ) c";
    run(&mut client, lowest);
    let left: Vec<i32> = column(&mut client, "SELECT scope_id::int FROM hftok.credentials");
    wanted.retain(|user, _| left.contains(user));
    let kept = "SELECT array_agg(secret_id ORDER BY secret_id) IS NOT DISTINCT FROM
            (SELECT array_agg(secret_id ORDER BY secret_id) FROM hftok.credentials) FROM hftok_private.counted_uses";
    wait_until("the others are forgotten", 20, || one::<bool>(&mut client, kept, &[]));
    assert_eq!(counts(&mut client), wanted);

    // New ones have their places between them, before all of them as well.
    let save = "SELECT count(hftok.save_hf_token($1, p_user_id => n::text)) FROM generate_series(1, $2) n
        WHERE NOT EXISTS (SELECT FROM hftok.credentials c WHERE c.scope_id = n::text)";
    assert_eq!(one::<i64>(&mut client, save, &[&TOKEN, &USERS]), 700);
    use_some(&mut client, &mut wanted, 1);
    wait_until("all are counted", 20, || counts(&mut client) == wanted);

    // A dump of version 0.1.0 brings counts in a table of their own: the next writer adds those of secrets that are there.
    without_writer(&cluster);
    run(
        &mut client,
        "INSERT INTO hftok_private.secret_usage (secret_id, use_count, last_used_at, expiry_told)
            SELECT secret_id, 1000000, timestamptz '2020-01-01', CASE scope_id WHEN '2' THEN timestamptz '2030-01-01' END
            FROM hftok.credentials WHERE scope_id IN ('1', '2')
            UNION ALL SELECT gen_random_uuid(), 7, NULL, NULL",
    );
    use_some(&mut client, &mut wanted, 1);
    for user in [1, 2] {
        *wanted.entry(user).or_default() += 1_000_000;
    }
    wait_until("former uses are added", 20, || counts(&mut client) == wanted);
    let left: Vec<i64> = column(&mut client, "SELECT use_count FROM hftok_private.secret_usage ORDER BY 1");
    assert_eq!(left, [0, 7], "the end of one was told, and one may still come");

    // What somebody makes of the table is put right, or left out; nothing stops the writer.
    for damage in [
        "counts = counts[2:], last_used = NULL || last_used",
        "secret_ids = array_fill(uuid 'ffffffff-ffff-ffff-ffff-ffffffffffff', '{70}') || secret_ids,
            counts = array_fill(5::bigint, '{70}') || counts, last_used = array_fill(now(), '{70}') || last_used",
        "secret_ids = secret_ids || '{NULL}', counts = '{}'",
    ] {
        run(&mut client, &format!("UPDATE hftok_private.use_counts SET {damage}"));
        use_some(&mut client, &mut BTreeMap::new(), 1);
        let right = "SELECT (SELECT max(cardinality(secret_ids)) <= 64 FROM hftok_private.use_counts)
            AND (SELECT bool_and(c.use_count > 0 AND c.last_used_at IS NOT NULL) FROM hftok.credentials c)";
        wait_until("all are counted", 20, || one::<bool>(&mut client, right, &[]));
    }
    run(&mut client, "TRUNCATE hftok_private.use_counts");
    let mut wanted = BTreeMap::new();
    use_some(&mut client, &mut wanted, 3);
    wait_until("all are counted anew", 20, || counts(&mut client) == wanted);
    verified(&mut client);
}
