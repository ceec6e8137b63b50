//! No allocation ends the server: whoever asks for more than there is gets an error, and the others do not notice.

use hftok_tests::answer::{one, refused};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use postgres::Client;

/// The memory that a process may have, in kB: room for the server and some tens of megabytes beside it.
const LIMIT: u32 = 230_000;

/// Answers of a call when memory is short, or its argument too long.
const ANSWERS: [&str; 4] = ["22023", "PT413", "53200", "54000"];

struct Server {
    cluster: Cluster,
    bystander: Client,
}

impl Server {
    fn start() -> Self {
        let cluster = Setup::default().address_space(LIMIT).start();
        let mut client = cluster.database("app");
        client
            .batch_execute("CREATE ROLE end_user LOGIN IN ROLE hftok_user; CREATE ROLE backend LOGIN IN ROLE hftok_service")
            .expect("roles");
        let bystander = cluster.client("postgres", "app");
        Self { cluster, bystander }
    }

    /// The session that was there from the beginning is still there: no process of the server was ended by a signal.
    #[track_caller]
    fn lives(&mut self) {
        assert_eq!(one::<i32>(&mut self.bystander, "SELECT 1", &[]), 1);
        let log = self.cluster.log();
        assert!(!log.contains("terminated by signal"), "{log}");
    }
}

/// The SQLSTATE of a call; empty when it was answered.
#[track_caller]
fn sqlstate(client: &mut Client, sql: &str) -> String {
    match client.simple_query(sql) {
        Ok(_) => String::new(),
        Err(error) => {
            let code = error.code().unwrap_or_else(|| panic!("{sql}: {error:?}")).code().to_owned();
            assert!(ANSWERS.contains(&code.as_str()), "{sql}: {error:?}");
            code
        }
    }
}

#[test]
fn a_thousand_oversized_arguments_are_refused() {
    let mut server = Server::start();
    let mut client = server.cluster.client("end_user", "app");
    let long = "repeat(repeat('x', 1000), 3000)";
    let members =
        "(SELECT '{' || string_agg('\"' || n || '\":\"\"', ',') || '}' FROM generate_series(1, 20000) n)";
    let many = "array_fill(NULL::text, ARRAY[500000])";
    let calls = [
        format!("SELECT hftok.token_provided('huggingface', p_model => {long})"),
        format!("SELECT hftok.token_provided('huggingface', p_host => {long})"),
        format!("SELECT hftok.token_provided({long})"),
        format!("SELECT hftok.token_provided('huggingface', p_user_id => {long})"),
        format!("SELECT hftok.token_provided('huggingface', p_levels => {many})"),
        format!("SELECT * FROM hftok.explain_token('huggingface', p_levels => ARRAY[{long}])"),
        format!("SELECT hftok.check_credential('openai', {long})"),
        "SELECT hftok.check_credential('openai', repeat('a', 1000000))".to_owned(),
        format!("SELECT hftok.check_credential('aws', {members})"),
        format!("SELECT hftok.check_credential('aws', '{{' || {long} || '}}')"),
        format!("SELECT hftok.save_credential('openai', {long})"),
        format!(
            "SELECT hftok.save_credential('openai', 'sk-0123456789abcdef0123456789', p_allowed_hosts => {many})"
        ),
        format!("SELECT hftok.delete_credential('openai', {long})"),
        format!("SELECT hftok.create_integration_with_vault('n', 'openai', {long})"),
        format!(
            "SELECT hftok.create_integration_with_vault({long}, 'openai', 'sk-0123456789abcdef0123456789')"
        ),
        format!(
            "SELECT hftok.create_integration_with_vault('n', 'openai', 'sk-0123456789abcdef0123456789', jsonb_build_object('a', {long}))"
        ),
        format!("INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('openai', {long})"),
        format!("SELECT hftok.add_member({long}, 'u')"),
    ];
    let mut count = 0;
    while count < 1000 {
        for call in &calls {
            let code = sqlstate(&mut client, call);
            // check_credential() may answer instead that the value is no credential.
            let is_answer = code.is_empty() && call.contains("check_credential");
            assert!(is_answer || ["22023", "PT413"].contains(&code.as_str()), "{call}: {code:?}");
            count += 1;
        }
        if count % 100 < calls.len() {
            server.lives();
        }
    }
    server.lives();
}

/// The most that a session can have in one piece beside what it has already, found by trying, in units of 64 kB.
fn most(client: &mut Client) -> u32 {
    let (mut fits, mut fails) = (0, LIMIT / 64);
    while fails - fits > 1 {
        let tried = fits.midpoint(fails);
        let sql = format!("SELECT octet_length(repeat(repeat('x', 65536), {tried}))");
        if sqlstate(client, &sql).is_empty() {
            fits = tried;
        } else {
            fails = tried;
        }
    }
    fits
}

#[test]
fn calls_without_memory_are_ordinary_errors() {
    let mut server = Server::start();
    let mut operator = server.cluster.client("postgres", "app");
    operator
        .batch_execute(
            "SELECT hftok.put_secret('long', repeat('v', 200000));
             SELECT hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', p_user_id => 'alice');
             SELECT hftok.create_integration_with_vault('n', 'google_cloud', jsonb_build_object('type', 'service_account',
                'project_id', 'p', 'token_uri', 'https://oauth2.googleapis.com/token', 'client_email', 'a@b.example', 'private_key', E'-----BEGIN PRIVATE KEY-----\n' || repeat('A', 60000))::text,
                p_user_id => 'alice');
             GRANT SELECT ON hftok.integrations TO backend",
        )
        .expect("secrets");
    let id: uuid::Uuid = one(&mut operator, "SELECT id FROM hftok.integrations", &[]);
    let calls = [
        ("backend", "hftok.get_secret('long')".to_owned()),
        ("backend", "hftok.put_secret('other', repeat('v', 200000))".to_owned()),
        ("backend", "hftok.resolve_hf_token('alice')".to_owned()),
        ("backend", format!("hftok.get_integration_credentials('{id}', 'alice')")),
        ("backend", "hftok.runner_env(p_user_id => 'alice')".to_owned()),
        ("postgres", "(SELECT count(*) FROM hftok.verify())".to_owned()),
        ("postgres", "(SELECT count(decrypted_secret) FROM hftok.decrypted_secrets)".to_owned()),
        ("end_user", "hftok.check_credential('openai', repeat('a', 60000))".to_owned()),
        ("end_user", "hftok.save_credential('openai', 'sk-' || repeat('a', 60000))".to_owned()),
        ("end_user", "(SELECT count(*) FROM hftok.explain_token('openai'))".to_owned()),
    ];
    for (role, call) in &calls {
        let mut client = server.cluster.client(role, "app");
        // The first call makes what later calls find.
        assert_eq!(sqlstate(&mut client, &format!("SELECT {call}")), "", "{call}");
        let most = most(&mut client);
        let mut refused = 0;
        // From more than there is down to enough for the call.
        for less in 0..24_u32 {
            let held = (most + 2).saturating_sub(less);
            let code = sqlstate(
                &mut client,
                &format!("SELECT octet_length(repeat(repeat('x', 65536), {held})), {call}"),
            );
            assert!(["", "53200"].contains(&code.as_str()), "{call}: {code}");
            refused += u32::from(!code.is_empty());
        }
        assert!(refused > 0, "{call} never had too little memory");
        server.lives();
    }
    assert_eq!(
        one::<i64>(
            &mut operator,
            "SELECT count(*) FROM hftok.audit_events WHERE outcome = 'decrypt_failed'",
            &[]
        ),
        0,
        "what was only short of memory is told as damaged"
    );
}

#[test]
fn a_text_that_no_secret_has_is_refused_where_there_is_no_memory_for_a_copy() {
    let mut server = Server::start();
    for call in [
        "hftok.resolve_hf_token(long)",
        "hftok.resolve_token(long)",
        "hftok.resolve_token('openai', p_user_id => long)",
        "hftok.get_secret(long)",
    ] {
        let mut client = server.cluster.client("backend", "app");
        let long = "(SELECT repeat('u', 1000000) AS long) given";
        assert_eq!(sqlstate(&mut client, &format!("SELECT {call} FROM {long}")), "22023", "{call}");
        let most = most(&mut client);
        for less in 0..40_u32 {
            let held = (most + 2).saturating_sub(less);
            let sql = format!("SELECT octet_length(repeat(repeat('x', 65536), {held})), {call} FROM {long}");
            assert!(["22023", "53200"].contains(&sqlstate(&mut client, &sql).as_str()), "{sql}");
        }
        server.lives();
    }
}

#[test]
fn what_was_stored_stays_readable_when_the_limit_is_lowered() {
    let cluster = Setup::default().start();
    let mut client = cluster.database("app");
    let long = "x".repeat(200_000);
    let id: uuid::Uuid = one(&mut client, "SELECT hftok.create_secret($1, 'long')", &[&long]);
    cluster.configure("hftok.max_secret_size = 1024");
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    refused(client.query("SELECT hftok.put_secret('long', $1)", &[&long]), "PT413");
    assert_eq!(one::<String>(&mut client, "SELECT hftok.get_secret('long')", &[]), long);
    assert_eq!(
        one::<String>(
            &mut client,
            "SELECT decrypted_secret FROM hftok.decrypted_secrets WHERE name = 'long'",
            &[]
        ),
        long
    );
    assert_eq!(one::<i64>(&mut client, "SELECT failed FROM hftok.verify() WHERE kind = 'total'", &[]), 0);
    // Opened and sealed anew.
    client.query("SELECT hftok.update_secret($1, new_name => 'renamed')", &[&id]).expect("rename");
    assert_eq!(one::<String>(&mut client, "SELECT hftok.get_secret('renamed')", &[]), long);
}
