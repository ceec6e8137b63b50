//! `hftok run`: what the command gets, what it does not get, and how it ends.

#![allow(clippy::expect_used, clippy::panic, missing_docs)]
#[path = "command/mod.rs"]
mod command;

use std::process::Command;
use std::sync::LazyLock;

use command::{Said, hftok, hftok_on, said};
use hftok_tests::cluster::Cluster;

const TOKEN: &str = "hf_aliceAliceAliceAliceAliceAlice0001";

/// A server where alice has a token, and an operator's own provider has a key of two fields.
static SERVER: LazyLock<Cluster> = LazyLock::new(|| {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client.execute("SELECT hftok.save_hf_token($1, p_user_id => 'alice')", &[&TOKEN]).expect("saved");
    let own = r#"{"id": "own", "label": "Own", "fields": [
        {"name": "key", "secret": true, "env": ["OWN_API_KEY"]},
        {"name": "region", "optional": true, "env": ["OWN_REGION"]}]}"#;
    client.execute("SELECT hftok.register_provider($1::text::jsonb)", &[&own]).expect("registered");
    let key = r#"{"key": "own-key-0001-0001"}"#;
    client.execute("SELECT hftok.save_credential('own', $1, p_user_id => 'alice')", &[&key]).expect("saved");
    cluster
});

/// `hftok run ARGUMENTS`.
fn run(arguments: &[&str]) -> Command {
    hftok_on(&SERVER, "postgres", "app", &[&["run"], arguments].concat())
}

fn printed(said: &Said) -> Vec<&str> {
    said.out.lines().collect()
}

#[test]
fn the_command_gets_the_value_and_nothing_of_ours() {
    let mut command = run(&["--provider", "huggingface", "--user", "alice", "--", "env"]);
    command.env("HFTOK_JWT", "ours").env("PGPASSWORD", "opens the vault").env("OTHER", "kept");
    let got = said(&mut command, "");
    let lines = printed(&got);
    assert_eq!(got.code, Some(0), "{got:?}");
    assert!(
        lines.contains(&format!("HF_TOKEN={TOKEN}").as_str()) && lines.contains(&"OTHER=kept"),
        "{got:?}"
    );
    assert!(!got.out.contains("HFTOK_") && !got.out.contains("PGPASSWORD"), "{got:?}");
    assert!(got.err.starts_with("hftok: PGPASSWORD was removed"), "{got:?}");
    assert!(!got.err.contains(TOKEN));

    let mut command = run(&["-q", "--keep-connection", "--user", "alice", "--", "printenv", "PGPASSWORD"]);
    let got = said(command.env("PGPASSWORD", "opens the vault"), "");
    assert_eq!((got.out.as_str(), got.err.as_str()), ("opens the vault\n", ""));
}

#[test]
fn the_value_is_in_no_argument_of_any_process() {
    let script = r#"for file in /proc/[0-9]*/cmdline; do tr '\0' ' ' <"$file" 2>/dev/null; echo; done"#;
    let got = said(&mut run(&["--user", "alice", "--", "sh", "-c", script]), "");
    assert!(got.out.contains("sh -c for file"), "{got:?}");
    assert!(!got.out.contains(TOKEN), "{got:?}");
}

#[test]
fn what_outranks_the_answer_is_removed_with_a_word() {
    let mut command = run(&["--provider", "huggingface", "--user", "alice", "--", "env"]);
    command.env("HF_TOKEN", "hf_old").env("HF_OIDC_RESOURCE", "r").env("HUGGING_FACE_HUB_TOKEN", "hf_older");
    let got = said(&mut command, "");
    assert!(got.out.contains(&format!("HF_TOKEN={TOKEN}\n")), "{got:?}");
    assert!(!got.out.contains("hf_old") && !got.out.contains("HF_OIDC_RESOURCE"), "{got:?}");
    assert_eq!(got.err.lines().count(), 2, "{got:?}");
    assert!(got.err.contains("HF_OIDC_RESOURCE was removed"), "{got:?}");
}

#[test]
fn a_token_that_is_there_is_the_lowest_level_unless_exclusive() {
    let inherited = |exclusive: &[&str]| {
        let line = [exclusive, &["--provider", "huggingface,own", "--user", "bob", "--", "env"]].concat();
        let mut command = run(&line);
        said(command.env("HF_TOKEN", "hf_bob").env("OWN_REGION", "north"), "")
    };
    let got = inherited(&[]);
    assert!(got.out.contains("HF_TOKEN=hf_bob\n") && got.out.contains("OWN_REGION=north\n"), "{got:?}");
    assert!(!got.out.contains("HF_HUB_DISABLE_IMPLICIT_TOKEN") && got.err.is_empty(), "{got:?}");
    let got = inherited(&["--exclusive"]);
    assert!(!got.out.contains("hf_bob") && !got.out.contains("OWN_REGION"), "{got:?}");
    assert!(got.out.contains("HF_HUB_DISABLE_IMPLICIT_TOKEN=1\n"), "{got:?}");
    assert!(got.err.contains("HF_TOKEN was removed") && got.err.contains("--exclusive"), "{got:?}");
}

#[test]
fn two_credentials_are_never_mixed() {
    let mut command = run(&["--provider", "own", "--user", "alice", "--", "env"]);
    let got = said(command.env("OWN_REGION", "elsewhere"), "");
    assert!(got.out.contains("OWN_API_KEY=own-key-0001-0001\n"), "{got:?}");
    assert!(!got.out.contains("OWN_REGION"), "{got:?}");
}

#[test]
fn exit_codes_and_signals_are_the_commands_own() {
    assert_eq!(said(&mut run(&["--user", "alice", "--", "sh", "-c", "exit 42"]), "").code, Some(42));
    assert_eq!(said(&mut run(&["--user", "alice", "--", "sh", "-c", "kill -TERM $$"]), "").code, None);
    assert_eq!(said(&mut run(&["--user", "alice", "cat"]), "as it is").out, "as it is");
    let missing = said(&mut run(&["--user", "alice", "--", "no-such-command"]), "");
    assert_eq!(missing.code, Some(127));
    assert!(missing.err.contains("hftok: cannot run no-such-command: No such file"), "{missing:?}");
    assert_eq!(said(&mut run(&["--user", "alice", "--", "/etc/passwd"]), "").code, Some(126));
    // Options behind the command are the command's.
    assert_eq!(said(&mut run(&["--user", "alice", "echo", "--json", "-d"]), "").out, "--json -d\n");
}

#[test]
fn the_command_takes_our_place_with_the_limits_that_we_were_given() {
    let line = [&["--user", "alice", "--", "sh", "-c", "echo $$; ulimit -c"][..]].concat();
    let hftok = run(&line);
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"ulimit -c 1000; echo $$; exec "$0" "$@""#, command::PROGRAM, "run"]).args(&line);
    shell.envs(hftok.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let got = said(&mut shell, "");
    let lines = printed(&got);
    assert_eq!((lines.len(), lines[0], lines[2]), (3, lines[1], "1000"), "{got:?}");
}

#[test]
fn hftok_fails_with_a_code_of_its_own_and_starts_nothing() {
    let nobody = said(hftok(&["run", "--", "echo", "started"]).env("PGHOST", "/nowhere"), "");
    assert_eq!((nobody.code, nobody.out.as_str()), (Some(125), ""), "{nobody:?}");
    let unknown = said(&mut run(&["--provider", "hugingface", "--", "echo", "started"]), "");
    assert_eq!((unknown.code, unknown.out.as_str()), (Some(125), ""), "{unknown:?}");
    assert!(unknown.err.contains("huggingface"), "{unknown:?}");
    let runner = ["run", "--runner", "http://10.1.2.3:8791", "--", "echo", "started"];
    let insecure = said(hftok(&runner).env("HFTOK_RUNNER_TOKEN", "hftok_runner_secret"), "");
    assert_eq!((insecure.code, insecure.out.as_str()), (Some(125), ""), "{insecure:?}");
    assert!(insecure.err.contains("neither https") && !insecure.err.contains("secret"), "{insecure:?}");
}

#[test]
fn without_a_server_the_environment_is_what_there_is() {
    let got = said(hftok(&["run", "--no-server", "--", "env"]).env("HF_TOKEN", "hf_mine"), "");
    assert!(got.code == Some(0) && got.out.contains("HF_TOKEN=hf_mine\n") && got.err.is_empty(), "{got:?}");
}
