//! The resealer comes into every database of the server: it touches nothing where hftok is not installed, nor keys that are another's.

use std::thread::sleep;
use std::time::Duration;

use hftok_tests::answer::{adopt, one, put};
use hftok_tests::cluster::Cluster;
use hftok_tests::copies::copied;
use hftok_tests::rotation::{destroyed, rotate, state};
use hftok_tests::wait_until;
use postgres::Client;

/// Has the launcher look everywhere, and waits until it has been where it is to do nothing: as long as a visit to a database in which
/// there is something to do takes several times.
fn visited(cluster: &Cluster, busy: &mut Client) {
    for _ in 0..3 {
        cluster.reload();
        let key = rotate(busy);
        destroyed(busy, key);
        sleep(Duration::from_millis(300));
    }
}

/// Somebody who may create schemas makes tables of the same names, with code that is to run as whoever comes.
#[test]
fn a_strangers_tables_are_not_taken_for_hftoks() {
    let cluster = Cluster::start_default();
    let mut busy = cluster.database("app");
    put(&mut busy, "name", "value");
    let mut operator = cluster.client("postgres", "postgres");
    operator.batch_execute("CREATE ROLE mallory LOGIN").expect("a role");
    operator.batch_execute("CREATE DATABASE trap OWNER mallory").expect("a database");
    cluster
        .client("mallory", "trap")
        .batch_execute(
            "CREATE SCHEMA hftok_private;
             CREATE TABLE hftok_private.data_keys (id int, purpose text, org_id text, state text, created_at timestamptz, shut_at timestamptz);
             CREATE TABLE hftok_private.rotations (key_id int, purpose text, org_id text, started_at timestamptz, total bigint, done bigint,
                first_at timestamptz, last_at timestamptz, finished_at timestamptz, holders text[], horizon bigint, waits_for text);
             CREATE TABLE hftok_private.database_identity (generation int, id uuid, database_oid bigint, installation text, database_name text,
                continues bigint, root bytea);
             GRANT ALL ON SCHEMA hftok_private TO PUBLIC;
             GRANT ALL ON ALL TABLES IN SCHEMA hftok_private TO PUBLIC;
             INSERT INTO hftok_private.data_keys VALUES (1, 'values', '', 'destroyed', now(), NULL);
             INSERT INTO hftok_private.rotations (key_id, total, done) VALUES (1, 1, 0);
             CREATE FUNCTION public.rise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE mallory SUPERUSER; RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER rise AFTER UPDATE ON hftok_private.rotations DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION public.rise()",
        )
        .expect("a trap");
    visited(&cluster, &mut busy);
    let is_untouched = "SELECT finished_at IS NULL FROM hftok_private.rotations";
    assert!(one::<bool>(&mut cluster.client("mallory", "trap"), is_untouched, &[]), "nobody came by");
    assert!(!one::<bool>(&mut operator, "SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'", &[]));
}

/// A key that nothing uses in a copy may be needed by what is still to come into it.
#[test]
fn a_copy_destroys_no_key_before_it_is_adopted() {
    let cluster = Cluster::start_default();
    let mut original = cluster.database("app");
    put(&mut original, "sound", "value");
    put(&mut original, "damaged", "value");
    // A value that does not open keeps the key that sealed it.
    original
        .batch_execute("UPDATE hftok_private.secrets SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) WHERE name = 'damaged'")
        .expect("damage");
    let key = rotate(&mut original);
    wait_until("the rotation ends without the damaged one", 30, || state(&mut original, key) == "kept");
    drop(original);
    let mut copy = copied(&cluster, "app", "copy");
    copy.batch_execute("DELETE FROM hftok_private.secrets WHERE name = 'damaged'").expect("deleted");
    let mut busy = cluster.client("postgres", "app");
    visited(&cluster, &mut busy);
    let retiring = "SELECT state FROM hftok_private.data_keys WHERE id = $1";
    assert_eq!(one::<String>(&mut copy, retiring, &[&key]), "retiring");
    adopt(&mut copy);
    cluster.reload();
    destroyed(&mut copy, key);
}
