//! `hftok import env|dotenv`: what the catalogue knows goes over, and the values are shown nowhere.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use command::{Said, hftok_on, said};
use hftok_tests::answer::one;
use hftok_tests::cluster::Cluster;
use postgres::Client;

/// Stands in every value.
const CANARY: &str = "variableCanary";
const HF: &str = "hf_variableCanaryAaaaaaaaaaaaaaaaaaaa";
const OPENAI: &str = "sk-proj-variableCanary00000000000000";
const AWS: &str = "variableCanary0000000000000000000000000A";

#[track_caller]
fn import(cluster: &Cluster, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let mut command = hftok_on(cluster, "operator", "app", &[&["import"], arguments].concat());
    command.envs(variables.iter().copied());
    let said = said(&mut command, "");
    assert!(!said.out.contains(CANARY) && !said.err.contains(CANARY), "{said:?}");
    said
}

fn held(client: &mut Client, provider: &str) -> String {
    let sql = "SELECT (hftok.resolve_token($1, p_levels => '{global}')).token";
    one(client, sql, &[&provider])
}

fn with_operator() -> (Cluster, Client) {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client.batch_execute("CREATE ROLE operator LOGIN IN ROLE hftok_admin").expect("a role");
    (cluster, client)
}

#[test]
fn what_the_environment_has_is_tried_and_imported() {
    let (cluster, mut client) = with_operator();
    let variables = [
        ("HF_TOKEN", HF),
        ("MY_OPENAI", OPENAI),
        ("AWS_SECRET_ACCESS_KEY", AWS),
        ("MISTRAL_API_KEY", "changeme"),
        ("OTHER", CANARY),
    ];
    let map = ["env", "--global", "--map", "MY_OPENAI=openai"];

    let tried = import(&cluster, &[&map[..], &["--dry-run", "--json"]].concat(), &variables);
    let json: serde_json::Value = serde_json::from_str(&tried.out).expect("JSON");
    let outcomes: Vec<(&str, &str)> = json["credentials"]
        .as_array()
        .expect("credentials")
        .iter()
        .map(|one| (one["provider"].as_str().expect("text"), one["outcome"].as_str().expect("text")))
        .collect();
    assert_eq!(
        outcomes,
        [("aws", "rejected"), ("huggingface", "imported"), ("mistral", "rejected"), ("openai", "imported")]
    );
    assert_eq!(json["credentials"][0]["reason"], "AWS_ACCESS_KEY_ID is missing");
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM hftok.credentials", &[]), 0);

    assert_eq!(import(&cluster, &map, &variables).code, Some(2));
    let all = [&variables[..], &[("AWS_ACCESS_KEY_ID", "AKIA2222222222222222")]].concat();
    let done = import(&cluster, &[&map[..], &["--yes"]].concat(), &all);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("Still in the environment:") && done.err.contains("HF_TOKEN"), "{done:?}");
    assert!(held(&mut client, "huggingface") == HF && held(&mut client, "openai") == OPENAI);
    assert!(held(&mut client, "aws").contains(AWS));

    let again = import(&cluster, &["env", "--global", "--yes", "--provider", "huggingface"], &variables);
    assert_eq!(again.code, Some(0));
    assert!(again.out.contains("skipped") && again.out.contains("--replace"), "{again:?}");
    let other = HF.replace("Aaa", "Bbb");
    let replaced = ["env", "--global", "--yes", "--provider", "huggingface", "--replace"];
    assert_eq!(import(&cluster, &replaced, &[("HF_TOKEN", &other)]).code, Some(0));
    assert!(held(&mut client, "huggingface") == other);
}

#[test]
fn a_file_says_what_it_still_holds() {
    let (cluster, mut client) = with_operator();
    let text = format!(
        "# of the application\nDATABASE_URL=postgres://x\nexport HF_TOKEN='{HF}' # the token\nOPENAI_API_KEY=\"${{{CANARY}}}\"\n"
    );
    let file = cluster.write_file("dot.env", text, 0o644);
    let file = file.to_str().expect("text");
    let done = import(&cluster, &["dotenv", file, "--global", "--yes"], &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(held(&mut client, "huggingface") == HF);
    for words in ["HF_TOKEN (line 3)", "line 4 refers to another", "Others than its owner", "DATABASE_URL"] {
        assert!(done.err.contains(words), "{words}: {done:?}");
    }

    let wrong = cluster.write_file("wrong.env", format!("A=1\n{CANARY}\n"), 0o600);
    let wrong = import(&cluster, &["dotenv", wrong.to_str().expect("text"), "--global", "--yes"], &[]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("line 2: no = after the name"), "{wrong:?}");

    let unknown = import(&cluster, &["dotenv", file, "--global", "--yes", "--map", "X=nobody"], &[]);
    assert!(unknown.code == Some(2) && unknown.err.contains("X: --map names no provider"), "{unknown:?}");
}

#[test]
fn the_lines_of_the_document_are_lines_of_the_command() {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli/import.md");
    let document = std::fs::read_to_string(document).expect("the document").replace("\\\n", " ");
    let lines: Vec<&str> = document.lines().filter(|line| line.starts_with("hftok import ")).collect();
    assert!(lines.len() >= 9, "{lines:?}");
    for line in lines {
        // Clap looks at all that stands before --help.
        let script = format!("hftok() {{ '{}' \"$@\" --help; }}; {line}", command::PROGRAM);
        let help = said(std::process::Command::new("sh").args(["-c", &script]), "");
        assert!(help.code == Some(0) && help.out.contains("Usage: hftok import"), "{line}: {help:?}");
    }
}
