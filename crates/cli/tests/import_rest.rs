//! `hftok import env|dotenv` over a real PostgREST: a user's own credentials, with a JWT and without a connection to Postgres.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;
#[path = "command/postgrest.rs"]
mod postgrest;

use command::{hftok, said};
use hftok_tests::answer::one;
use hftok_tests::cluster::Cluster;
use postgrest::{Postgrest, jwt};

const TOKEN: &str = "hf_restCanaryAaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "hf_restCanaryBbbbbbbbbbbbbbbbbbbbbbb";

#[test]
fn a_user_moves_their_own_variables_in() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let roles = "CREATE ROLE anon NOLOGIN NOINHERIT; CREATE ROLE authenticated NOLOGIN NOINHERIT; \
                 CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS; CREATE ROLE authenticator LOGIN NOINHERIT; \
                 GRANT anon, authenticated, service_role TO authenticator; SELECT hftok.enable_rpc()";
    client.batch_execute(roles).expect("roles");
    let Some(api) = Postgrest::start(&cluster, "app") else { return };
    let alice = jwt("authenticated", Some("alice"), 600);
    let import = |arguments: &[&str], token: &str| {
        let mut command = hftok(&[&["import", "env"], arguments].concat());
        command.env("HFTOK_API_URL", api.address()).env("HFTOK_JWT", &alice);
        command.env("HF_TOKEN", token).env("MISTRAL_API_KEY", "changeme");
        let said = said(&mut command, "");
        assert!(!said.out.contains("restCanary") && !said.err.contains("restCanary"), "{said:?}");
        said
    };
    let tried = import(&["--dry-run"], TOKEN);
    assert!(tried.code == Some(1) && tried.out.contains("would be imported"), "{tried:?}");
    assert!(tried.out.contains("a placeholder"), "{tried:?}");
    assert_eq!(one::<i64>(&mut client, "SELECT count(*) FROM hftok.credentials", &[]), 0);

    let done = import(&["--yes"], TOKEN);
    assert!(done.code == Some(1) && done.err.contains("Still in the environment: HF_TOKEN"), "{done:?}");
    let held = "SELECT hftok.resolve_hf_token('alice', p_levels => '{user}')";
    assert!(one::<String>(&mut client, held, &[]) == TOKEN);

    for trial in ["--dry-run", "--yes"] {
        let again = import(&[trial, "--provider", "huggingface"], OTHER);
        assert!(again.code == Some(0) && again.out.contains("skipped"), "{trial}: {again:?}");
    }
    assert_eq!(import(&["--yes", "--provider", "huggingface", "--replace"], OTHER).code, Some(0));
    assert!(one::<String>(&mut client, held, &[]) == OTHER);

    let stranger = import(&["--yes", "--provider", "huggingface", "--user", "bob"], TOKEN);
    assert_eq!(stranger.code, Some(3), "{stranger:?}");
}
