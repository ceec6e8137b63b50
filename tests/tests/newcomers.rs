//! Mistakes of a first day, on the server and in SQL: message, detail and hint together name the remedy. Those that are made over
//! PostgREST are in tests/rpc/newcomers.test.ts. And the pages that a newcomer reads: their statements run, and their messages are
//! those that are said.

use std::fs;
use std::path::Path;

use hftok_tests::answer::{every_field, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use postgres::Client;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join("docs").join(name)).expect("a page")
}

/// Everything that an error says, which must have each of these.
#[track_caller]
fn says<T>(result: Result<T, postgres::Error>, sqlstate: &str, remedies: &[&str]) {
    let said = every_field(&refused(result, sqlstate));
    for remedy in remedies {
        assert!(said.contains(remedy), "{remedy:?} in:\n{said}");
    }
}

fn save(client: &mut Client, token: &str) -> Result<Vec<postgres::Row>, postgres::Error> {
    client.query("SELECT hftok.save_hf_token($1, p_user_id => 'alice')", &[&token])
}

const TOKEN: &str = "hf_aliceAliceAliceAliceAliceAlice0001";

#[test]
fn a_server_that_was_not_told_to_load_hftok_says_where() {
    let cluster = Setup::default().without_preload().start();
    let mut client = cluster.database("app");
    says(save(&mut client, TOKEN), "53HF1", &["shared_preload_libraries", "restart"]);
}

#[test]
fn a_key_file_that_others_may_read_says_which_rights_to_take() {
    let key = RootKey::random(1);
    let cluster = Setup::default().keys(std::slice::from_ref(&key)).make();
    cluster.write_file("keyring", RootKey::keyring(&[key]), 0o644);
    cluster.start();
    let mut client = cluster.database("app");
    says(save(&mut client, TOKEN), "53HF1", &["read or changed by others", "hftok.key_file", "chmod 600"]);
}

#[test]
fn a_token_that_is_no_token_says_what_is_wrong_with_it() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let (first, second) = TOKEN.split_at(20);
    says(save(&mut client, &format!("{first}\n{second}")), "22023", &["white space", "in one piece"]);
    says(save(&mut client, &format!("HF_TOKEN={TOKEN}")), "22023", &["NAME=value", "the value alone"]);
    says(save(&mut client, "hf_•••••••••••••0001"), "22023", &["only its mask is shown"]);
    let saved =
        client.query("SELECT hftok.save_credential('hugging_face', $1, p_user_id => 'alice')", &[&TOKEN]);
    says(saved, "22023", &["huggingface", "hftok.providers", "register_provider()"]);
    // The remedy of the one who may not register is another one.
    let named = client.query("SELECT hftok.save_hf_token(p_tokn => $1)", &[&TOKEN]);
    says(named, "42883", &["p_tokn", "No function matches"]);
}

#[test]
fn claims_under_a_login_that_is_no_gateway_say_how_a_test_begins() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client
        .batch_execute("SELECT set_config('request.jwt.claims', '{\"sub\":\"alice\"}', false)")
        .expect("set");
    says(client.query("SELECT hftok.whoami()", &[]), "42501", &["no gateway", "SET SESSION AUTHORIZATION"]);
}

/// Nobody can be told later: where the roles have no USAGE on the schema, Postgres itself refuses.
#[test]
fn where_postgrests_roles_are_create_extension_says_what_lets_them_in() {
    let cluster = Cluster::start_default();
    drop(cluster.empty_database("app"));
    let (mut client, notices) = cluster.client_noting("postgres", "app");
    client.batch_execute("CREATE EXTENSION hftok").expect("created");
    assert!(notices.lock().expect("lock").is_empty(), "nobody is told who has no PostgREST");
    client
        .batch_execute(
            "DROP EXTENSION hftok; CREATE ROLE authenticated; CREATE ROLE authenticator LOGIN; CREATE EXTENSION hftok",
        )
        .expect("created again");
    let said: Vec<String> = notices.lock().expect("lock").iter().map(every_field).collect();
    assert!(said.iter().any(|notice| notice.contains("SELECT hftok.enable_rpc()")), "{said:?}");
}

/// Each block is what it says: statements, and after `-- ` what is answered to the one before.
#[test]
fn the_page_on_tests_in_sql_runs_and_answers_as_it_says() {
    let text = page("testing.md");
    let script: String = text.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let cluster = Cluster::start_default();
    drop(cluster.empty_database("app"));
    let file = cluster.write_file("testing.sql", &script, 0o644);
    let mut psql = cluster.client_program("psql", "postgres", "app");
    let output = psql.args(["-XAtq", "-f"]).arg(file).output().expect("psql");
    let told = String::from_utf8(output.stdout).expect("text");
    let errors = String::from_utf8(output.stderr).expect("text");
    let promised = |start: &str| -> Vec<&str> {
        script
            .lines()
            .filter_map(|line| line.strip_prefix("-- "))
            .filter_map(|line| line.strip_prefix(start))
            .collect()
    };
    assert_eq!(told.lines().collect::<Vec<_>>(), promised(" "), "{errors}");
    let refusals = errors.lines().filter_map(|line| line.split_once(": ERROR:  "));
    assert_eq!(refusals.map(|(_, sqlstate)| sqlstate).collect::<Vec<_>>(), promised("ERROR:  "));
}

/// Messages that are Postgres', PostgREST's, a client's or an application's own.
const OF_OTHERS: [&str; 13] = [
    "could not open extension control file",
    "permission denied to create extension \"hftok\"",
    "database \"…\" is being accessed by other users",
    "permission denied for schema hftok",
    "permission denied for function …",
    "The schema must be one of the following: …",
    "Could not find the function public.…",
    "Could not find the function hftok.…",
    "Could not find the '…' column of '…' in the schema cache",
    "operator does not exist: uuid = text",
    "TypeError: … is not a valid ByteString",
    "schema \"vault\" does not exist",
    "referenced relation \"…\" is not a table",
];

/// Everything that is written in the files of a folder.
fn text_of(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        text += &if entry.path().is_dir() {
            text_of(&entry.path())
        } else {
            fs::read_to_string(entry.path()).unwrap_or_default()
        };
    }
    text
}

#[test]
fn every_message_that_the_page_of_troubles_explains_is_said_somewhere() {
    let sources: String =
        ["src", "crates/core/src", "sql"].map(|folder| text_of(&Path::new(ROOT).join(folder))).concat();
    let text = page("troubleshooting.md");
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| message"));
    let mut count = 0;
    for row in rows {
        let first = row.split('|').nth(1).unwrap_or_default();
        for message in first.split('`').skip(1).step_by(2).filter(|message| message.contains(' ')) {
            count += 1;
            let constant = message.split('…').next().unwrap_or_default().trim_end();
            let is_known = OF_OTHERS.contains(&message) || sources.contains(constant);
            assert!(is_known, "nobody says: {message}");
        }
    }
    assert!(count > 40, "{count} messages were found");
}
