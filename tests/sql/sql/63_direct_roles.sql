-- A role that stands for itself is role:<name>, and that one only: what was kept for a role that was dropped is not for one that is
-- made of its name.

\set VERBOSITY terse
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_temp, regress_friend;
CREATE ROLE regress_temp LOGIN IN ROLE hftok_user;
SET ROLE regress_temp;
SELECT version FROM hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH');
SELECT hftok.create_integration_with_vault('i', 'openai', 'sk-proj-of-temp00000000000001') AS integration \gset
SELECT scope_id, writable FROM hftok.credentials;
RESET ROLE;

DROP ROLE regress_temp;
CREATE ROLE regress_temp LOGIN IN ROLE hftok_user;
SET ROLE regress_temp;
\set VERBOSITY default
SELECT hftok.whoami();
\set VERBOSITY terse
SELECT hftok.save_hf_token('hf_evilevilevilevilevilevilevilevilev');
SELECT hftok.delete_credential('huggingface');
SELECT hftok.token_provided('huggingface');
SELECT hftok.update_integration(:'integration', 'mine');
SELECT count(*) FROM hftok.credentials;
SELECT count(*) FROM hftok.integrations;
SELECT count(*) FROM hftok.user_api_keys;
SELECT count(*) FROM hftok.audit_events;
INSERT INTO hftok.user_api_keys (service, api_key) VALUES ('groq', 'key-of-the-second');
UPDATE hftok.credentials SET label = 'x';
RESET ROLE;
-- The backend, which names whom it means, is not asked.
SET ROLE hftok_service;
SELECT hftok.resolve_hf_token('role:regress_temp');
RESET ROLE;

-- The operator gives it to the new one, or deletes it.
SET ROLE regress_temp;
SELECT hftok.adopt_role('regress_temp');
SET ROLE hftok_admin;
SELECT hftok.adopt_role('regress_absent');
SELECT hftok.adopt_role('regress_temp');
SET ROLE regress_temp;
SELECT hftok.whoami();
SELECT scope_id, writable FROM hftok.credentials;
RESET ROLE;
DROP ROLE regress_temp;
CREATE ROLE regress_temp LOGIN IN ROLE hftok_user;
SELECT * FROM hftok.forget_user('role:regress_temp');
SET ROLE regress_temp;
SELECT hftok.whoami();
SELECT count(*) FROM hftok.credentials;
RESET ROLE;

-- The same for what others gave to the name: a membership, a key that the backend saved, an administrator's rights.
SELECT hftok.add_member('acme', 'role:regress_temp', 'owner');
DROP ROLE regress_temp;
CREATE ROLE regress_temp LOGIN IN ROLE hftok_user;
SET ROLE regress_temp;
SELECT hftok.add_member('acme', 'role:regress_friend');
SELECT count(*) FROM hftok.members;
RESET ROLE;
SELECT memberships FROM hftok.forget_user('role:regress_temp');
SELECT hftok.grant_administrator('role:regress_temp');
DROP ROLE regress_temp;
CREATE ROLE regress_temp LOGIN IN ROLE hftok_user;
SET ROLE regress_temp;
SELECT hftok.status();
SELECT hftok.save_hf_token('hf_evilevilevilevilevilevilevilevilev', p_global => true);
RESET ROLE;
SELECT * FROM hftok.forget_user('role:regress_temp');

-- A role that was renamed is another name, and the name is free for nobody else's things.
SET ROLE regress_temp;
SELECT version FROM hftok.save_hf_token('hf_abcdefghijklmnopqrstuvwxyzABCDEFGH');
RESET ROLE;
ALTER ROLE regress_temp RENAME TO regress_friend;
CREATE ROLE regress_temp LOGIN IN ROLE hftok_user;
SET ROLE regress_temp;
SELECT hftok.whoami();
SET ROLE regress_friend;
SELECT hftok.whoami();
SELECT count(*) FROM hftok.credentials;
RESET ROLE;
SELECT credentials FROM hftok.forget_user('role:regress_temp');
SELECT count(*) AS left FROM hftok_private.direct_roles WHERE name LIKE 'regress\_temp%';
DROP ROLE regress_temp, regress_friend;
