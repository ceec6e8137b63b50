//! Several writers at the edge of a quota come to exactly the quota, whatever they write and for whomever it counts.

use std::thread::sleep;
use std::time::Duration;

use hftok_tests::answer::column;
use hftok_tests::cluster::Cluster;
use hftok_tests::race::race;
use hftok_tests::setup::Setup;
use postgres::Client;

const KEY: &str = "sk-0123456789abcdef0123456789";
const SESSIONS: usize = 6;

fn cluster() -> (Cluster, Client) {
    let cluster = Setup::default()
        .setting("hftok.max_credentials_per_user = 4")
        .setting("hftok.max_credentials_per_org = 4")
        .setting("hftok.max_integrations_per_user = 4")
        .setting("hftok.max_members_per_org = 4")
        .setting("hftok.max_bytes_per_user = 200kB")
        .start();
    let mut client = cluster.database("app");
    // The first save makes the first keys, so that no session waits for them.
    client.query("SELECT hftok.save_credential('openai', $1, p_user_id => 'first')", &[&KEY]).expect("saved");
    (cluster, client)
}

/// Number of sessions that come through, each with a transaction that ends only when all others have begun.
#[track_caller]
fn admitted(cluster: &Cluster, sql: impl Fn(usize) -> String + Sync) -> usize {
    let came = race(cluster, "app", SESSIONS, |number, client| {
        let mut transaction = client.transaction().expect("begin");
        let answer = transaction.query(&sql(number), &[]);
        sleep(Duration::from_millis(200));
        match answer {
            Ok(_) => transaction.commit().map(|()| true).expect("commit"),
            Err(error) => {
                assert_eq!(error.code().map(|code| code.code()), Some("PT413"), "{error:?}");
                false
            }
        }
    });
    came.into_iter().filter(|came| *came).count()
}

#[test]
fn credentials_of_a_user_and_of_an_organisation() {
    let (cluster, _client) = cluster();
    for owner in ["p_user_id => 'alice'", "p_org_id => 'alice'"] {
        let save = |n: usize| format!("SELECT hftok.save_credential('openai', '{KEY}', 'm{n}', {owner})");
        assert_eq!(admitted(&cluster, save), 4, "{owner}");
    }
    let services = ["openai", "huggingface", "anthropic", "groq", "mistral", "cohere"];
    let upsert = |n: usize| {
        format!(
            "INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('bob', '{}', 'a0123456789abcdef0123456789')",
            services[n]
        )
    };
    assert_eq!(admitted(&cluster, upsert), 4);
}

#[test]
fn integrations_of_a_user() {
    let (cluster, _client) = cluster();
    let make = |_| {
        format!("SELECT hftok.create_integration_with_vault('n', 'openai', '{KEY}', p_user_id => 'alice')")
    };
    assert_eq!(admitted(&cluster, make), 4);
}

#[test]
fn members_of_an_organisation() {
    let (cluster, mut client) = cluster();
    for org in ["without owner", "with one"] {
        if org == "with one" {
            client.query("SELECT hftok.add_member($1, 'owner', 'owner')", &[&org]).expect("an owner");
        }
        let add = |n: usize| format!("SELECT hftok.add_member('{org}', 'u{n}')");
        assert_eq!(admitted(&cluster, add), if org == "with one" { 3 } else { 4 }, "{org}");
    }
}

#[test]
fn bytes_of_all_that_a_user_has() {
    let (cluster, mut client) = cluster();
    for _ in 0..4 {
        client
            .query(
                "SELECT hftok.create_integration_with_vault('n', 'openai', $1, p_user_id => 'alice')",
                &[&KEY],
            )
            .expect("made");
    }
    let ids: Vec<uuid::Uuid> = column(&mut client, "SELECT id FROM hftok.integrations");
    // 60 kB each, of an integration that is there or of a model that is new.
    let write = |n: usize| match ids.get(n) {
        Some(id) => format!(
            "SELECT hftok.update_integration_credentials('{id}', 'sk-' || repeat('{n}a', 30000), 'alice')"
        ),
        None => format!(
            "SELECT hftok.save_credential('openai', 'sk-' || repeat('{n}a', 30000), 'm{n}', p_user_id => 'alice')"
        ),
    };
    assert_eq!(admitted(&cluster, write), 3);
    let write = |n: usize| {
        format!(
            "SELECT hftok.save_credential('openai', 'sk-' || repeat('{n}a', 30000), 'm{}', p_org_id => 'acme')",
            n % 2
        )
    };
    // Previous versions included.
    assert_eq!(admitted(&cluster, write), 3);
}
