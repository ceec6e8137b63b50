//! docs/scale.md: two shards behind a proxy, made with the statements of the document.

use std::fs;
use std::path::Path;

use hftok_tests::answer::{adopt, column, one, refused};
use hftok_tests::audit::{count, settled, verified};
use hftok_tests::cluster::Cluster;
use hftok_tests::drill::blocks;
use hftok_tests::packages::unpack;
use hftok_tests::setup::Setup;
use postgres::Client;

/// A server that has PL/Proxy, if it can be had: the installed one, or that of the distribution.
fn with_plproxy() -> Option<Cluster> {
    let cluster = Setup::default().own_extensions().without_preload().make();
    if !cluster.extensions().join("plproxy.control").exists() {
        let version = fs::read_to_string(cluster.data().join("PG_VERSION")).expect("a version");
        let into = cluster.make_folder("packages");
        let name = format!("postgresql-{}-plproxy", version.trim());
        if !unpack(&[&name], Path::new(env!("CARGO_TARGET_TMPDIR")), &into) {
            return None;
        }
        let below = |folder: &str| into.join(folder).join(version.trim());
        copy_all(&below("usr/lib/postgresql").join("lib"), cluster.libraries());
        copy_all(&below("usr/share/postgresql").join("extension"), cluster.extensions());
    }
    cluster.start();
    Some(cluster)
}

/// Copies the files of a folder into another.
fn copy_all(from: &Path, to: &Path) {
    for file in fs::read_dir(from).expect("a folder").flatten().filter(|entry| entry.path().is_file()) {
        fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}

/// Runs statements of the document, with the addresses of these shards.
fn execute(client: &mut Client, blocks_of: &str, shards: &[&Cluster]) {
    for mut block in blocks("scale.md", "Shards by owner", blocks_of) {
        for (at, shard) in shards.iter().enumerate() {
            let address = format!("host={} port=5432", shard.folder().display());
            block = block.replace(&format!("host=shard{at}.internal"), &address);
        }
        client.batch_execute(&block).unwrap_or_else(|error| panic!("{error}\n{block}"));
    }
}

/// The shard that a user belongs to, as the proxy says.
fn shard_of(proxy: &mut Client, user: &str) -> usize {
    let sql = "SELECT hftok.shard_of($1) & hftok.shards() - 1";
    usize::try_from(one::<i32>(proxy, sql, &[&user])).expect("a number")
}

fn token(number: usize) -> String {
    format!("hf_abcdefghijklmnopqrstuvwxyzABCD{number:04}")
}

fn save(proxy: &mut Client, owner: &str, name: &str, token: &str) -> usize {
    let sql = format!("SELECT version FROM hftok.save_credential('huggingface', $1, {owner} => $2)");
    proxy.query(&sql, &[&token, &name]).expect("saved").len()
}

fn resolved(proxy: &mut Client, user: &str, org: Option<&str>) -> (Option<String>, String) {
    let sql = "SELECT token, source FROM hftok.resolve_token('huggingface', $1, $2)";
    let row = proxy.query_one(sql, &[&user, &org]).expect("resolves");
    (row.get(0), row.get(1))
}

#[test]
fn two_shards_behind_a_proxy_are_one_vault() {
    let Some(cluster) = with_plproxy() else {
        return eprintln!("skipped: there is no PL/Proxy for this Postgres");
    };
    let shards = [Cluster::start_default(), Cluster::start_default()];
    let mut beyond = shards.each_ref().map(|shard| {
        let mut client = shard.empty_database("app");
        execute(&mut client, "sql shard", &[]);
        client
    });
    let mut superuser = cluster.empty_database("app");
    execute(&mut superuser, "sql proxy", &shards.each_ref());
    let mut proxy = cluster.client("backend", "app");

    let users: Vec<String> = (0..40).map(|number| format!("user {number}")).collect();
    for (number, user) in users.iter().enumerate() {
        assert_eq!(save(&mut proxy, "p_user_id", user, &token(number)), 1, "on one shard");
    }
    let places = users.iter().map(|user| shard_of(&mut proxy, user)).collect::<Vec<_>>();
    assert!(places.contains(&0) && places.contains(&1), "{places:?}");
    for (at, shard) in beyond.iter_mut().enumerate() {
        let here: Vec<String> = column(shard, "SELECT scope_id FROM hftok.credentials");
        let expected = places.iter().filter(|place| **place == at).count();
        assert_eq!(here.len(), expected);
        assert!(here.iter().all(|user| shard_of(&mut proxy, user) == at), "{here:?}");
    }
    for (number, user) in users.iter().enumerate() {
        assert_eq!(resolved(&mut proxy, user, None), (Some(token(number)), "user".into()));
    }

    organisations(&mut proxy, &users);
    errors(&mut proxy, &users[0]);
    a_uuid_is_one_user(&mut proxy);
    slots(&mut proxy);
    for (at, shard) in beyond.iter_mut().enumerate() {
        settled(shard);
        let place = places.iter().position(|place| *place == at).expect("somebody");
        let condition = format!("kind = 'reveal' AND actor_user = 'user {place}' AND login_role = 'backend'");
        assert!(count(shard, &condition) > 0, "{condition}");
        verified(shard);
    }
    doubled(&mut superuser, &mut proxy, &shards, &users);
    refused(
        cluster
            .client("postgres", "app")
            .batch_execute("SET ROLE pg_monitor; SELECT hftok.resolve_hf_token('user 1')"),
        "42501",
    );
}

/// An organisation's and a global credential are found by everybody's walk, on whichever shard it takes place.
fn organisations(proxy: &mut Client, users: &[String]) {
    assert_eq!(save(proxy, "p_org_id", "acme", &token(1000)), 2, "on each shard");
    let sql = "SELECT version FROM hftok.save_credential('huggingface', $1, p_global => true)";
    assert_eq!(proxy.query(sql, &[&token(2000)]).expect("saved").len(), 2);
    assert_eq!(resolved(proxy, "nobody", None), (Some(token(2000)), "global".into()));
    for (number, user) in ["newcomer 1", "newcomer 2", "newcomer 3", "newcomer 4"].iter().enumerate() {
        let role = if number == 0 { "owner" } else { "member" };
        let added: Vec<bool> =
            column(proxy, &format!("SELECT * FROM hftok.add_member('acme', '{user}', '{role}')"));
        assert_eq!(added, [true, true]);
        assert_eq!(resolved(proxy, user, Some("acme")), (Some(token(1000)), "org".into()));
    }
    assert_eq!(resolved(proxy, &users[3], Some("acme")).1, "user", "a user's own comes first");
    let gone: Vec<bool> = column(proxy, "SELECT * FROM hftok.remove_member('acme', 'newcomer 2')");
    assert_eq!(gone, [true, true]);
    assert_eq!(save(proxy, "p_org_id", "acme", &token(1001)), 2);
    assert_eq!(resolved(proxy, "newcomer 3", Some("acme")), (Some(token(1001)), "org".into()));
    let gone: Vec<bool> =
        column(proxy, "SELECT * FROM hftok.delete_credential('huggingface', p_org_id => 'acme')");
    assert_eq!(gone, [true, true]);
    assert_eq!(resolved(proxy, "newcomer 3", Some("acme")), (Some(token(2000)), "global".into()));
}

/// An error of a shard is the caller's, with its detail; and a report reaches the credential that was tried.
fn errors(proxy: &mut Client, user: &str) {
    let report = "SELECT hftok.report_credential($1, (SELECT secret_id FROM hftok.resolve_token('huggingface', $1)), 'invalid', 'not mine')";
    assert!(one::<bool>(proxy, report, &[&user]));
    let error = refused(proxy.query("SELECT hftok.resolve_hf_token($1)", &[&user]), "PT422");
    let detail = error.detail().and_then(|detail| detail.strip_prefix("Remote detail: {"));
    assert!(detail.is_some_and(|detail| detail.contains("\"invalid\"")), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.starts_with("Remote hint: ")), "{error:?}");
    assert!(!one::<bool>(proxy, "SELECT hftok.token_provided('huggingface', $1)", &[&user]));
    let env = "SELECT hftok.runner_env('{huggingface}', 'user 2') ->> 'HF_TOKEN'";
    assert_eq!(one::<String>(proxy, env, &[]), token(2));
    let both = "SELECT * FROM hftok.save_credential('openai', 'x', p_user_id => 'alice', p_org_id => 'acme')";
    refused(proxy.query(both, &[]), "22023");
}

/// Several keys of one user, in their order, of which one rests.
fn slots(proxy: &mut Client) {
    for slot in ["", "second"] {
        let save =
            "SELECT * FROM hftok.save_credential('huggingface', $1, p_user_id => 'many', p_slot => $2)";
        proxy.query(save, &[&token(5000 + slot.len()), &slot]).expect("saved");
    }
    let ask = "SELECT slot FROM hftok.resolve_token('huggingface', 'many')";
    assert_eq!(one::<String>(proxy, ask, &[]), "");
    let report = "SELECT hftok.report_credential('many', r.secret_id, 'rate_limited', p_retry_after => 600)
        FROM hftok.resolve_token('huggingface', 'many') r";
    assert!(one::<bool>(proxy, report, &[]));
    assert_eq!(one::<String>(proxy, ask, &[]), "second");
    let gone =
        "SELECT * FROM hftok.delete_credential('huggingface', p_user_id => 'many', p_slot => 'second')";
    assert_eq!(column::<bool>(proxy, gone), [true]);
}

/// A UUID is one user in either case, so it has one shard.
fn a_uuid_is_one_user(proxy: &mut Client) {
    for number in 0..8 {
        let lower = format!("6f9619ff-8b86-d011-b42d-00c04fc964f{number}");
        save(proxy, "p_user_id", &lower.to_uppercase(), &token(3000 + number));
        assert_eq!(resolved(proxy, &lower, None), (Some(token(3000 + number)), "user".into()));
    }
}

/// Two more shards, each a copy of one that there is: nobody's key is lost, and nobody's lies twice.
fn doubled(superuser: &mut Client, proxy: &mut Client, shards: &[Cluster; 2], users: &[String]) {
    save(proxy, "p_org_id", "acme", &token(1002));
    let copies = shards.each_ref().map(|shard| {
        let keyring = fs::read_to_string(shard.keyring()).expect("a keyring");
        let copy = Setup::clone_of(shard, &format!("installation: second\n{keyring}"));
        adopt(&mut copy.client("postgres", "app"));
        copy
    });
    let all = [&shards[0], &shards[1], &copies[0], &copies[1]];
    execute(superuser, "sql doubling", &all);
    assert_eq!(one::<i32>(proxy, "SELECT hftok.shards()", &[]), 4);
    let mut left = 0;
    for (at, shard) in all.iter().enumerate() {
        let mut client = shard.client("postgres", "app");
        for block in blocks("scale.md", "Shards by owner", "sql leaving") {
            let block = block.replace("& 3 <> 2", &format!("& 3 <> {at}"));
            client.batch_execute(&block).expect("forgotten");
        }
        let here: Vec<String> =
            column(&mut client, "SELECT scope_id FROM hftok.credentials WHERE scope = 'user'");
        assert!(here.iter().all(|user| shard_of(proxy, user) == at), "{here:?}");
        left += here.iter().filter(|user| user.starts_with("user ")).count();
        assert_eq!(column::<Option<i64>>(&mut client, "SELECT failed FROM hftok.verify()"), [Some(0)]);
        verified(&mut client);
    }
    assert_eq!(left, users.len());
    for (number, user) in users.iter().enumerate().skip(1) {
        assert_eq!(resolved(proxy, user, None), (Some(token(number)), "user".into()));
    }
    assert_eq!(resolved(proxy, "newcomer 4", Some("acme")), (Some(token(1002)), "org".into()));
    assert_eq!(save(proxy, "p_org_id", "acme", &token(1003)), 4, "on each shard");
    assert_eq!(save(proxy, "p_user_id", "somebody new", &token(4000)), 1);
    assert_eq!(resolved(proxy, "somebody new", None), (Some(token(4000)), "user".into()));
}
