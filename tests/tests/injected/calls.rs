//! A call of every function of schema `hftok`, of every view that does more than show rows, of triggers on an application's tables, and of
//! the steps of imports.

/// The value that is stored beforehand, and that only answers may have.
pub const STORED: &str = "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";

/// A name, the call, and what makes good again the effects that no rollback undoes.
pub type Call = (&'static str, &'static str, &'static str);

/// Calls that need nothing but a transaction of their own.
pub const CALLS: &[Call] = &[
    ("add_member", "SELECT hftok.add_member('acme', 'carol')", ""),
    ("adopt_role", "SELECT hftok.adopt_role('nobody_yet')", ""),
    ("audit_activity", "SELECT count(*) FROM hftok.audit_activity(now() - interval '1 day')", ""),
    ("audit_consistency", "SELECT hftok.audit_consistency(head) FROM pinned", ""),
    ("audit_head", "SELECT hftok.audit_head()", ""),
    ("audit_proof", "SELECT hftok.audit_proof(2)", ""),
    ("audit_public_key", "SELECT hftok.audit_public_key()", ""),
    ("audit_tiles", "SELECT count(*) FROM hftok.audit_tiles()", ""),
    (
        "begin_verification",
        "SELECT count(b.version) FROM hftok.begin_verification(p_older_than_seconds => 0) b",
        "",
    ),
    (
        "begin_verification, of one",
        "SELECT count(b.version) FROM integration, hftok.begin_verification(integration.id, 'alice') b",
        "",
    ),
    ("check_runner_token", "SELECT hftok.check_runner_token(token) FROM runner", ""),
    ("check_credential", "SELECT hftok.check_credential('openai', 'sk-proj-0123456789abcdef0123')", ""),
    (
        "create_integration_with_vault",
        r#"SELECT hftok.create_integration_with_vault('x', 'openai', '{"api_key": "sk-proj-0123456789abcdef0123"}', '{"a": 1}', 'alice')"#,
        "",
    ),
    (
        "create_runner_token",
        "SELECT (hftok.create_runner_token('a worker', '{huggingface}', 'alice', 'keyed')).id IS NOT NULL",
        "",
    ),
    ("create_secret", "SELECT hftok.create_secret('a value', 'another name', 'described')", ""),
    (
        "credential_history",
        "SELECT count(*) FROM alices_secret, hftok.credential_history(alices_secret.id)",
        "",
    ),
    ("delete_credential", "SELECT hftok.delete_credential('huggingface', p_user_id => 'alice')", ""),
    (
        "delete_integration_with_vault",
        "SELECT hftok.delete_integration_with_vault(id, 'alice') FROM integration",
        "",
    ),
    ("delete_secret", "SELECT hftok.delete_secret(id) FROM named_secret", ""),
    ("explain_token", "SELECT * FROM hftok.explain_token('huggingface', 'alice', 'acme', 'a/model')", ""),
    ("find_audit_events", "SELECT count(*) FROM hftok.find_audit_events(p_user => 'alice')", ""),
    (
        "find_secret",
        "SELECT count(*) FROM hftok.find_secret('hf_Stored' || 'BeforehandAndNowhereElseAtAl')",
        "",
    ),
    ("forget_org", "SELECT hftok.forget_org('keyed')", ""),
    ("forget_user", "SELECT hftok.forget_user('alice')", ""),
    (
        "get_integration_credentials",
        "SELECT hftok.get_integration_credentials(id, 'alice') FROM integration",
        "",
    ),
    ("get_secret", "SELECT hftok.get_secret('named')", ""),
    ("give_org_key", "SELECT hftok.give_org_key('acme')", ""),
    ("grant_administrator", "SELECT hftok.grant_administrator('carol')", ""),
    ("health", "SELECT hftok.health()", ""),
    ("import_vault", "SELECT hftok.import_vault('old_vault')", ""),
    ("logging_risks", "SELECT count(*) FROM hftok.logging_risks()", ""),
    ("previous_token", "SELECT hftok.previous_token(id) FROM alices_secret", ""),
    ("purge_audit", "SELECT hftok.purge_audit(now() - interval '20 years')", ""),
    ("put_secret", "SELECT hftok.put_secret('named', 'another value')", ""),
    ("record_usage", "SELECT hftok.record_usage(id, 2, 3, 0.5) FROM alices_secret", ""),
    (
        "register_provider",
        r#"SELECT hftok.register_provider('{"id": "own", "label": "O", "fields": [{"name": "key", "secret": true, "env": ["OWN_KEY"]}], "hosts": ["api.own.example"]}')"#,
        "",
    ),
    ("remove_member", "SELECT hftok.remove_member('acme', 'bob')", ""),
    ("report_credential", "SELECT hftok.report_credential(id, 'invalid', 'no') FROM alices_secret", ""),
    ("resolve_hf_token", "SELECT hftok.resolve_hf_token('alice')", ""),
    ("resolve_hf_token, of an organisation", "SELECT hftok.resolve_hf_token('bob', 'keyed')", ""),
    ("resolve_hf_token, of everybody", "SELECT hftok.resolve_hf_token('zoe')", ""),
    ("resolve_token", "SELECT * FROM hftok.resolve_token('huggingface', 'alice', p_model => 'a/model')", ""),
    ("resolve_token, of one slot", "SELECT * FROM hftok.resolve_token('openai', 'alice', p_slot => 'b')", ""),
    ("resolve_token, of no key", "SELECT * FROM hftok.resolve_token('anthropic', 'alice')", ""),
    ("restore_credential", "SELECT hftok.restore_credential(id, 1) FROM alices_secret", ""),
    ("restore_secret", "SELECT hftok.restore_secret(id, 1) FROM named_secret", ""),
    ("revoke_runner_token", "SELECT hftok.revoke_runner_token(id) FROM runner", ""),
    ("revoke_administrator", "SELECT hftok.revoke_administrator('root')", ""),
    ("rotate_data_key", "SELECT hftok.rotate_data_key()", ""),
    ("rotate_data_key, of an organisation", "SELECT hftok.rotate_data_key('keyed')", ""),
    ("rotate_root_key", "SELECT hftok.rotate_root_key()", ""),
    ("runner_env", "SELECT hftok.runner_env('{huggingface,openai}', 'alice')", ""),
    ("runner_environment", "SELECT hftok.runner_environment(token) FROM runner", ""),
    ("runner_states", "SELECT count(s.state) FROM runner, hftok.runner_states(ARRAY[runner.id]) s", ""),
    (
        "save_credential",
        "SELECT hftok.save_credential('openai', 'sk-proj-0123456789abcdef0123', p_user_id => 'carol', p_allowed_hosts => '{api.openai.com}')",
        "",
    ),
    (
        "save_credential, over another",
        "SELECT hftok.save_credential('huggingface', 'hf_TheNextValueOfAliceAndNobodyElses00', p_user_id => 'alice')",
        "",
    ),
    (
        "save_credentials",
        r#"SELECT * FROM hftok.save_credentials('[{"provider": "openai", "secret": "sk-proj-0123456789abcdef0123", "user_id": "carol"}, {"provider": "huggingface", "secret": "hf_TheNextValueOfAliceAndNobodyElses00", "user_id": "alice"}]')"#,
        "",
    ),
    (
        "save_hf_token",
        "SELECT hftok.save_hf_token('hf_TheNextValueOfAliceAndNobodyElses00', p_org_id => 'keyed')",
        "",
    ),
    ("seal", "SELECT hftok.seal()", "SELECT hftok.unseal()"),
    ("seal_org", "SELECT hftok.seal_org('keyed')", ""),
    ("secret_history", "SELECT count(*) FROM named_secret, hftok.secret_history(named_secret.id)", ""),
    ("share_integration", "SELECT hftok.share_integration(id, 'acme', 'alice') FROM integration", ""),
    ("status", "SELECT (hftok.status()).sealed", ""),
    ("switch_provider", "SELECT hftok.switch_provider('openai', false)", ""),
    ("tokens_provided", "SELECT * FROM hftok.tokens_provided('huggingface', 'alice')", ""),
    ("token_provided", "SELECT hftok.token_provided('huggingface', 'alice')", ""),
    ("unregister_provider", "SELECT hftok.unregister_provider('registered')", ""),
    ("unseal", "SELECT hftok.unseal()", "SELECT hftok.unseal()"),
    ("unseal_org", "SELECT hftok.unseal_org('shut')", ""),
    ("unshare_integration", "SELECT hftok.unshare_integration(id, 'keyed', 'alice') FROM integration", ""),
    (
        "update_integration",
        r#"SELECT hftok.update_integration(id, 'renamed', '{"b": 2}', false, 'alice') FROM integration"#,
        "",
    ),
    (
        "update_integration_credentials",
        "SELECT hftok.update_integration_credentials(id, 'sk-proj-0123456789abcdef0124', 'alice') FROM integration",
        "",
    ),
    (
        "update_integration_status",
        "SELECT hftok.update_integration_status(id, 'error', 'no', 'alice') FROM integration",
        "",
    ),
    (
        "update_secret",
        "SELECT hftok.update_secret(id, 'another value', 'renamed', 'described') FROM named_secret",
        "",
    ),
    ("verify", "SELECT sum(checked), sum(failed) FROM hftok.verify()", ""),
    ("verify_audit", "SELECT ok FROM hftok.verify_audit()", ""),
    ("whoami", "SELECT hftok.whoami()", ""),
    ("view audit_events", "SELECT count(*) FROM hftok.audit_events WHERE action = 'create'", ""),
    ("view credentials", "SELECT provider, preview, status FROM hftok.credentials ORDER BY 1, 2", ""),
    (
        "view decrypted_secrets",
        "SELECT name, decrypted_secret FROM hftok.decrypted_secrets ORDER BY name",
        "",
    ),
    ("view integrations", "SELECT name, status FROM hftok.integrations", ""),
    ("view providers", "SELECT name, hosts FROM hftok.providers ORDER BY name", ""),
    ("view secrets", "SELECT name FROM hftok.secrets ORDER BY name", ""),
    (
        "view user_api_keys, written",
        "INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('carol', 'openai', 'sk-proj-0123456789abcdef0123')",
        "",
    ),
    (
        "view user_api_keys, changed",
        "UPDATE hftok.user_api_keys SET api_key = 'sk-proj-0123456789abcdef0125' WHERE user_id = 'alice' AND service = 'openai'",
        "",
    ),
    ("view user_api_keys, emptied", "DELETE FROM hftok.user_api_keys WHERE user_id = 'alice'", ""),
    ("follow_members, a row", "INSERT INTO memberships VALUES ('acme', 'carol', 'admin')", ""),
    ("follow_members, another organisation", "UPDATE memberships SET org = 'keyed', role = 'owner'", ""),
    ("follow_members, no row any more", "TRUNCATE memberships", ""),
    ("follow_administrators", "UPDATE roles SET usr = 'carol'", ""),
    ("forget_user_row", "DELETE FROM people", ""),
    ("import_member", "SELECT hftok_import.import_member('acme', 'carol', 'admin', '{}', false)", ""),
    (
        "import_value",
        "SELECT hftok_import.import_value('a table', '1', 'sk-proj-0123456789abcdef0123', 'openai', p_user_id => 'carol')",
        "",
    ),
    (
        "import_integration",
        r#"SELECT hftok_import.import_integration('a table', '00000000-0000-4000-8000-000000000001', 'sk-proj-0123456789abcdef0123', 'openai', 'carol', '["x", "{}", "error", "2024-02-03"]')"#,
        "",
    ),
];

/// Makes what calls ask for that look at the audit, once everything is in it.
pub const PREPARE_AUDIT: &str = "CREATE TABLE pinned AS SELECT hftok.audit_head() AS head";

/// Functions that no call is made of here, and why.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("adopt_database", "works in a copy only"),
    ("disable_rpc", "SQL that grants and revokes: nothing of hftok's library runs"),
    ("enable_rpc", "SQL that grants and revokes: nothing of hftok's library runs"),
    ("install_api", "SQL that creates objects: nothing of hftok's library runs"),
    ("install_vault_schema", "SQL that creates objects, from one text"),
    ("remove_api", "SQL that drops objects: nothing of hftok's library runs"),
];

/// Functions whose transactions are struck while they commit: each may do its work again and again.
pub const COMMITTED: &[&str] = &[
    "add_member",
    "grant_administrator",
    "put_secret",
    "record_usage",
    "resolve_hf_token",
    "rotate_data_key",
    "save_credential, over another",
    "save_hf_token",
    "view user_api_keys, changed",
];

/// Makes what the calls ask for.
pub const PREPARE: &str = r#"
    CREATE ROLE nobody_yet;
    SELECT hftok.save_hf_token('hf_AnOlderValueOfAliceAndNobodyElses0', p_user_id => 'alice');
    SELECT hftok.save_hf_token('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', p_user_id => 'alice');
    SELECT hftok.save_hf_token('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', p_global => true);
    SELECT hftok.save_credential('openai', 'sk-proj-0123456789abcdef0000', p_user_id => 'alice');
    SELECT hftok.save_credential('openai', 'sk-proj-0123456789abcdef0001', p_user_id => 'alice', p_slot => 'b');
    SELECT hftok.add_member('acme', 'alice', 'owner'), hftok.add_member('acme', 'bob');
    SELECT hftok.add_member('keyed', 'alice', 'owner'), hftok.add_member('keyed', 'bob');
    SELECT hftok.save_hf_token('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', p_org_id => 'keyed');
    SELECT hftok.give_org_key('keyed');
    SELECT hftok.save_hf_token('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', p_org_id => 'shut');
    SELECT hftok.give_org_key('shut');
    SELECT hftok.seal_org('shut');
    SELECT hftok.grant_administrator('root');
    SELECT hftok.create_secret('an older value', 'named');
    SELECT hftok.put_secret('named', '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');
    SELECT hftok.register_provider('{"id": "registered", "label": "R", "fields": [{"name": "key", "secret": true, "env": ["R_KEY"]}], "hosts": ["api.example.com"]}');
    SELECT hftok.create_integration_with_vault('n', 'openai', 'sk-proj-0123456789abcdef0002', p_user_id => 'alice');
    SELECT hftok.share_integration(id, 'keyed', 'alice') FROM hftok_private.integrations;
    CREATE TABLE integration AS SELECT id FROM hftok_private.integrations;
    CREATE TABLE named_secret AS SELECT id FROM hftok_private.secrets WHERE name = 'named' AND scope = 'vault';
    CREATE TABLE alices_secret AS SELECT id FROM hftok_private.secrets WHERE scope = 'user' AND scope_id = 'alice' AND provider = 'huggingface';
    CREATE TABLE runner AS SELECT t.id, t.token FROM hftok.create_runner_token('worker', '{huggingface}', 'alice') t;
    CREATE TABLE memberships AS SELECT 'acme'::text AS org, 'bob'::text AS usr, 'member'::text AS role;
    CREATE TRIGGER follow AFTER INSERT OR UPDATE ON memberships FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('org', 'usr', 'role');
    CREATE TRIGGER follow_truncate BEFORE TRUNCATE ON memberships FOR EACH STATEMENT EXECUTE FUNCTION hftok.follow_members('org', 'usr');
    CREATE TABLE roles AS SELECT 'root'::text AS usr;
    CREATE TRIGGER follow AFTER UPDATE ON roles FOR EACH ROW EXECUTE FUNCTION hftok.follow_administrators('usr');
    CREATE TABLE people AS SELECT 'alice'::text AS id;
    CREATE TRIGGER forget AFTER DELETE ON people FOR EACH ROW EXECUTE FUNCTION hftok.forget_user_row();
    CREATE SCHEMA old_vault;
    CREATE TABLE old_vault.secrets (id uuid, name text, description text);
    CREATE VIEW old_vault.decrypted_secrets AS SELECT gen_random_uuid() AS id, 'moved'::text AS name, 'of old'::text AS description, 'a moved value'::text AS decrypted_secret;
"#;
