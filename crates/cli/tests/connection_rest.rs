//! The command over a real PostgREST.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;
#[path = "command/postgrest.rs"]
mod postgrest;

use std::fs;
use std::thread;

use command::{Said, hftok, hftok_on, said};
use hftok_tests::answer::one;
use hftok_tests::cluster::{Cluster, Stop};
use hftok_tests::wait_until;
use postgrest::{Postgrest, jwt};

const TOKEN: &str = "hf_aliceAliceAliceAliceAliceAlice0001";
const ALICE: &str = "a11ce000-0000-4000-8000-000000000001";

fn server() -> Cluster {
    let cluster = Cluster::start_default();
    let roles = "CREATE ROLE anon NOLOGIN NOINHERIT; CREATE ROLE authenticated NOLOGIN NOINHERIT; \
                 CREATE ROLE service_role NOLOGIN NOINHERIT BYPASSRLS; CREATE ROLE authenticator LOGIN NOINHERIT; \
                 GRANT anon, authenticated, service_role TO authenticator; SELECT hftok.enable_rpc()";
    cluster.database("app").batch_execute(roles).expect("roles");
    cluster
}

/// What the command says with a JWT.
fn with(address: &str, jwt: Option<&str>, arguments: &[&str], input: &str) -> Said {
    let mut command = hftok(arguments);
    command.env("HFTOK_API_URL", address).envs(jwt.map(|jwt| ("HFTOK_JWT", jwt)));
    let said = said(&mut command, input);
    let shown = |text: &str| said.out.contains(text) || said.err.contains(text);
    assert!(!shown(TOKEN) && !jwt.is_some_and(shown), "{said:?}");
    said
}

#[test]
fn a_user_and_the_service_have_the_same_commands() {
    let cluster = server();
    let Some(api) = Postgrest::start(&cluster, "app") else { return };
    let (address, alice) = (api.address(), jwt("authenticated", Some(ALICE), 600));
    let done = |jwt: &str, arguments: &[&str], input: &str| {
        let said = with(&address, Some(jwt), arguments, input);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
        said.out
    };
    done(&alice, &["set", "--label", "a & b = c", "--host", "huggingface.co"], TOKEN);
    done(&alice, &["set", "--expected-version", "1"], TOKEN);
    assert!(done(&alice, &["list"], "").contains(&format!("user {ALICE}")));
    assert!(done(&alice, &["history"], "").contains("2 (current)"));
    done(&alice, &["disable"], "");
    assert_eq!(with(&address, Some(&alice), &["explain"], "").code, Some(1));
    done(&alice, &["enable"], "");
    assert!(done(&alice, &["explain", "--host", "huggingface.co"], "").contains("used"));
    done(&alice, &["restore", "--to", "1"], "");

    let service = jwt("service_role", None, 600);
    let id = ALICE.to_ascii_uppercase();
    assert!(done(&service, &["list", "--user", &id, "--json"], "").contains("a & b = c"));
    done(&service, &["set", "--name", "smtp,(x)&y"], "swordfish");
    done(&service, &["history", "--name", "smtp,(x)&y"], "");
    done(&service, &["delete", "--name", "smtp,(x)&y", "--yes"], "");
    done(&alice, &["delete", "--yes"], "");
    assert_eq!(with(&address, Some(&alice), &["delete", "--yes"], "").code, Some(1));
}

#[test]
fn errors_come_through_with_their_remedy() {
    let cluster = server();
    let Some(api) = Postgrest::start(&cluster, "app") else { return };
    let (address, alice) = (api.address(), jwt("authenticated", Some(ALICE), 600));
    let fails = |jwt: Option<&str>, arguments: &[&str], input: &str, code: i32, words: &str| {
        let said = with(&address, jwt, arguments, input);
        assert!(said.code == Some(code) && said.err.contains(words), "{arguments:?}: {said:?}");
    };
    fails(Some(&alice), &["set"], "Bearer hf_x", 3, "Bearer");
    fails(Some(&alice), &["set", "--expected-version", "7"], TOKEN, 3, "Conflict");
    fails(Some(&alice), &["set", "--user", "bob"], TOKEN, 3, "hftok: ");
    fails(Some(&jwt("authenticated", Some(ALICE), -600)), &["list"], "", 3, "take a new one");
    fails(Some("no.jwt.atall"), &["list"], "", 3, "take a new one");
    fails(None, &["list"], "", 3, "permission denied");
    fails(Some(&alice), &["list", "--secrets"], "", 3, "permission denied");

    // A file, and a JWT that ends in a line end.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("jwt");
    fs::write(&file, format!("{alice}\n")).expect("written");
    let mut listed = hftok(&["list", "--api", &address, "--jwt-file", file.to_str().expect("text")]);
    assert_eq!(said(&mut listed, "").code, Some(0));

    cluster.stop(Stop::Immediate);
    fails(Some(&alice), &["list"], "", 4, &address);
}

#[test]
fn a_server_that_ends_within_a_request_is_out_of_reach_and_refuses_nothing() {
    for how in [Stop::Fast, Stop::Immediate] {
        let cluster = server();
        let Some(api) = Postgrest::start(&cluster, "app") else { return };
        let (address, alice) = (api.address(), jwt("authenticated", Some(ALICE), 600));
        let mut watcher = cluster.client("postgres", "app");
        let mut holder = cluster.client("postgres", "app");
        holder.batch_execute("BEGIN; LOCK TABLE hftok_private.secrets").expect("a lock");
        let [over_http, directly] = thread::scope(|scope| {
            let over_http = scope.spawn(|| with(&address, Some(&alice), &["set"], TOKEN));
            let directly = scope.spawn(|| {
                let mut set = hftok_on(&cluster, "postgres", "app", &["set", "--global"]);
                said(&mut set, TOKEN)
            });
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
            wait_until("both wait", 30, || one::<i64>(&mut watcher, waits, &[]) == 2);
            cluster.stop(how);
            [over_http, directly].map(|said| said.join().expect("it ends"))
        });
        assert!(over_http.err.contains(&address), "{over_http:?}");
        for said in [over_http, directly] {
            assert_eq!(said.code, Some(4), "{said:?}");
        }
    }
}

#[test]
fn an_address_that_is_no_postgrest_is_told_so() {
    let fails = |address: &str, code: i32, words: &str| {
        let said = with(address, None, &["list"], "");
        assert!(said.code == Some(code) && said.err.contains(words), "{said:?}");
    };
    fails("http://127.0.0.1:1", 4, "cannot reach http://127.0.0.1:1");
    fails("127.0.0.1:1", 2, "https://");
    fails("http://u:hunter2@127.0.0.1:1", 2, "no place in an address");
}
