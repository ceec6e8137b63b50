-- logging_risks(): what on this server lets plaintext escape, or makes a backup fail, with the remedy. The settings are those of
-- this session, changed here; what the server itself has set is left out.

\set VERBOSITY terse
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_backup, regress_reporting;

-- Nothing is a risk here.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_duration_sample = -1;
SET log_transaction_sample_rate = 0;
SET log_min_error_statement = panic;
SET log_parameter_max_length_on_error = 0;
CREATE TEMP TABLE before AS SELECT * FROM hftok.logging_risks();
SELECT * FROM before WHERE subject ~ '^log_';
CREATE FUNCTION pg_temp.found() RETURNS TABLE (subject text, risk text, remedy text) LANGUAGE sql AS $$
    SELECT r.subject, r.risk, r.remedy FROM hftok.logging_risks() r WHERE r NOT IN (SELECT b FROM before b) ORDER BY r.subject COLLATE "C", r.risk COLLATE "C"
$$;
-- The setting ends with the statement.
CREATE FUNCTION pg_temp.found_with(setting text, value text) RETURNS TABLE (subject text, risk text, remedy text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config(setting, value, true);
    RETURN QUERY SELECT * FROM pg_temp.found();
END
$$;

\x on
\pset format unaligned
SELECT * FROM pg_temp.found_with('log_statement', 'ddl');
SELECT * FROM pg_temp.found_with('log_statement', 'all');
SELECT * FROM pg_temp.found_with('log_min_duration_statement', '0');
SELECT * FROM pg_temp.found_with('log_min_duration_statement', '1s');
SELECT * FROM pg_temp.found_with('log_min_duration_sample', '0');
SELECT * FROM pg_temp.found_with('log_transaction_sample_rate', '0.1');
SELECT * FROM pg_temp.found_with('log_min_error_statement', 'error');
SELECT * FROM pg_temp.found_with('log_min_error_statement', 'fatal');
SELECT * FROM pg_temp.found_with('log_parameter_max_length_on_error', '-1');
SELECT * FROM pg_temp.found_with('log_parameter_max_length_on_error', '100');
-- Parameters are logged with statements, unless that is off.
BEGIN;
SET LOCAL log_statement = 'all';
SET LOCAL log_parameter_max_length = 0;
SELECT * FROM pg_temp.found();
ROLLBACK;
SELECT * FROM pg_temp.found_with('log_parameter_max_length', '100');
-- auto_explain logs them with plans, as settings of a role say here.
BEGIN;
CREATE ROLE regress_reporting;
ALTER ROLE regress_reporting SET auto_explain.log_parameter_max_length = 100;
SELECT * FROM pg_temp.found();
ALTER ROLE regress_reporting SET auto_explain.log_min_duration = 0;
SELECT * FROM pg_temp.found();
ALTER ROLE regress_reporting SET auto_explain.log_parameter_max_length = 0;
SELECT * FROM pg_temp.found();
ROLLBACK;

-- A login role that reads every table is subject to row security, and pg_dump fails under it as a whole.
CREATE ROLE regress_backup LOGIN;
SELECT * FROM pg_temp.found();
GRANT pg_read_all_data TO regress_backup;
SELECT * FROM pg_temp.found();
ALTER ROLE regress_backup BYPASSRLS;
SELECT * FROM pg_temp.found();
ALTER ROLE regress_backup NOBYPASSRLS SUPERUSER;
SELECT * FROM pg_temp.found();
-- Not a role that cannot log in.
CREATE ROLE regress_reporting NOLOGIN;
GRANT pg_read_all_data TO regress_reporting;
SELECT * FROM pg_temp.found();
-- A login that reads the server's files reads the keyring, by whatever way it may; a superuser can anyway.
ALTER ROLE regress_backup NOSUPERUSER BYPASSRLS;
GRANT pg_read_server_files TO regress_reporting;
GRANT pg_execute_server_program TO regress_backup;
SELECT * FROM pg_temp.found();
GRANT regress_reporting TO regress_backup;
SELECT * FROM pg_temp.found();
ALTER ROLE regress_backup SUPERUSER;
SELECT * FROM pg_temp.found();
-- The auditor sees the same.
SET ROLE hftok_auditor;
SELECT count(*) FROM hftok.logging_risks() WHERE subject ~ '^log_';
RESET ROLE;

DROP ROLE regress_backup, regress_reporting;
