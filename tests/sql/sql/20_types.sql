-- Declarations in SQL and code in Rust agree: every function is called with every argument given by name and with its
-- type, and answers with the type it declares. Nothing else would notice an argument of the wrong type before it is read.

\set VERBOSITY terse
\encoding UTF8
SET timezone = 'UTC';

CREATE TEMP TABLE calls (call text PRIMARY KEY, function text GENERATED ALWAYS AS (split_part(call, '(', 1)) STORED);
INSERT INTO calls (call) VALUES
    ('hftok.create_secret(new_secret => ''value''::text, new_name => ''types''::text, new_description => ''text''::text,
        new_key_id => gen_random_uuid())'),
    ('hftok.update_secret(secret_id => :id, new_secret => ''other''::text, new_name => ''types''::text,
        new_description => ''text''::text, new_key_id => gen_random_uuid())'),
    ('hftok.put_secret(p_name => ''types''::text, p_secret => ''third''::text, p_description => ''text''::text,
        p_expected_version => 2::int)'),
    ('hftok.get_secret(p_name => ''types''::text, p_version => 1::int, p_recipient => NULL::text)'),
    ('hftok.restore_secret(p_secret_id => :id, p_version => 1::int)'),
    ('hftok.secret_history(p_secret_id => :id)'),
    ('hftok.find_secret(p_value => ''value''::text)'),
    ('hftok.delete_secret(p_secret_id => :id)'),
    ('hftok.unseal(p_replace => false::boolean)'),
    ('hftok.rotate_data_key(p_org_id => NULL::text)'),
    ('hftok_private.open_vault_row(p_schema => ''hftok''::text, p_id => :id, p_version => 1::int, p_scope_id => ''''::text,
        p_provider => ''''::text, p_model => ''''::text, p_name => ''types''::text, p_slot => ''''::text, p_kind => ''static''::text, p_allowed_hosts => NULL::text[],
        p_expires_at => NULL::timestamptz, p_sealed => :sealed)'),
    ('hftok_private.data_key_fault(p_id => 1::int, p_purpose => ''values''::text, p_org_id => ''''::text, p_root_key_id => 1::int,
        p_root_fingerprint => ''''::bytea, p_wrapped => ''''::bytea)'),
    ('hftok_private.missing_key(p_sealing => 7::bigint, p_marking => 2::bigint, p_present => ''{1,2}''::bigint[])'),
    ('hftok.save_credential(p_provider => ''openai''::text, p_secret => :key, p_model => ''gpt''::text, p_user_id => ''alice''::text,
        p_org_id => NULL::text, p_global => false::boolean, p_label => ''label''::text, p_expires_at => ''2100-01-01 UTC''::timestamptz,
        p_allowed_hosts => ''{a.example,b.example}''::text[], p_on_unusable => ''continue''::text, p_expected_version => 0::int,
        p_slot => ''spare''::text, p_position => 2::int)'),
    ('hftok.save_hf_token(p_token => ''hf_00000000000000000000000000000000a1''::text, p_model => ''m''::text, p_user_id => NULL::text,
        p_org_id => ''acme''::text, p_global => false::boolean)'),
    ('hftok.save_credentials(p_rows => ''[{"provider": "groq", "secret": "gsk_00000000000000000000000000000000000000000000000000b2", "global": true}]''::jsonb)'),
    ('hftok.check_credential(p_provider => ''openai''::text, p_secret => ''hf_00000000000000000000000000000000a1''::text)'),
    ('hftok.delete_credential(p_provider => ''openai''::text, p_model => ''''::text, p_user_id => ''alice''::text, p_org_id => NULL::text,
        p_global => false::boolean, p_slot => ''''::text)'),
    ('hftok.report_credential(p_secret_id => :credential, p_verdict => ''rate_limited''::text, p_message => ''text''::text, p_version => 2::int,
        p_retry_after => 5::int)'),
    ('hftok.credential_history(p_secret_id => :credential)'),
    ('hftok.restore_credential(p_secret_id => :credential, p_version => 1::int)'),
    ('hftok.resolve_token(p_provider => ''openai''::text, p_user_id => ''alice''::text, p_org_id => ''acme''::text, p_model => ''gpt''::text,
        p_host => ''api.openai.com''::text, p_levels => ''{org,user}''::text[], p_version => 1::int, p_recipient => NULL::text, p_slot => ''''::text, p_unknown => ''error''::text)'),
    ('hftok.token_provided(p_provider => ''openai''::text, p_user_id => ''alice''::text, p_org_id => ''acme''::text, p_model => ''gpt''::text,
        p_host => ''api.openai.com''::text, p_levels => ''{user}''::text[], p_slot => ''''::text, p_unknown => ''error''::text)'),
    ('hftok.runner_env(p_providers => ''{openai}''::text[], p_user_id => ''alice''::text, p_org_id => ''acme''::text, p_model => ''gpt''::text,
        p_levels => ''{user}''::text[])'),
    ('hftok.create_runner_token(p_label => ''worker''::text, p_providers => ''{openai}''::text[], p_user_id => ''alice''::text, p_org_id => ''acme''::text,
        p_model => ''gpt''::text, p_levels => ''{user}''::text[], p_expires_at => ''2100-01-01 UTC''::timestamptz)'),
    ('hftok.revoke_runner_token(p_id => :runner)'),
    ('hftok.check_runner_token(p_runner_token => :token)'),
    ('hftok.runner_environment(p_runner_token => :token)'),
    ('hftok.runner_states(p_ids => ARRAY[:runner]::uuid[])'),
    ('hftok_private.runner_token_fault(p_id => :runner)'),
    ('hftok.give_org_key(p_org_id => ''acme''::text, p_own => false::boolean)'),
    ('hftok.seal_org(p_org_id => ''acme''::text)'),
    ('hftok.unseal_org(p_org_id => ''acme''::text)'),
    ('hftok.add_member(p_org_id => ''acme''::text, p_user_id => ''bob''::text, p_role => ''admin''::text)'),
    ('hftok.remove_member(p_org_id => ''acme''::text, p_user_id => ''carol''::text)'),
    ('hftok.register_provider(p_provider => ''{"id": "own", "label": "Own", "fields": [{"name": "key", "secret": true}]}''::jsonb)'),
    ('hftok.create_integration_with_vault(p_name => ''named''::text, p_type => ''openai''::text, p_credentials => :key,
        p_config => ''{"a": 1}''::jsonb, p_user_id => ''bob''::text, p_org_id => NULL::text)'),
    ('hftok.get_integration_credentials(p_integration_id => :integration, p_user_id => ''alice''::text, p_recipient => NULL::text)'),
    ('hftok.update_integration_status(p_integration_id => :integration, p_status => ''error''::text, p_error_message => ''text''::text,
        p_user_id => ''alice''::text, p_version => 1::integer)'),
    ('hftok.begin_verification(p_integration_id => :integration, p_user_id => ''alice''::text, p_limit => 5::integer,
        p_older_than_seconds => 60::integer)'),
    ('hftok.record_usage(p_secret_id => :credential, p_requests => 2::bigint, p_units => 3::bigint, p_cost => 0.5::numeric,
        p_currency => ''EUR''::text)'),
    ('hftok_private.sees_all(p_groups => ''{hftok_nobody}''::text[], p_administrators => true::boolean)'),
    ('hftok_private.visible_administrators()'),
    ('hftok_private.administrators_of(p_user => ''mallory''::text)'),
    ('hftok_private.visible_credentials()'),
    ('hftok_private.visible_integrations()'),
    ('hftok_private.visible_shares()'),
    ('hftok_private.visible_members()'),
    ('hftok_private.visible_usage()'),
    ('hftok_private.forget(p_scope => ''user''::text, p_id => ''alice''::text)'),
    ('hftok_private.identifier(p_id => ''6F9619FF-8B86-D011-B42D-00C04FC964FF''::text)'),
    ('hftok_private.lock_owner(p_scope => ''user''::text, p_id => ''bob''::text)'),
    ('hftok_private.reseal(p_id => :credential, p_version => 2::int, p_scope => ''user''::text, p_scope_id => ''alice''::text,
        p_provider => ''openai''::text, p_model => ''''::text, p_name => ''''::text, p_slot => ''''::text, p_kind => ''static''::text, p_allowed_hosts => NULL::text[],
        p_expires_at => NULL::timestamptz, p_sealed => :stored, p_new_hosts => ''{a.example}''::text[], p_new_expiry => ''2100-01-01 UTC''::timestamptz)'),
    ('hftok.audit_tiles(p_from => 1::bigint)'),
    ('hftok.audit_activity(p_from => ''2026-01-01 UTC''::timestamptz, p_to => ''2100-01-01 UTC''::timestamptz, p_seconds => 86400::int,
        p_user => NULL::text, p_object_id => NULL::uuid, p_role => NULL::text, p_kind => ''change''::text)'),
    ('hftok.verify_audit(p_from => 1::bigint, p_to => 1::bigint, p_head => NULL::text)'),
    ('hftok_private.mask_faults()'),
    ('hftok_private.stage_api_key(p_user_id => ''bob''::text, p_service => ''openai''::text, p_api_key => :key)'),
    ('hftok_private.save_staged(p_user_id => ''nobody''::text, p_service => ''openai''::text)');
-- Every other function with an argument of each type: one that its name asks for, or any. A function that answers such a call with an
-- error is shown with it below, and called by hand above.
CREATE TEMP TABLE samples (argument text, type regtype, value text);
INSERT INTO samples VALUES
    ('p_secret_id', 'uuid', ':credential'), ('p_integration_id', 'uuid', ':integration'), ('p_id', 'uuid', ':id'), ('p_sealed', 'bytea', ':sealed'),
    ('p_provider', 'text', '''openai'''), ('p_service', 'text', '''openai'''), ('p_user_id', 'text', '''alice'''), ('p_user', 'text', '''alice'''),
    ('p_org_id', 'text', '''acme'''), ('p_model', 'text', '''gpt'''), ('p_name', 'text', '''types'''), ('p_levels', 'text[]', '''{user}'''), ('p_unknown', 'text', '''error'''),
    (NULL, 'text', '''text'''), (NULL, 'uuid', 'gen_random_uuid()'), (NULL, 'integer', '1'), (NULL, 'bigint', '1'), (NULL, 'numeric', '1'), (NULL, 'boolean', 'false'),
    (NULL, 'timestamptz', '''2026-01-01 UTC'''), (NULL, 'jsonb', '''{}'''), (NULL, 'bytea', '''\x00'''), (NULL, 'text[]', '''{hftok_user,b}'''), (NULL, 'bigint[]', '''{1,2}'''),
    (NULL, 'name', '''hftok_user'''), (NULL, 'regclass', '''pg_class''');
INSERT INTO calls (call)
SELECT format('%s(%s)', p.oid::regproc, (
    SELECT string_agg(format('%s => %s::%s', p.proargnames[t.n], coalesce(s.value, 'NULL'), t.type::regtype), ', ' ORDER BY t.n)
    FROM unnest(p.proargtypes) WITH ORDINALITY t (type, n)
    LEFT JOIN LATERAL (SELECT s.value FROM samples s WHERE s.type = t.type AND (s.argument IS NULL OR s.argument = p.proargnames[t.n]) ORDER BY s.argument IS NULL LIMIT 1) s ON true))
FROM pg_proc p
WHERE p.pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^hftok') AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
AND NOT EXISTS (SELECT FROM calls c WHERE c.function = p.oid::regproc::text)
-- Functions that change more than rows are called elsewhere: in 30_vault, 50_vault_schema, 60_rpc_roles and 86_install_api.
AND p.proname !~ '^(seal|install_api|remove_api|drop_api_objects|install_vault_schema|enable_rpc|disable_rpc|set_rpc)$'
AND p.proname !~ '^(admit_api_schema|admit_api_names|api_objects|make_api_object|copy_privileges|open_api_schema|announce_api)$';

-- Each argument is given, also by hand.
SELECT p.oid::regproc AS lacks_an_argument FROM pg_proc p JOIN calls c ON c.function = p.oid::regproc::text
WHERE (SELECT count(*) FROM regexp_matches(c.call, '=>', 'g')) <> p.pronargs ORDER BY p.oid::regproc::text COLLATE "C";

-- Each is called by itself and leaves nothing: before it there is a secret of that id in version 2, unless it makes one; a
-- credential of alice in version 2, her integration, and an organisation with her and carol.
CREATE PROCEDURE pg_temp.try(call text) LANGUAGE plpgsql AS $$
DECLARE
    id uuid;
    credential uuid;
    integration uuid;
    runner hftok.runner_token;
    type text;
    answer text;
BEGIN
    BEGIN
        credential := (hftok.save_credential('openai', 'sk-proj-first000000000000000', p_user_id => 'alice')).secret_id;
        PERFORM hftok.save_credential('openai', 'sk-proj-second00000000000000', p_user_id => 'alice');
        integration := hftok.create_integration_with_vault('made', 'openai', 'sk-proj-integrated0000000000', p_user_id => 'alice');
        PERFORM hftok.add_member('acme', 'alice', 'owner'), hftok.add_member('acme', 'carol', 'member');
        IF call ~ ':runner|:token' THEN
            runner := hftok.create_runner_token('worker', '{openai}', 'alice');
        END IF;
        IF call !~ 'create_secret' THEN
            id := hftok.create_secret('value', 'types');
            PERFORM hftok.update_secret(id, 'second');
        END IF;
        -- So that there is something to answer.
        INSERT INTO hftok_private.administrators (user_id) SELECT 'mallory' WHERE call ~ 'audit_faults';
        INSERT INTO hftok_private.usage_daily (day, secret_id, currency, provider, scope, scope_id)
        SELECT '2026-01-01', credential, 'XTS', 'openai', 'user', 'alice' WHERE call ~ 'usage_of';
        call := replace(call, ':id', quote_nullable(id) || '::uuid');
        call := replace(call, ':sealed', format('%L::bytea',
            (SELECT v.sealed FROM hftok_private.secret_versions v WHERE v.secret_id = id)));
        call := replace(call, ':stored', format('%L::bytea', (SELECT s.sealed FROM hftok_private.secrets s WHERE s.id = credential)));
        call := replace(call, ':credential', quote_literal(credential) || '::uuid');
        call := replace(call, ':integration', quote_literal(integration) || '::uuid');
        call := replace(call, ':runner', quote_nullable(runner.id) || '::uuid');
        call := replace(call, ':token', quote_nullable(runner.token) || '::text');
        call := replace(call, ':key', '''sk-proj-anew0000000000000000''::text');
        EXECUTE format('SELECT pg_typeof(answer), answer::text FROM (SELECT %s AS answer) called LIMIT 1', call)
        INTO type, answer;
        RAISE EXCEPTION USING ERRCODE = 'RB000';
    EXCEPTION
        WHEN SQLSTATE 'RB000' THEN
            UPDATE called SET gives = type,
                reads = regexp_replace(answer, '[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|[0-9]{3,}', '#', 'g')
            WHERE function = split_part(call, '(', 1);
        WHEN OTHERS THEN
            UPDATE called SET gives = SQLSTATE, reads = SQLERRM WHERE function = split_part(call, '(', 1);
    END;
END
$$;
CREATE TEMP TABLE called AS SELECT function, NULL::text AS gives, NULL::text AS reads FROM calls;
DO $$
DECLARE
    one text;
BEGIN
    FOR one IN SELECT call FROM calls LOOP
        CALL pg_temp.try(one);
    END LOOP;
END
$$;
SELECT c.function, c.gives, p.proretset AS set_returning,
    c.gives = CASE WHEN p.prorettype = 'record'::regtype THEN 'record' ELSE format_type(p.prorettype, NULL) END AS as_declared,
    -- The others are read below, or depend on the server.
    CASE WHEN p.prorettype::regtype IN ('uuid', 'text', 'text[]', 'boolean', 'integer', 'bigint', 'bytea[]', 'jsonb', 'hftok.saved_credential',
            'hftok.checked_credential', 'hftok.resolved_token') AND p.proname !~ 'keyring|whoami|catalogue_rows|caller_id|^explain$|audit_head|audit_public_key|audit_proof|audit_state|pending_event'
        OR p.proname ~ '^(explain_token|forget|save_credentials)' OR c.gives ~ '^[0-9A-Z]{5}$' THEN reads END AS reads
FROM called c JOIN pg_proc p ON p.oid = c.function::regproc ORDER BY c.function COLLATE "C";

-- The columns of what answers with several.
SELECT pg_typeof(version) AS version, pg_typeof(sealed) AS sealed, pg_typeof(reason) AS reason,
    pg_typeof(primary_root_key_id) AS primary_root_key_id, pg_typeof(root_key_ids) AS root_key_ids,
    pg_typeof(removable_root_key_ids) AS removable, pg_typeof(active_data_key_id) AS active_data_key_id,
    pg_typeof(secrets) AS secrets, pg_typeof(secrets_on_old_keys) AS on_old_keys, pg_typeof(gateways) AS gateways
FROM hftok.status();
SELECT pg_typeof(audit_mode) AS audit_mode, pg_typeof(audit_writer) AS audit_writer, pg_typeof(audit_waiting) AS audit_waiting,
    pg_typeof(audit_lag) AS audit_lag, pg_typeof(installation) AS installation FROM hftok.status();
SELECT pg_typeof(checked) AS checked, pg_typeof(ok) AS ok, pg_typeof(first_bad) AS first_bad, pg_typeof(reason) AS reason
FROM hftok.verify_audit();
SELECT primary_key_id = key_ids[cardinality(key_ids)] AS primary_is_last,
    primary_key_id = primary_root_key_id AND key_ids = root_key_ids AS as_status
FROM hftok.unseal(), hftok.status();

-- Each argument arrives as what it is: the wrong one in its place would give another answer.
SELECT hftok.create_secret(new_secret => 'value', new_name => 'types', new_description => 'text', new_key_id => gen_random_uuid())
    AS id \gset
SELECT name, description, decrypted_secret, key_id FROM hftok.decrypted_secrets WHERE id = :'id';
SELECT hftok.update_secret(secret_id => :'id', new_secret => 'other', new_name => 'typed', new_description => 'texts',
    new_key_id => gen_random_uuid());
SELECT name, description, decrypted_secret, key_id FROM hftok.decrypted_secrets WHERE id = :'id';
SELECT hftok.put_secret(p_name => 'typed', p_secret => 'third', p_description => 'more', p_expected_version => 2) = :'id' AS same;
SELECT name, description, decrypted_secret FROM hftok.decrypted_secrets WHERE id = :'id';
SELECT hftok.get_secret(p_name => 'typed', p_version => v, p_recipient => NULL) FROM generate_series(1, 3) v;
SELECT hftok.restore_secret(p_secret_id => :'id', p_version => 1) AS version;
SELECT hftok.get_secret('typed');
SELECT version, is_current, name FROM hftok.secret_history(p_secret_id => :'id');
SELECT secret_id = :'id' AS same, version, is_current FROM hftok.find_secret(p_value => 'value') ORDER BY version;

-- The helpers: everything bound counts, arrays and times too.
CREATE TEMP TABLE sample AS SELECT * FROM hftok_private.secrets WHERE id = :'id';
SELECT hosts, expires AT TIME ZONE 'UTC' AS expires,
    hftok_private.open_vault_row('hftok', id, version, scope_id, provider, model, r.name, slot, kind, hosts, expires, sealed) AS opens,
    hftok_private.value_fault(id, version, scope, scope_id, provider, model, r.name, slot, kind, hosts, expires, sealed,
        preview, fingerprint, binding_key) AS fault
FROM sample r, (VALUES (NULL::text[], NULL::timestamptz), ('{}', NULL), ('{api.example}', NULL), (NULL, '2030-01-01 UTC'),
    (NULL, 'infinity')) v (hosts, expires)
ORDER BY hosts NULLS FIRST, expires NULLS FIRST;
SELECT what, hftok_private.value_fault(id, version, scope, scope_id, provider, model, name, slot, kind, NULL, NULL, sealed, p, f, b) AS fault
FROM sample r, LATERAL (VALUES
    ('nothing', r.preview, r.fingerprint, r.binding_key), ('no binding', r.preview, r.fingerprint, NULL),
    ('preview', '', r.fingerprint, r.binding_key), ('preview', NULL, r.fingerprint, r.binding_key),
    ('fingerprint', r.preview, '\x00', r.binding_key), ('fingerprint', r.preview, NULL, r.binding_key),
    ('fingerprint', r.preview, set_byte(r.fingerprint, 10, (get_byte(r.fingerprint, 10) + 1) % 256), r.binding_key),
    ('binding', r.preview, r.fingerprint, r.id)) v (what, p, f, b);
SELECT k.purpose, changed, hftok_private.data_key_fault(id, p, org, root, f, w) IS NULL AS sound
FROM hftok_private.data_keys k, LATERAL (VALUES
    ('nothing', k.purpose, k.root_key_id, k.root_fingerprint, k.wrapped),
    ('purpose', CASE k.purpose WHEN 'values' THEN 'fingerprints' ELSE 'values' END, k.root_key_id, k.root_fingerprint, k.wrapped),
    ('root', k.purpose, k.root_key_id % 2147483647 + 1, k.root_fingerprint, k.wrapped),
    ('root', k.purpose, NULL, k.root_fingerprint, k.wrapped),
    ('root fingerprint', k.purpose, k.root_key_id, '\x00', k.wrapped),
    ('root fingerprint', k.purpose, k.root_key_id, NULL, k.wrapped),
    ('wrapped', k.purpose, k.root_key_id, k.root_fingerprint, '\x00'),
    ('wrapped', k.purpose, k.root_key_id, k.root_fingerprint, NULL)) v (changed, p, root, f, w),
    LATERAL (VALUES (k.org_id)) o (org)
ORDER BY k.purpose, changed, sound;
SELECT hftok_private.data_key_id(sealed) = (hftok.status()).active_data_key_id AS active_key FROM sample;
SELECT r.fingerprint = ANY (hftok_private.fingerprints('value')) AS fits, r.fingerprint = ANY (hftok_private.fingerprints('x')) AS unfit
FROM sample r;
-- The audit gets every argument with its own kind; bytes that are no event are none.
BEGIN;
SELECT hftok_private.record_change(p_action => 'types', p_object => :'id', p_version => 7, p_digest => '\x0123', p_scope => 'user',
    p_owner => 'alice', p_provider => 'openai', p_level => 'level', p_subject => 'bob');
SELECT hftok_private.record_change('bare', p_owner => '', p_provider => '');
SELECT key, value FROM hftok_private.audit_pending p, LATERAL jsonb_each(hftok_private.pending_event(p.event, p.protection, p.xmin::text::bigint)::jsonb -> 'hftok_audit') f
WHERE hftok_private.pending_event(p.event, p.protection, p.xmin::text::bigint)::jsonb -> 'hftok_audit' ->> 'action' = 'types' AND key NOT IN ('at', 'database', 'object_id', 'application_name', 'client_addr', 'role_name', 'outer_role', 'login_role', 'actor_user')
ORDER BY key COLLATE "C";
SELECT e ->> 'object_id' = :'id' AS object, e ->> 'role_name' = current_user AS role, e ->> 'outer_role' = current_user AS outer, e ->> 'login_role' = session_user AS login,
    e ->> 'actor_user' = 'role:' || current_user AS actor, e ->> 'application_name' = current_setting('application_name') AS application,
    (e ->> 'at')::timestamptz BETWEEN now() AND clock_timestamp() AS at
FROM (SELECT hftok_private.pending_event(p.event, p.protection, p.xmin::text::bigint)::jsonb -> 'hftok_audit' AS e FROM hftok_private.audit_pending p) p WHERE e ->> 'action' = 'types';
SELECT count(*) AS fields FROM (SELECT hftok_private.pending_event(p.event, p.protection, p.xmin::text::bigint)::jsonb -> 'hftok_audit' AS e FROM hftok_private.audit_pending p) p,
    LATERAL jsonb_each(e) f WHERE e ->> 'action' = 'bare' AND f.value <> 'null' AND f.key <> 'client_addr';
SELECT hftok_private.record_change(NULL);
ROLLBACK;
SELECT bytes, hftok_private.pending_event(bytes, bytes, 1) FROM unnest('{NULL,"","\\x00","\\x000000000000000001"}'::bytea[]) bytes;
SELECT octet_length(hftok_private.state_of(s)) AS bytes FROM hftok_private.secrets s WHERE s.id = :'id';

-- A function that was declared with other arguments than it takes reads none.
BEGIN;
CREATE FUNCTION pg_temp.one_too_many(text) RETURNS text LANGUAGE c AS '$libdir/hftok', 'hftok_whoami';
CREATE FUNCTION pg_temp.one_too_few() RETURNS boolean LANGUAGE c AS '$libdir/hftok', 'hftok_is_caller';
SAVEPOINT declared;
SELECT pg_temp.one_too_many('text');
ROLLBACK TO declared;
SELECT pg_temp.one_too_few();
ROLLBACK;

-- Arguments that are reserved are refused, not ignored.
SELECT hftok.get_secret(p_name => 'typed', p_recipient => 'age1recipient');
\echo :LAST_ERROR_SQLSTATE
SELECT hftok.get_secret(p_name => 'typed', p_recipient => '');

SELECT hftok.delete_secret(p_secret_id => :'id');
