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
