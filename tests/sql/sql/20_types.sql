-- Declarations in SQL and code in Rust agree: every function is called with every argument given by name and with its
-- type, and answers with the type it declares. Nothing else would notice an argument of the wrong type before it is read.

\set VERBOSITY terse

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
    ('hftok.status()'),
    ('hftok.unseal()'),
    ('hftok.verify()'),
    ('hftok.logging_risks()'),
    ('hftok.whoami()'),
    ('hftok_private.open_vault_row(p_schema => ''hftok''::text, p_id => :id, p_version => 1::int, p_scope_id => ''''::text,
        p_provider => ''''::text, p_model => ''''::text, p_name => ''types''::text, p_allowed_hosts => NULL::text[],
        p_expires_at => NULL::timestamptz, p_sealed => :sealed)'),
    ('hftok_private.value_fault(p_id => :id, p_version => 1::int, p_scope => ''vault''::text, p_scope_id => ''''::text,
        p_provider => ''''::text, p_model => ''''::text, p_name => ''types''::text, p_allowed_hosts => ''{a,b}''::text[],
        p_expires_at => now(), p_sealed => :sealed, p_preview => ''''::text, p_fingerprint => ''''::bytea,
        p_binding_key => :id)'),
    ('hftok_private.data_key_fault(p_id => 1::int, p_purpose => ''values''::text, p_root_key_id => 1::int,
        p_root_fingerprint => ''''::bytea, p_wrapped => ''''::bytea)'),
    ('hftok_private.fingerprints(p_value => ''value''::text)'),
    ('hftok_private.keyring_state()'),
    ('hftok_private.read_keyring()'),
    ('hftok_private.missing_key(p_sealed => :sealed, p_fingerprint => ''''::bytea)'),
    ('hftok_private.data_key_id(p_sealed => :sealed)');

-- A function that is missing above, and an argument that is. Those that change more than rows are called elsewhere:
-- refuse_write (a trigger's) and seal in 30_vault, install_vault_schema in 50_vault_schema, enable_rpc and disable_rpc (which call set_rpc) in 60_rpc_roles.
SELECT p.oid::regproc AS not_called
FROM pg_proc p
WHERE p.pronamespace IN ('hftok'::regnamespace, 'hftok_private'::regnamespace)
AND NOT EXISTS (SELECT FROM calls c WHERE c.function = p.oid::regproc::text AND (SELECT count(*) FROM regexp_matches(c.call, '=>', 'g')) = p.pronargs)
ORDER BY p.oid::regproc::text COLLATE "C";

-- Each is called by itself and leaves nothing: before it there is a secret of that id in version 2, unless it makes one.
CREATE PROCEDURE pg_temp.try(call text) LANGUAGE plpgsql AS $$
DECLARE
    id uuid;
    type text;
    answer text;
BEGIN
    BEGIN
        IF call !~ 'create_secret' THEN
            id := hftok.create_secret('value', 'types');
            PERFORM hftok.update_secret(id, 'second');
        END IF;
        call := replace(call, ':id', quote_nullable(id) || '::uuid');
        call := replace(call, ':sealed', format('%L::bytea',
            (SELECT v.sealed FROM hftok_private.secret_versions v WHERE v.secret_id = id)));
        EXECUTE format('SELECT pg_typeof(answer), answer::text FROM (SELECT %s AS answer) called LIMIT 1', call)
        INTO type, answer;
        RAISE EXCEPTION USING ERRCODE = 'RB000';
    EXCEPTION WHEN SQLSTATE 'RB000' THEN
        UPDATE called SET gives = type,
            reads = regexp_replace(answer, '[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|[0-9]{3,}', '#', 'g')
        WHERE function = split_part(call, '(', 1);
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
    CASE WHEN p.prorettype::regtype IN ('uuid', 'text', 'boolean', 'integer', 'bigint', 'bytea[]') AND p.proname !~ 'keyring|whoami'
        THEN reads END AS reads
FROM called c JOIN pg_proc p ON p.oid = c.function::regproc ORDER BY c.function COLLATE "C";

-- The columns of what answers with several.
SELECT pg_typeof(version) AS version, pg_typeof(sealed) AS sealed, pg_typeof(reason) AS reason,
    pg_typeof(primary_root_key_id) AS primary_root_key_id, pg_typeof(root_key_ids) AS root_key_ids,
    pg_typeof(removable_root_key_ids) AS removable, pg_typeof(active_data_key_id) AS active_data_key_id,
    pg_typeof(secrets) AS secrets, pg_typeof(secrets_on_old_keys) AS on_old_keys, pg_typeof(gateways) AS gateways
FROM hftok.status();
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
    hftok_private.open_vault_row('hftok', id, version, scope_id, provider, model, r.name, hosts, expires, sealed) AS opens,
    hftok_private.value_fault(id, version, scope, scope_id, provider, model, r.name, hosts, expires, sealed,
        preview, fingerprint, binding_key) AS fault
FROM sample r, (VALUES (NULL::text[], NULL::timestamptz), ('{}', NULL), ('{api.example}', NULL), (NULL, '2030-01-01 UTC'),
    (NULL, 'infinity')) v (hosts, expires)
ORDER BY hosts NULLS FIRST, expires NULLS FIRST;
SELECT what, hftok_private.value_fault(id, version, scope, scope_id, provider, model, name, NULL, NULL, sealed, p, f, b) AS fault
FROM sample r, LATERAL (VALUES
    ('nothing', r.preview, r.fingerprint, r.binding_key), ('no binding', r.preview, r.fingerprint, NULL),
    ('preview', '', r.fingerprint, r.binding_key), ('preview', NULL, r.fingerprint, r.binding_key),
    ('fingerprint', r.preview, '\x00', r.binding_key), ('fingerprint', r.preview, NULL, r.binding_key),
    ('fingerprint', r.preview, set_byte(r.fingerprint, 10, (get_byte(r.fingerprint, 10) + 1) % 256), r.binding_key),
    ('binding', r.preview, r.fingerprint, r.id)) v (what, p, f, b);
SELECT k.purpose, changed, hftok_private.data_key_fault(id, p, root, f, w) IS NULL AS sound
FROM hftok_private.data_keys k, LATERAL (VALUES
    ('nothing', k.purpose, k.root_key_id, k.root_fingerprint, k.wrapped),
    ('purpose', CASE k.purpose WHEN 'values' THEN 'fingerprints' ELSE 'values' END, k.root_key_id, k.root_fingerprint, k.wrapped),
    ('root', k.purpose, k.root_key_id % 2147483647 + 1, k.root_fingerprint, k.wrapped),
    ('root', k.purpose, NULL, k.root_fingerprint, k.wrapped),
    ('root fingerprint', k.purpose, k.root_key_id, '\x00', k.wrapped),
    ('root fingerprint', k.purpose, k.root_key_id, NULL, k.wrapped),
    ('wrapped', k.purpose, k.root_key_id, k.root_fingerprint, '\x00'),
    ('wrapped', k.purpose, k.root_key_id, k.root_fingerprint, NULL)) v (changed, p, root, f, w)
ORDER BY k.purpose, changed, sound;
SELECT hftok_private.data_key_id(sealed) = (hftok.status()).active_data_key_id AS active_key FROM sample;
SELECT r.fingerprint = ANY (hftok_private.fingerprints('value')) AS fits, r.fingerprint = ANY (hftok_private.fingerprints('x')) AS unfit
FROM sample r;

-- Arguments that are reserved are refused, not ignored.
\set VERBOSITY sqlstate
SELECT hftok.get_secret(p_name => 'typed', p_recipient => 'age1recipient');
SELECT hftok.get_secret(p_name => 'typed', p_recipient => '');

SELECT hftok.delete_secret(p_secret_id => :'id');
