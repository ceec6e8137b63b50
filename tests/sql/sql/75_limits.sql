-- The longest argument, and the most that anybody may have.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET hftok.audit = 'async';

-- By its length alone, before anything looks at it.
SELECT hftok.token_provided('huggingface', p_user_id => 'u', p_model => repeat('x', 2000000));
SELECT hftok.token_provided(repeat('x', 2000000));
SELECT hftok.check_credential('openai', repeat('x', 2000000));
SELECT hftok.put_secret('n', 'v', repeat('x', 2000000));
SELECT hftok.put_secret('n', repeat('x', 1048577));
-- The same for one that is compressed, or stored elsewhere.
CREATE TEMP TABLE given (packed text, elsewhere text);
ALTER TABLE given ALTER elsewhere SET STORAGE EXTERNAL;
INSERT INTO given VALUES (repeat('x', 2000000), repeat('y', 2000000));
SELECT hftok.check_credential('openai', packed) FROM given;
SELECT hftok.check_credential('openai', elsewhere) FROM given;

-- Models, hosts, lists.
SELECT hftok.token_provided('huggingface', p_user_id => 'u', p_model => repeat('x', 1025));
SELECT hftok.token_provided('huggingface', p_user_id => 'u', p_host => repeat('x', 1025));
SELECT hftok.resolve_token('huggingface', p_user_id => 'u', p_model => repeat('x', 1025));
SELECT hftok.delete_credential('huggingface', repeat('x', 1025), p_user_id => 'u');
SELECT hftok.token_provided('huggingface', p_user_id => 'u', p_levels => array_fill('user'::text, ARRAY[1001]));
SELECT hftok.token_provided('huggingface', p_user_id => 'u', p_levels => ARRAY[repeat('x', 65537)]);
SELECT hftok.runner_env(array_fill(NULL::text, ARRAY[1001]), p_user_id => 'u');
SELECT hftok.save_credential('openai', 'sk-0123456789abcdef0123456789', p_user_id => 'u',
    p_allowed_hosts => array_fill('a.example'::text, ARRAY[1001]));

-- A credential above 64 kB is none, however much a named secret may have.
SELECT hftok.save_credential('openai', 'sk-' || repeat('a', 65534), p_user_id => 'u');
SELECT * FROM hftok.check_credential('openai', 'sk-' || repeat('a', 65534));
SELECT hftok.create_integration_with_vault('n', 'aws', '{"x":"' || repeat('a', 65536) || '"}', p_user_id => 'u');
SELECT * FROM hftok.check_credential('aws',
    (SELECT '{' || string_agg(format('"%s":""', n), ',') || '}' FROM generate_series(1, 101) n));
INSERT INTO hftok.user_api_keys (user_id, service, api_key) VALUES ('u', 'openai', 'sk-' || repeat('a', 65534));

-- Arguments beside it.
SELECT hftok.create_integration_with_vault('n', 'openai', 'sk-0123456789abcdef0123456789',
    jsonb_build_object('a', repeat('x', 65536)), p_user_id => 'u');
SELECT hftok.register_provider(jsonb_build_object('name', 'long', 'label', repeat('x', 65536)));

-- Rows of a bulk: refused before any is looked at.
SELECT count(*) FROM hftok.save_credentials((SELECT jsonb_agg(n) FROM generate_series(1, 10001) n));
SELECT count(*) FROM hftok.save_credentials((SELECT jsonb_agg(n) FROM generate_series(1, 10000) n));
