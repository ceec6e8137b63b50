\set ECHO none
-- Included at the head of the files that change the audit behind hftok's back: a log that begins with its first event.
\set VERBOSITY terse
\encoding UTF8
SET timezone = 'UTC';
SET client_min_messages = warning;
\i tests/sql/include/await.sql
\set ECHO none
CALL pg_temp.await_audit();
DROP EXTENSION hftok;
CREATE EXTENSION hftok;
\set ECHO all
