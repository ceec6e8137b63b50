//! A DBA maintains the database like any other: the audit goes on.

use hftok_tests::answer::{one, put, refused};
use hftok_tests::audit::{count, global_token, resolve, settled, verified};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use postgres::Client;

/// Uses and changes in both modes, and sees all of it chained.
#[track_caller]
fn goes_on(client: &mut Client, name: &str) {
    for mode in ["async", "sync"] {
        client.batch_execute(&format!("SET hftok.audit = '{mode}'")).expect("SET");
        resolve(client, &format!("{name} {mode}")).expect("resolves");
        put(client, name, mode);
    }
    settled(client);
    assert_eq!(count(client, &format!("actor_user LIKE '{name} %'")), 2, "{name}");
    verified(client);
}

fn with_token() -> (Cluster, Client) {
    let cluster = Setup::default().start();
    let mut client = cluster.database("app");
    global_token(&mut client);
    (cluster, client)
}

#[test]
fn an_index_that_was_not_finished_stops_nothing() {
    let (cluster, mut client) = with_token();
    for (name, column) in [("of_brin", "brin (at)"), ("of_btree", "btree (actor_user)")] {
        // An index that is made concurrently waits for transactions that write. It is left behind unfinished when that takes
        // too long.
        let mut holder = cluster.client("postgres", "app");
        let mut held = holder.transaction().expect("BEGIN");
        held.batch_execute("LOCK hftok_private.audit IN ROW EXCLUSIVE MODE").expect("LOCK");
        client.batch_execute("SET statement_timeout = '500ms'").expect("SET");
        let make = format!("CREATE INDEX CONCURRENTLY {name} ON hftok_private.audit USING {column}");
        refused(client.batch_execute(&make), "57014");
        client.batch_execute("RESET statement_timeout").expect("RESET");
        let is_ready =
            "SELECT indisready FROM pg_index WHERE indexrelid = ('hftok_private.' || $1)::text::regclass";
        assert!(!one::<bool>(&mut client, is_ready, &[&name]), "{name} is not ready");
        goes_on(&mut client, name);
        held.commit().expect("COMMIT");
        goes_on(&mut client, name.strip_prefix("of_").expect("a prefix"));
    }
    client.batch_execute("REINDEX TABLE hftok_private.audit").expect("REINDEX");
    goes_on(&mut client, "anew");
}

/// The writer adds rows without the executor, and so enters them into whatever indexes there are by itself.
#[test]
fn indexes_of_every_sort_find_every_row() {
    let (_cluster, mut client) = with_token();
    client
        .batch_execute(
            "CREATE EXTENSION IF NOT EXISTS bloom;
             CREATE INDEX ON hftok_private.audit USING brin (id) WITH (pages_per_range = 1);
             CREATE INDEX ON hftok_private.audit USING brin (action, owner_id) WITH (pages_per_range = 1, autosummarize = on);
             CREATE INDEX ON hftok_private.audit USING bloom (action, outcome);
             CREATE INDEX ON hftok_private.audit_bundles USING brin (last_id, last_at) WITH (pages_per_range = 1);
             CREATE INDEX ON hftok_private.audit_bundles USING bloom (count)",
        )
        .expect("indexes");
    for number in 0..30 {
        put(&mut client, &format!("name {number}"), "value");
        let uses = "SELECT count(hftok.resolve_hf_token('user ' || n)) FROM generate_series(1, 50) n";
        assert_eq!(one::<i64>(&mut client, uses, &[]), 50);
        if number % 7 == 0 {
            settled(&mut client);
        }
    }
    goes_on(&mut client, "indexed");
    client
        .batch_execute(
            "SELECT brin_summarize_new_values(indexrelid) FROM pg_index
        WHERE indrelid IN ('hftok_private.audit'::regclass, 'hftok_private.audit_bundles'::regclass)
        AND pg_get_indexdef(indexrelid) LIKE '%USING brin%'",
        )
        .expect("summaries");
    goes_on(&mut client, "summarised");
    // Rows that are already there, in each way: each must be found by its own values.
    for (table, own) in [
        ("audit", "i.id = a.id"),
        ("audit", "i.action = a.action AND i.owner_id IS NOT DISTINCT FROM a.owner_id AND i.id + 0 = a.id"),
        ("audit", "i.action = a.action AND i.outcome = a.outcome AND i.id + 0 = a.id"),
        ("audit_bundles", "i.last_id = a.last_id"),
        ("audit_bundles", "i.last_at = a.last_at AND i.last_id + 0 = a.last_id"),
        ("audit_bundles", "i.count = a.count AND i.last_id + 0 = a.last_id"),
    ] {
        client
            .batch_execute(
                "SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off",
            )
            .expect("SET");
        let name = format!("hftok_private.{table}");
        let found: i64 = one(
            &mut client,
            &format!("SELECT count(*) FROM {name} a, LATERAL (SELECT FROM {name} i WHERE {own} OFFSET 0) f"),
            &[],
        );
        client.batch_execute("RESET ALL").expect("RESET");
        let all: i64 = one(&mut client, &format!("SELECT count(*) FROM {name}"), &[]);
        assert!(all > 5, "{all} rows of {name}");
        assert_eq!(found, all, "{name} by {own}");
    }
}

#[test]
fn a_publication_of_everything_stops_nothing() {
    let (_cluster, mut client) = with_token();
    client.batch_execute("CREATE PUBLICATION everything FOR ALL TABLES").expect("CREATE PUBLICATION");
    goes_on(&mut client, "published");
    client.batch_execute("SELECT hftok.seal()").expect("seal()");
    refused(resolve(&mut client, "nobody"), "53HF1");
    client.batch_execute("SELECT hftok.unseal()").expect("unseal()");
    goes_on(&mut client, "unsealed");
}
