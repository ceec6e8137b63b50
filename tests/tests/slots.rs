//! Several keys of one owner for one use, saved and read by several sessions at once.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use hftok_tests::answer::{column, one};
use hftok_tests::race::race;
use hftok_tests::setup::Setup;
use postgres::Client;

const KEY: &str = "sk-0123456789abcdef0123456789";
const SESSIONS: usize = 4;

/// The slot of the key that is used for somebody.
fn used(client: &mut Client, user: &str) -> Option<String> {
    one(client, "SELECT slot FROM hftok.resolve_token('openai', $1)", &[&user])
}

#[test]
fn slots_that_are_saved_at_once_have_a_place_each_and_count() {
    let cluster = Setup::default()
        .setting("hftok.max_credentials_per_user = 3")
        .setting("hftok.max_credentials_per_org = 10")
        .start();
    let mut client = cluster.database("app");
    // The first save makes the first keys, so that no session waits for them.
    client.query("SELECT hftok.save_credential('openai', $1, p_user_id => 'first')", &[&KEY]).expect("saved");
    for (owner, most) in [("user", 3), ("org", SESSIONS)] {
        let saved = race(&cluster, "app", SESSIONS, |number, client| {
            let mut transaction = client.transaction().expect("begin");
            let sql = format!(
                "SELECT hftok.save_credential('openai', '{KEY}', p_{owner}_id => 'alice', p_slot => 's{number}')"
            );
            let answer = transaction.query(&sql, &[]);
            sleep(Duration::from_millis(200));
            match answer {
                Ok(_) => transaction.commit().map(|()| true).expect("commit"),
                Err(error) => {
                    assert_eq!(error.code().map(|code| code.code()), Some("PT413"), "{error:?}");
                    false
                }
            }
        });
        assert_eq!(saved.into_iter().filter(|saved| *saved).count(), most, "{owner}");
        let places: Vec<i32> = column(
            &mut client,
            &format!("SELECT position FROM hftok.credentials WHERE scope = '{owner}' AND scope_id = 'alice'"),
        );
        let last = i32::try_from(most).expect("a few");
        assert_eq!(places.into_iter().collect::<BTreeSet<_>>(), (1..=last).collect(), "{owner}");
    }
}

/// Whoever asks for one key of a user's gets that, and not what the platform has in the server's environment.
#[test]
fn who_names_a_slot_is_not_given_a_variable_of_the_server() {
    let cluster = Setup::default().environment("HF_TOKEN", hftok_tests::audit::TOKEN).start();
    let mut client = cluster.database("app");
    let source = |client: &mut Client, slot: &str| -> String {
        one(client, "SELECT source FROM hftok.resolve_token('huggingface', 'alice', p_slot => $1)", &[&slot])
    };
    assert_eq!(source(&mut client, ""), "environment");
    assert_eq!(source(&mut client, "spare"), "none");
}

/// A session that knows that no credential has a slot is told of the first one, at each level.
#[test]
fn the_first_slot_is_found_by_sessions_that_know_of_none() {
    let cluster = Setup::default().start();
    let mut client = cluster.database("app");
    let mut reader = cluster.client("postgres", "app");
    client.query("SELECT hftok.save_credential('openai', $1, p_user_id => 'alice')", &[&KEY]).expect("saved");
    assert_eq!(used(&mut reader, "alice").as_deref(), Some(""));
    let save = "SELECT hftok.save_credential('openai', $1, p_user_id => 'alice', p_slot => 'spare')";
    let mut transaction = client.transaction().expect("begin");
    transaction.query(save, &[&KEY]).expect("saved");
    transaction
        .execute("UPDATE hftok.credentials SET position = 9 WHERE slot = ''", &[])
        .expect("another order");
    assert_eq!(used(&mut reader, "alice").as_deref(), Some(""));
    transaction.commit().expect("committed");
    assert_eq!(used(&mut reader, "alice").as_deref(), Some("spare"));
    let delete = "SELECT hftok.delete_credential('openai', p_user_id => 'alice', p_slot => 'spare')";
    client.query(delete, &[]).expect("deleted");
    assert_eq!(used(&mut reader, "alice").as_deref(), Some(""));
    // Another kind, which has none yet.
    client
        .query("SELECT hftok.save_credential('openai', $1, 'm', p_global => true)", &[&KEY])
        .expect("saved");
    let walk = "SELECT slot FROM hftok.resolve_token('openai', p_model => 'm')";
    assert_eq!(one::<Option<String>>(&mut reader, walk, &[]).as_deref(), Some(""));
    client
        .query("SELECT hftok.save_credential('openai', $1, 'm', p_global => true, p_slot => 'b', p_position => 0)", &[&KEY])
        .expect("saved");
    client
        .execute("UPDATE hftok.credentials SET enabled = false WHERE slot = '' AND model = 'm'", &[])
        .expect("off");
    assert_eq!(one::<Option<String>>(&mut reader, walk, &[]).as_deref(), Some("b"));
}
