//! Rotations of data keys, as a DBA looks at them.

use postgres::Client;

use crate::answer::one;
use crate::cluster::Cluster;
use crate::process::titled;
use crate::wait_until;

/// The title of every resealer.
pub const RESEALER: &str = "hftok resealer for database";

/// Rotates the data keys of the installation, and gives the id of the key for values that was active.
#[track_caller]
pub fn rotate(client: &mut Client) -> i32 {
    let former = active(client);
    let new: i32 = one(client, "SELECT hftok.rotate_data_key()", &[]);
    assert_ne!(former, new);
    assert_eq!(active(client), new);
    former
}

/// The key that values are sealed with.
#[track_caller]
pub fn active(client: &mut Client) -> i32 {
    one(client, "SELECT active_data_key_id FROM hftok.status()", &[])
}

/// The state of a rotation, as the view shows it; none before there is one.
#[track_caller]
pub fn state(client: &mut Client, key: i32) -> String {
    let found = client.query_opt("SELECT state FROM hftok.rotation_progress WHERE key_id = $1", &[&key]);
    found.expect("rotation_progress").map_or("none".into(), |row| row.get(0))
}

/// Waits until a key is destroyed.
#[track_caller]
pub fn destroyed(client: &mut Client, key: i32) {
    wait_until("the former key is destroyed", 30, || state(client, key) == "finished");
    let gone = "SELECT state = 'destroyed' AND wrapped IS NULL FROM hftok_private.data_keys WHERE id = $1";
    assert!(one::<bool>(client, gone, &[&key]));
}

/// Number of rows that a key has sealed, previous versions too.
#[track_caller]
pub fn rows_of(client: &mut Client, key: i32) -> i64 {
    one(
        client,
        "SELECT count(*) FROM (SELECT sealed FROM hftok_private.secrets
            UNION ALL SELECT sealed FROM hftok_private.secret_versions) s
         WHERE hftok_private.data_key_id(s.sealed) = $1::int",
        &[&key],
    )
}

/// What `verify()` finds fault with.
#[track_caller]
pub fn faults(client: &mut Client) -> i64 {
    one(client, "SELECT failed FROM hftok.verify() WHERE kind = 'total'", &[])
}

/// The resealer of the only database that has one.
pub fn resealer(cluster: &Cluster) -> Option<u32> {
    titled(cluster, RESEALER)
}
