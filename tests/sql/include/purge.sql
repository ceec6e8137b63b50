-- Included where the audit is to be purged as a whole: by somebody who has read nothing, on a server that keeps nothing. It ends in
-- a new session.
\set ECHO none
-- Events go 256 at a time: those that come after what is to go fill its tile.
SELECT hftok.put_secret('filler', 'value') AS filler \gset
SELECT count(hftok.get_secret('filler')) FROM generate_series(1, 300) \gset
SELECT hftok.delete_secret(:'filler') \gset
SELECT current_user AS me \gset
CREATE ROLE regress_purger LOGIN IN ROLE hftok_admin;
ALTER SYSTEM SET hftok.audit_retention = 0;
SELECT pg_reload_conf() \gset
SELECT pg_sleep(1) \gset
\c - regress_purger
SELECT hftok.purge_audit(now() + interval '1 second') > 0 AS purged;
\c - :me
SET client_min_messages = error;
ALTER SYSTEM RESET hftok.audit_retention;
SELECT pg_reload_conf() \gset
DROP ROLE regress_purger;
RESET client_min_messages;
\i tests/sql/include/await.sql
\set ECHO all
