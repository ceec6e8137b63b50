-- Guessing a value: each guess tells the audit what it hit, and a login has so many a minute. Imports compare as well, and tell too.

\set VERBOSITY default
\i tests/sql/include/await.sql
SET client_min_messages = warning;
SELECT current_user AS me \gset
DROP ROLE IF EXISTS regress_guesser, regress_other_guesser;
CREATE ROLE regress_guesser LOGIN IN ROLE hftok_auditor;
CREATE ROLE regress_other_guesser LOGIN IN ROLE hftok_auditor;
-- The limit without a word in postgresql.conf.
SELECT setting AS guesses_a_minute FROM pg_settings WHERE name = 'hftok.max_guesses_per_minute';
CREATE FUNCTION public.guesses(p_how_many int) RETURNS TABLE (guesses int, hits text[], refusal text) LANGUAGE plpgsql AS $$
DECLARE
    pin text;
    said text;
    detail text;
BEGIN
    hits := '{}';
    guesses := 0;
    FOR at IN 0 .. p_how_many - 1 LOOP
        pin := lpad(at::text, 4, '0');
        IF EXISTS (SELECT FROM hftok.find_secret(pin)) THEN
            hits := hits || pin;
        END IF;
        guesses := guesses + 1;
    END LOOP;
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    refusal := format('%s %s: %s', SQLSTATE, said, regexp_replace(detail, '\d+ s', '# s'));
    RETURN NEXT;
END
$$;
-- Comparisons, and refusals of them.
CREATE FUNCTION public.news(p_since bigint) RETURNS TABLE (kind text, action text, outcome text, n numeric, object text, v int, scope text, owner text, provider text, login text)
    LANGUAGE sql AS $$
    SELECT a.kind, a.action, a.outcome, sum(a.count), coalesce(nullif(s.name, ''), s.scope_id), a.version, a.owner_scope, a.owner_id, a.provider,
        replace(a.login_role, current_user, '(superuser)')
    FROM hftok_private.audit_rows a LEFT JOIN hftok_private.secrets s ON s.id = a.object_id
    WHERE a.id > p_since AND a.kind IN ('audit', 'refusal') GROUP BY 1, 2, 3, 5, 6, 7, 8, 9, 10 ORDER BY 2, 3, 5, 6, 4
$$;
GRANT EXECUTE ON FUNCTION public.guesses TO regress_guesser, regress_other_guesser;

-- A PIN of four digits, and ten thousand guesses.
SELECT hftok.create_secret('7301', 'door pin') IS NOT NULL AS made;
CALL pg_temp.await_audit();
SELECT coalesce(max(id), 0) AS since FROM hftok_private.audit_rows \gset
\c - regress_guesser
SELECT guesses BETWEEN 100 AND 150 AS about_a_hundred, hits, refusal FROM public.guesses(10000);
-- Neither a rollback nor another session gives more, and nothing is told of the value that is right.
BEGIN;
SELECT hftok.find_secret('7301');
ROLLBACK;
\c - regress_guesser
SELECT guesses < 5 AS soon_over, hits, refusal FROM public.guesses(10000);
SET ROLE hftok_auditor;
SELECT guesses < 5 AS soon_over, hits, refusal FROM public.guesses(10000);
-- Another login has its own.
\c - regress_other_guesser
SELECT version, is_current FROM hftok.find_secret('7301');
\c - :me
\i tests/sql/include/await.sql
CALL pg_temp.await_audit();
SELECT kind, action, outcome, CASE WHEN kind = 'refusal' OR n < 3 THEN n::text ELSE '(many)' END AS n, object, v, scope, owner, provider, login FROM public.news(:since)
WHERE login = 'regress_other_guesser' OR outcome <> 'too_often';
SELECT outcome, sum(n) >= 4 AS told, login FROM public.news(:since) WHERE outcome = 'too_often' GROUP BY 1, 3;
-- A new setting of the operator counts at once.
ALTER SYSTEM SET hftok.max_guesses_per_minute = 1000000;
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
\c - regress_guesser
SELECT guesses, hits, refusal FROM public.guesses(200);
\c - :me
\set VERBOSITY terse
\i tests/sql/include/await.sql
SET client_min_messages = warning;
ALTER SYSTEM RESET hftok.max_guesses_per_minute;
SELECT pg_reload_conf();

-- Every secret that is hit is named, with the version that was, and its owner sees it; a miss is one.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-guessed0000000000001', p_user_id => 'guessed');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-guessed0000000000001', p_org_id => 'guessed org');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-guessed0000000000002', p_user_id => 'guessed');
CALL pg_temp.await_audit();
SELECT max(id) AS since FROM hftok_private.audit_rows \gset
SELECT count(*) FROM hftok.find_secret('sk-proj-guessed0000000000001');
SELECT hftok.find_secret('sk-proj-guessed0000000000002') IS NOT NULL AS found;
SELECT count(*) FROM hftok.find_secret('sk-proj-guessed0000000000003');
-- Nobody is told of a part before all of it is recorded.
SELECT count(*) FROM (SELECT FROM hftok.find_secret('sk-proj-guessed0000000000001') LIMIT 1) s;
CALL pg_temp.await_audit();
SELECT * FROM public.news(:since);
SELECT action, outcome, provider FROM hftok_private.audit_events_of('guessed') WHERE id > :since AND kind = 'audit' ORDER BY id;

-- An import that would bring what is there already says so: so it is told, also as a dry run.
SELECT hftok_import.import_value('guess', '1', 'sk-proj-guessed0000000000004', 'openai', p_user_id => 'brought');
CALL pg_temp.await_audit();
SELECT max(id) AS since FROM hftok_private.audit_rows \gset
SELECT hftok_import.import_value('guess', '1', 'sk-proj-guessed0000000000004', 'openai', p_user_id => 'brought', p_dry_run => true) AS hit,
    hftok_import.import_value('guess', '1', 'sk-proj-guessed0000000000005', 'openai', p_user_id => 'brought', p_dry_run => true) AS miss,
    hftok_import.import_value('guess', '2', 'sk-proj-guessed0000000000004', 'openai', p_user_id => 'brought', p_dry_run => true) AS of_another_row;
CALL pg_temp.await_audit();
SELECT * FROM public.news(:since);
SELECT max(id) AS since FROM hftok_private.audit_rows \gset
SELECT hftok_import.import_holds('guess', '1', 'sk-proj-guessed0000000000004') AS hit, hftok_import.import_holds('guess', '1', 'sk-proj-guessed0000000000005') AS miss,
    hftok_import.import_holds('guess', '9', 'sk-proj-guessed0000000000004') AS no_such_row, hftok_import.import_holds('guess', '1', NULL) AS nothing;
CALL pg_temp.await_audit();
SELECT * FROM public.news(:since);
-- A value that loses to another row is not brought, and remembered as seen.
SELECT hftok_import.import_value('guess', '3', 'sk-proj-guessed0000000000006', 'openai', p_user_id => 'guessed') AS skipped;
CALL pg_temp.await_audit();
SELECT max(id) AS since FROM hftok_private.audit_rows \gset
SELECT hftok_import.import_saw('guess', '3', 'sk-proj-guessed0000000000006', '{skipped}') AS hit, hftok_import.import_saw('guess', '3', 'sk-proj-guessed0000000000005', '{skipped}') AS miss,
    hftok_import.import_saw('guess', '3', 'sk-proj-guessed0000000000006', '{rejected}') AS of_another_outcome;
CALL pg_temp.await_audit();
SELECT * FROM public.news(:since);
-- A value that is no good has what is remembered of its row forgotten, if the column holds what it held.
SELECT max(id) AS since FROM hftok_private.audit_rows \gset
SELECT hftok_import.import_value('guess', '1', 'changeme', 'openai', p_user_id => 'brought', p_column => 'sk-proj-guessed0000000000005') AS miss,
    hftok_import.import_value('guess', '1', 'changeme', 'openai', p_user_id => 'brought', p_column => 'sk-proj-guessed0000000000004') AS hit;
CALL pg_temp.await_audit();
SELECT * FROM public.news(:since);
-- A secret that was deleted since is told of as well.
SELECT hftok_import.import_value('guess', '4', 'sk-proj-guessed0000000000007', 'openai', p_user_id => 'deleted') AS brought;
SELECT hftok.delete_credential('openai', p_user_id => 'deleted') AS deleted;
CALL pg_temp.await_audit();
SELECT max(id) AS since FROM hftok_private.audit_rows \gset
SELECT hftok_import.import_value('guess', '4', 'sk-proj-guessed0000000000007', 'openai', p_user_id => 'deleted', p_dry_run => true) AS hit;
CALL pg_temp.await_audit();
SELECT action, outcome, n, scope, owner, provider FROM public.news(:since);
-- And a Vault's secrets.
SELECT max(id) AS since FROM hftok_private.audit_rows \gset
SELECT hftok_import.import_vault_holds(s.id, '7301') AS hit, hftok_import.import_vault_holds(s.id, ' 7301') AS miss, hftok_import.import_vault_holds('00000000-0000-4000-8000-000000000000', '7301') AS none, hftok_import.import_vault_holds(NULL, '7301') AS nobodys FROM hftok.secrets s WHERE s.name = 'door pin';
CALL pg_temp.await_audit();
SELECT * FROM public.news(:since);

-- A whole table that is the same again: an event each for the first hundred, few for the rest, and none of them is a use.
CREATE TABLE public.guess_bulk (id int PRIMARY KEY, key text);
INSERT INTO public.guess_bulk SELECT n, 'sk-proj-' || lpad(n::text, 20, '0') FROM generate_series(1, 400) n;
CALL hftok.import_column('public.guess_bulk', 'key', 'id', 'openai', p_owner_column => 'id');
CALL pg_temp.await_audit();
SELECT max(id) AS since FROM hftok_private.audit_rows \gset
CALL hftok.import_column('public.guess_bulk', 'key', 'id', 'openai', p_owner_column => 'id', p_batch => 50);
CALL pg_temp.await_audit();
SELECT sum(n) AS compared FROM public.news(:since);
SELECT action, outcome, count(DISTINCT object_id) >= 100 AS named, count(*) < 200 AS few, max(count) > 1 AS is_of_many, count(owner_id) >= 100 AS with_owner
FROM hftok_private.audit_rows WHERE id > :since AND kind = 'audit' GROUP BY 1, 2;
SELECT sum(use_count) AS uses, count(*) FROM hftok.credentials WHERE scope_id ~ '^\d+$';
SELECT max(id) AS since FROM hftok_private.audit_rows \gset
CALL hftok.blank_column('public.guess_bulk', 'key', 'id');
CALL pg_temp.await_audit();
SELECT action, outcome, sum(n) FROM public.news(:since) GROUP BY 1, 2;
-- The next statement begins anew.
SELECT max(id) AS since FROM hftok_private.audit_rows \gset
SELECT hftok_import.import_value('public.guess_bulk.key', '7', 'sk-proj-00000000000000000007', 'openai', p_user_id => '7', p_dry_run => true);
CALL pg_temp.await_audit();
SELECT * FROM public.news(:since);
SELECT ok FROM hftok.verify_audit();

SELECT hftok.delete_secret(id) FROM hftok.secrets WHERE name = 'door pin';
SELECT count(*) FROM (SELECT hftok.forget_user(u) FROM unnest(ARRAY['guessed', 'brought'] || ARRAY(SELECT n::text FROM generate_series(1, 400) n)) u) f;
SELECT count(*) FROM (SELECT hftok.forget_org('guessed org')) f;
DROP TABLE public.guess_bulk;
DROP FUNCTION public.guesses, public.news;
DROP ROLE regress_guesser, regress_other_guesser;
