//! `hftok runner` as tests call it, and what the vault has for its workers.

#![allow(clippy::expect_used, dead_code, missing_docs, reason = "not every test needs all of it")]

use std::process::Command;
use std::sync::LazyLock;

use hftok_tests::cluster::Cluster;
use postgres::Client;

use crate::command::hftok_on;
use crate::worker::Serving;

/// A server whose backend may ask for anybody, in a database for each test.
pub static SERVER: LazyLock<Cluster> = LazyLock::new(|| {
    let cluster = Cluster::start_default();
    let roles = "CREATE ROLE backend LOGIN; CREATE ROLE nobody LOGIN; GRANT hftok_service TO backend; GRANT hftok_user TO nobody";
    cluster.database("first").batch_execute(roles).expect("roles");
    cluster
});

/// A database of its own, where the installation has a token for everybody.
pub fn database(name: &str) -> Client {
    let mut client = SERVER.database(name);
    save(&mut client, None, 0);
    client
}

/// The value of somebody's token, or of everybody's.
pub fn value(user: Option<&str>, number: usize) -> String {
    format!("hf_{:0>20}{number:0>14}", user.unwrap_or("everybody").replace(' ', ""))
}

pub fn save(client: &mut Client, user: Option<&str>, number: usize) {
    let save = "SELECT hftok.save_hf_token($1, p_user_id => $2::text, p_global => $2::text IS NULL)";
    client.execute(save, &[&value(user, number), &user]).expect("saved");
}

/// A worker's token, and its id.
pub fn token(client: &mut Client, user: &str) -> (String, String) {
    let made = "SELECT t.token, t.id::text FROM hftok.create_runner_token('worker', '{huggingface}', $1) t";
    let row = client.query_one(made, &[&user]).expect("made");
    (row.get(0), row.get(1))
}

pub fn runner(database: &str, arguments: &[&str]) -> Command {
    hftok_on(&SERVER, "backend", database, &[&["runner"], arguments].concat())
}

pub fn serve(database: &str, more: &[&str]) -> Serving {
    Serving::start(&mut runner(database, &[&["serve", "--listen", "127.0.0.1:0"], more].concat()))
}
