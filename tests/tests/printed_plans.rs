//! A session may have its plans printed. The plans of hftok's own statements are not: they would show fingerprints and sealed
//! values.

use hftok_tests::answer::one;
use hftok_tests::cluster::Cluster;

#[test]
fn plans_of_ours_are_printed_for_nobody() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client
        .batch_execute("CREATE ROLE mallory LOGIN IN ROLE hftok_user, hftok_service, hftok_admin")
        .expect("CREATE ROLE");
    let (mut session, notices) = cluster.client_noting("mallory", "app");
    session
        .batch_execute(
            "SET client_min_messages = log; SET plan_cache_mode = force_custom_plan;
             SET debug_print_parse = on; SET debug_print_rewritten = on; SET debug_print_plan = on",
        )
        .expect("SET");
    let calls = [
        "hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_user_id => 'alice')",
        "hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGI', p_user_id => 'alice')",
        "hftok.put_secret('name', 'value')",
        "hftok.get_secret('name')",
        "hftok.find_secret('value')",
        "hftok.resolve_hf_token('alice')",
        "hftok.forget_user('alice')",
    ];
    for call in calls {
        let _: String = one(&mut session, &format!("SELECT ({call})::text"), &[]);
    }
    session
        .batch_execute("INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('bob', 'groq', 'key-of-bob')")
        .expect("a key");
    session
        .batch_execute(
            "UPDATE hftok.provider_secrets SET api_key = 'another-key-of-bob' WHERE user_id = 'bob'; DELETE FROM hftok.provider_secrets",
        )
        .expect("another key");
    let printed: Vec<String> = notices
        .lock()
        .expect("lock")
        .iter()
        .map(|notice| format!("{} {}", notice.message(), notice.detail().unwrap_or_default()))
        .collect();
    assert!(printed.iter().any(|text| text.contains(":commandType")), "no plan was printed at all");
    for column in ["fingerprint", "sealed", "import_rows"] {
        let shown: Vec<_> = printed.iter().filter(|text| text.contains(&format!("\"{column}\""))).collect();
        assert!(shown.is_empty(), "a plan names {column}: {:.300}", shown[0]);
    }
}
