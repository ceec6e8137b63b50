//! What hftok is made of in a database, and the scripts that make it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use postgres::Client;

use crate::answer::one;
use crate::cluster::Cluster;
use crate::setup::run;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Composes the scripts by the Makefile, of these steps or of ours, and puts them where the server looks for extensions.
pub fn compose(cluster: &Cluster, steps: Option<&Path>) {
    let built = cluster.folder().join("built");
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "-C", SOURCES, "scripts"]);
    make.arg(format!("CARGO_TARGET_DIR={}", built.display()));
    make.args(steps.map(|steps| format!("UPGRADES={}", steps.display())));
    // A make that runs the tests would hand its own variables on.
    run(make.env_remove("MAKEFLAGS").env_remove("MAKEOVERRIDES"));
    for script in std::fs::read_dir(built.join("extension")).expect("a folder").flatten() {
        put_script(cluster, &script.path());
    }
}

/// Puts a script where the server looks for extensions: what is there may be a link to what is installed.
pub fn put_script(cluster: &Cluster, script: &Path) {
    let path = cluster.extensions().join(script.file_name().expect("a name"));
    let _ = std::fs::remove_file(&path);
    std::fs::copy(script, path).expect("a script");
}

/// Every object with its owner, privileges, comment and definition, as the regression test pins them.
pub fn of(cluster: &Cluster, client: &mut Client, database: &str) -> BTreeSet<String> {
    let pin =
        std::fs::read_to_string(Path::new(SOURCES).join("tests/sql/sql/10_objects.sql")).expect("the pin");
    // Its rules take ten seconds, and say nothing that the list before them does not.
    let (list, _) = pin.split_once("\n-- The rules.").expect("rules behind the list");
    let list = cluster.write_file("list.sql", list, 0o644);
    let objects = cluster.psql(database, &["-f", list.to_str().expect("a path")]);
    let bodies: String = one(
        client,
        "SELECT string_agg(concat_ws(' ', p.oid::regprocedure, md5(pg_get_functiondef(p.oid))), E'\n')
         FROM pg_proc p WHERE p.pronamespace::regnamespace::text ~ '^hftok'",
        &[],
    );
    let views: String = one(
        client,
        "SELECT string_agg(concat_ws(' ', c.oid::regclass, md5(pg_get_viewdef(c.oid))), E'\n')
         FROM pg_class c WHERE c.relnamespace::regnamespace::text ~ '^hftok' AND c.relkind = 'v'",
        &[],
    );
    let comments: String = one(
        client,
        "SELECT string_agg(concat_ws(' ', o.type, o.identity, d.description), E'\n')
         FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) o
         WHERE concat_ws(' ', o.schema, o.identity) ~ 'hftok'",
        &[],
    );
    // Rows are copied without the names of their columns now and then.
    let columns: String = one(
        client,
        "SELECT string_agg(line, E'\n') FROM (
            SELECT concat_ws(' ', 'columns', c.oid::regclass, string_agg(a.attname, ', ' ORDER BY a.attnum)) AS line
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE c.relnamespace::regnamespace::text ~ '^hftok' AND c.relkind <> 'i' GROUP BY c.oid) every",
        &[],
    );
    [objects, bodies, views, comments, columns]
        .iter()
        .flat_map(|text| text.lines())
        .map(str::to_owned)
        .collect()
}

/// Nothing differs, in either direction.
#[track_caller]
pub fn assert_same(found: &BTreeSet<String>, wanted: &BTreeSet<String>) {
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other).cloned().collect()
    };
    assert_eq!((only(wanted, found), only(found, wanted)), (Vec::new(), Vec::new()), "missing, and too much");
}
