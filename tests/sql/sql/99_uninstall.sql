-- DROP EXTENSION takes everything with it, and what is installed afterwards starts anew: also for a session that kept
-- plans of the tables that are gone, and for a server that keeps their keys.

\set VERBOSITY sqlstate
SELECT hftok.create_secret('first life', 'phoenix') AS id \gset
SELECT hftok.get_secret('phoenix'), (hftok.status()).active_data_key_id AS key \gset

DROP EXTENSION hftok;
SELECT count(*) AS left FROM pg_namespace WHERE nspname = 'hftok_private';
SELECT count(*) AS left FROM pg_class WHERE relowner = 'hftok_owner'::regrole;
SELECT count(*) AS left FROM pg_proc WHERE proowner = 'hftok_owner'::regrole;
SELECT count(*) AS left FROM pg_type WHERE typowner = 'hftok_owner'::regrole;
SELECT count(*) AS left FROM pg_proc WHERE probin ~ 'hftok';
SELECT count(*) AS left FROM pg_class WHERE relname ~ '^(secrets|secret_versions|data_keys|decrypted_secrets)';
-- The schema that CREATE EXTENSION made stays, as it does for every extension that is given one; it is empty.
SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid) + (SELECT count(*) FROM pg_proc WHERE pronamespace = n.oid)
    + (SELECT count(*) FROM pg_type WHERE typnamespace = n.oid) AS left
FROM pg_namespace n WHERE nspname = 'hftok';
-- Roles belong to the server and stay, for other databases.
SELECT rolname FROM pg_roles WHERE rolname ~ '^hftok_' ORDER BY rolname COLLATE "C";
SELECT hftok.get_secret('phoenix');

CREATE EXTENSION hftok;
SELECT secrets, active_data_key_id FROM hftok.status();
SELECT hftok.get_secret('phoenix');
SELECT hftok.create_secret('second life', 'phoenix') <> :'id' AS another;
SELECT hftok.get_secret('phoenix'), (hftok.status()).active_data_key_id <> :key AS another_key;
SELECT name, decrypted_secret FROM hftok.decrypted_secrets;
SELECT kind, failed FROM hftok.verify();

DROP EXTENSION hftok;
DROP SCHEMA hftok;
SELECT count(*) AS left FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid
WHERE b.datname = current_database() AND d.refclassid = 'pg_authid'::regclass
AND d.refobjid IN (SELECT oid FROM pg_roles WHERE rolname ~ '^(hftok|regress)_' AND NOT rolsuper);
