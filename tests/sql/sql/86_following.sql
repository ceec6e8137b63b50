-- An application's own tables of memberships, roles and users: taken over, and followed from then on, whoever writes to them.

\set VERBOSITY terse
\encoding UTF8
\i tests/sql/include/await.sql
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_operator, regress_app, regress_clerk;
CREATE ROLE regress_operator IN ROLE hftok_admin;
CREATE ROLE regress_app;
CREATE ROLE regress_clerk;
CREATE SCHEMA regress_team AUTHORIZATION regress_app;
SET ROLE regress_app;
CREATE TYPE regress_team.role AS ENUM ('owner', 'Admin', 'editor', 'invited', 'member');
CREATE TABLE regress_team.users (id uuid PRIMARY KEY, is_admin boolean);
CREATE TABLE regress_team.memberships (
    id serial PRIMARY KEY, team_id int, user_id uuid REFERENCES regress_team.users ON DELETE CASCADE, role regress_team.role
);
CREATE TABLE regress_team.user_roles (user_id uuid REFERENCES regress_team.users ON DELETE CASCADE, role text);
INSERT INTO regress_team.users SELECT ('AAAAAAAA-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, n = 1 FROM generate_series(1, 9) n;
CREATE FUNCTION regress_team.u(int) RETURNS uuid LANGUAGE sql AS $$ SELECT ('aaaaaaaa-0000-4000-8000-' || lpad($1::text, 12, '0'))::uuid $$;
INSERT INTO regress_team.memberships (team_id, user_id, role) VALUES (1, regress_team.u(1), 'owner'), (1, regress_team.u(2), 'Admin'), (1, regress_team.u(3), 'editor'),
    (1, regress_team.u(4), 'invited'), (2, regress_team.u(1), 'member'), (2, NULL, 'member'), (NULL, regress_team.u(1), 'member'), (2, regress_team.u(5), NULL);
INSERT INTO regress_team.user_roles VALUES (regress_team.u(1), 'admin'), (regress_team.u(2), 'moderator'), (regress_team.u(3), 'Super'), (NULL, 'admin');
GRANT USAGE ON SCHEMA regress_team TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA regress_team TO regress_clerk;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA regress_team TO regress_clerk;
GRANT SELECT ON ALL TABLES IN SCHEMA regress_team TO regress_operator;
GRANT TRIGGER ON ALL TABLES IN SCHEMA regress_team TO regress_operator;
RESET ROLE;
RESET client_min_messages;
CREATE FUNCTION pg_temp.members() RETURNS TABLE (org text, usr text, role text) LANGUAGE sql AS $$
    SELECT m.org_id, right(m.user_id, 2), m.role FROM hftok.members m WHERE m.org_id IN ('1', '2', '3') ORDER BY 1, 2
$$;
CREATE FUNCTION pg_temp.administrators() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT right(a.user_id, 2) FROM hftok.administrators a WHERE a.user_id LIKE 'aaaaaaaa%' ORDER BY 1
$$;

-- Who may, and what is refused.
SET ROLE regress_app;
CALL hftok.import_members('regress_team.memberships', 'team_id', 'user_id');
CREATE TRIGGER follow AFTER INSERT ON regress_team.memberships FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
SET ROLE hftok_service;
CALL hftok.import_members('regress_team.memberships', 'team_id', 'user_id');
SET ROLE regress_operator;
BEGIN;
CALL hftok.import_members('regress_team.memberships', 'team_id', 'user_id');
ROLLBACK;
CALL hftok.import_members(NULL, 'team_id', 'user_id');
CALL hftok.import_members('regress_team.memberships', NULL, 'user_id');
CALL hftok.import_members('regress_team.memberships', 'none', 'user_id');
CALL hftok.import_members('regress_team.memberships', 'ctid', 'user_id');
CALL hftok.import_members('regress_team.memberships', 'team_id', 'user_id', 'role', '{editor}');
CALL hftok.import_members('regress_team.memberships', 'team_id', 'user_id', 'role', '{editor=king}');
CALL hftok.import_members('regress_team.memberships', 'team_id', 'user_id', 'role', NULL);
CALL hftok.import_members('regress_team.memberships', 'team_id', 'user_id', p_batch => 0);
CALL hftok.import_administrators('regress_team.users', NULL);
SELECT count(*) FROM pg_temp.members();

-- Taken over. A word that means nothing makes nobody a member, and is told.
CALL hftok.import_members('regress_team.memberships', 'team_id', 'user_id', 'role', p_dry_run => true);
SELECT count(*) FROM pg_temp.members();
CALL hftok.import_members('regress_team.memberships', 'team_id', 'user_id', 'role', p_batch => 2);
SELECT * FROM pg_temp.members();
CALL hftok.import_members('regress_team.memberships', 'team_id', 'user_id', 'role', '{editor=member, invited = none}');
CALL hftok.import_members('regress_team.memberships', 'team_id', 'user_id', 'role', '{editor=admin,invited=none,*=member}');
SELECT * FROM pg_temp.members();
CALL hftok.import_administrators('regress_team.users', 'id', 'is_admin', '{true}');
CALL hftok.import_administrators('regress_team.user_roles', 'user_id', 'role', '{admin,super}');
CALL hftok.import_administrators('regress_team.user_roles', 'user_id', 'role', '{admin,super}');
SELECT * FROM pg_temp.administrators();
SELECT source, outcome, reason FROM hftok.import_report WHERE source LIKE 'regress_team%' ORDER BY source;

-- Followed. Whoever writes to the table has no rights in hftok.
CREATE TRIGGER follow AFTER INSERT OR DELETE OR UPDATE OF team_id, user_id, role ON regress_team.memberships
    FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id', 'role', 'editor=admin', 'invited=none');
CREATE TRIGGER follow_truncate BEFORE TRUNCATE ON regress_team.memberships
    FOR EACH STATEMENT EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
CREATE TRIGGER follow AFTER INSERT OR DELETE OR UPDATE ON regress_team.user_roles
    FOR EACH ROW EXECUTE FUNCTION hftok.follow_administrators('user_id', 'role', 'admin', 'super');
CREATE TRIGGER follow_truncate BEFORE TRUNCATE ON regress_team.user_roles
    FOR EACH STATEMENT EXECUTE FUNCTION hftok.follow_administrators('user_id', 'role', 'admin', 'super');
CREATE TRIGGER forget AFTER DELETE ON regress_team.users FOR EACH ROW EXECUTE FUNCTION hftok.forget_user_row();
CREATE TRIGGER forget_truncate BEFORE TRUNCATE ON regress_team.users FOR EACH STATEMENT EXECUTE FUNCTION hftok.forget_user_row('id');
RESET ROLE;
SELECT (hftok.save_hf_token('hf_00000000000000000000000000000000a2', p_user_id => regress_team.u(2)::text)).version;
SET ROLE regress_clerk;
INSERT INTO regress_team.memberships (team_id, user_id, role) SELECT 3, regress_team.u(n), 'editor' FROM generate_series(6, 8) n;
INSERT INTO regress_team.memberships (team_id, user_id, role) VALUES (3, regress_team.u(9), 'invited'), (3, NULL, 'owner');
RESET ROLE;
SELECT * FROM pg_temp.members();
SET ROLE regress_clerk;
-- Another role, another team, no role any more; an invitation that is taken. Then a rollback.
UPDATE regress_team.memberships SET role = 'owner' WHERE team_id = 3 AND user_id = regress_team.u(6);
UPDATE regress_team.memberships SET team_id = 2 WHERE team_id = 3 AND user_id = regress_team.u(7);
UPDATE regress_team.memberships SET role = 'invited' WHERE team_id = 3 AND user_id = regress_team.u(8);
UPDATE regress_team.memberships SET role = 'member' WHERE team_id = 3 AND user_id = regress_team.u(9);
BEGIN;
DELETE FROM regress_team.memberships;
ROLLBACK;
-- The last owner goes, because the table says so.
DELETE FROM regress_team.memberships WHERE team_id = 1 AND user_id = regress_team.u(1);
RESET ROLE;
SELECT * FROM pg_temp.members();
SET ROLE regress_clerk;
INSERT INTO regress_team.user_roles VALUES (regress_team.u(5), 'ADMIN'), (regress_team.u(6), 'moderator');
UPDATE regress_team.user_roles SET role = 'nothing' WHERE user_id = regress_team.u(1);
UPDATE regress_team.user_roles SET role = 'super' WHERE user_id = regress_team.u(6);
DELETE FROM regress_team.user_roles WHERE user_id IN (regress_team.u(2), regress_team.u(3));
RESET ROLE;
SELECT * FROM pg_temp.administrators();
-- Nor does it matter whether hftok is sealed, or what somebody says of themselves.
SELECT hftok.seal();
SET ROLE regress_clerk;
SET request.jwt.claims = '{"sub": "somebody", "role": "service_role"}';
INSERT INTO regress_team.memberships (team_id, user_id, role) VALUES (2, regress_team.u(8), 'owner');
DELETE FROM regress_team.memberships WHERE team_id = 2 AND user_id = regress_team.u(7);
RESET request.jwt.claims;
RESET ROLE;
SELECT key_ids FROM hftok.unseal();
SELECT * FROM pg_temp.members() WHERE org = '2';
SELECT failed FROM hftok.verify() WHERE kind = 'total';
-- A user who is deleted takes along what they have, through the cascade too.
SET ROLE regress_clerk;
DELETE FROM regress_team.users WHERE id IN (regress_team.u(2), regress_team.u(6));
RESET ROLE;
SELECT * FROM pg_temp.members();
SELECT * FROM pg_temp.administrators();
SELECT count(*) AS credentials FROM hftok.credentials WHERE scope_id = regress_team.u(2)::text;
-- TRUNCATE takes away what the table gave, and not what was given otherwise.
SELECT hftok.add_member('3', 'by hand'), hftok.grant_administrator('aaaaaaaa by hand');
SELECT (hftok.save_hf_token('hf_00000000000000000000000000000000a3', p_user_id => regress_team.u(3)::text)).version;
SET ROLE regress_clerk;
TRUNCATE regress_team.memberships, regress_team.user_roles;
RESET ROLE;
SELECT * FROM pg_temp.members();
SELECT * FROM pg_temp.administrators();
SELECT count(*) AS credentials FROM hftok.credentials WHERE scope_id = regress_team.u(3)::text;
SET ROLE regress_clerk;
TRUNCATE regress_team.users CASCADE;
RESET ROLE;
SELECT count(*) AS credentials FROM hftok.credentials WHERE scope_id = regress_team.u(3)::text;
SELECT hftok.remove_member('3', 'by hand'), hftok.revoke_administrator('aaaaaaaa by hand');

-- Each is an event under the name of whoever wrote.
CALL pg_temp.await_audit();
SELECT e.action, e.role_name, e.level, e.outcome, sum(e.count) AS count FROM hftok.audit_events e
WHERE e.action ~ '(follow|forget|members|administrator)' AND e.role_name IN ('regress_clerk', 'regress_operator') AND (e.subject LIKE 'aaaaaaaa%' OR e.owner_id LIKE 'aaaaaaaa%')
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;

-- Triggers that cannot follow say so.
SET ROLE regress_operator;
CREATE TABLE pg_temp.wrong (org text, usr text, role text);
CREATE TRIGGER wrong BEFORE INSERT ON pg_temp.wrong FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('org', 'usr');
INSERT INTO pg_temp.wrong VALUES ('3', 'x', 'member');
DROP TRIGGER wrong ON pg_temp.wrong;
CREATE TRIGGER wrong AFTER INSERT ON pg_temp.wrong FOR EACH STATEMENT EXECUTE FUNCTION hftok.follow_members('org', 'usr');
INSERT INTO pg_temp.wrong VALUES ('3', 'x', 'member');
DROP TRIGGER wrong ON pg_temp.wrong;
CREATE TRIGGER wrong AFTER TRUNCATE ON pg_temp.wrong FOR EACH STATEMENT EXECUTE FUNCTION hftok.follow_members('org', 'usr');
TRUNCATE pg_temp.wrong;
DROP TRIGGER wrong ON pg_temp.wrong;
CREATE TRIGGER wrong AFTER INSERT ON pg_temp.wrong FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('org');
INSERT INTO pg_temp.wrong VALUES ('3', 'x', 'member');
DROP TRIGGER wrong ON pg_temp.wrong;
CREATE TRIGGER wrong AFTER INSERT ON pg_temp.wrong FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('org', 'user');
INSERT INTO pg_temp.wrong VALUES ('3', 'x', 'member');
DROP TRIGGER wrong ON pg_temp.wrong;
CREATE TRIGGER wrong AFTER INSERT ON pg_temp.wrong FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('org', 'usr', 'role', 'viewer');
INSERT INTO pg_temp.wrong VALUES ('3', 'x', 'member');
DROP TRIGGER wrong ON pg_temp.wrong;
CREATE TRIGGER wrong AFTER INSERT ON pg_temp.wrong FOR EACH ROW EXECUTE FUNCTION hftok.follow_administrators();
INSERT INTO pg_temp.wrong VALUES ('3', 'x', 'member');
DROP TRIGGER wrong ON pg_temp.wrong;
CREATE TRIGGER wrong AFTER INSERT ON pg_temp.wrong FOR EACH ROW EXECUTE FUNCTION hftok.forget_user_row('usr');
INSERT INTO pg_temp.wrong VALUES ('3', 'x', 'member');
DROP TRIGGER wrong ON pg_temp.wrong;
SELECT hftok.follow_members();
-- Nobody becomes a role of the database by a name of their choice, and a text that is no name is nobody's.
CREATE TRIGGER right_one AFTER INSERT OR UPDATE OR DELETE ON pg_temp.wrong FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('org', 'usr', 'role');
INSERT INTO pg_temp.wrong VALUES ('3', 'role:postgres', 'owner'), ('role:x', 'y', 'owner'), ('3', ' ', 'owner'), ('3', E'a\nb', 'owner'), ('3', repeat('x', 2000), 'owner');
SELECT * FROM pg_temp.members();
DROP TABLE pg_temp.wrong;
RESET ROLE;

-- No cast, function or policy of the table's owner runs as anybody else.
SET ROLE regress_app;
CREATE TYPE regress_team.sly AS ENUM ('1', '2');
CREATE TABLE regress_team.trace (as_whom text);
GRANT INSERT ON regress_team.trace TO PUBLIC;
CREATE FUNCTION regress_team.cast(regress_team.sly) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO regress_team.trace VALUES (current_user); RETURN '1'; END $$;
CREATE FUNCTION regress_team.cast_json(regress_team.sly) RETURNS json LANGUAGE plpgsql AS $$ BEGIN INSERT INTO regress_team.trace VALUES (current_user); RETURN '1'; END $$;
CREATE CAST (regress_team.sly AS text) WITH FUNCTION regress_team.cast AS IMPLICIT;
CREATE CAST (regress_team.sly AS json) WITH FUNCTION regress_team.cast_json;
CREATE TABLE regress_team.sly_members (team_id regress_team.sly, user_id text);
GRANT SELECT, INSERT, TRIGGER, TRUNCATE ON regress_team.sly_members TO regress_operator;
RESET ROLE;
SET ROLE regress_operator;
CREATE TRIGGER follow AFTER INSERT ON regress_team.sly_members FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
CREATE TRIGGER follow_truncate BEFORE TRUNCATE ON regress_team.sly_members FOR EACH STATEMENT EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
INSERT INTO regress_team.sly_members VALUES ('2', 'sly');
CALL hftok.import_members('regress_team.sly_members', 'team_id', 'user_id');
SELECT * FROM pg_temp.members();
TRUNCATE regress_team.sly_members;
SELECT * FROM pg_temp.members();
RESET ROLE;
SELECT * FROM regress_team.trace;
-- Nor a function in a view of theirs.
SET ROLE regress_app;
CREATE VIEW regress_team.sly_view AS SELECT '3'::text AS team_id, current_user::text || ' ' || set_config('regress.sly', 'left', false) AS user_id;
GRANT SELECT ON regress_team.sly_view TO regress_operator;
SET ROLE regress_operator;
CALL hftok.import_members('regress_team.sly_view', 'team_id', 'user_id');
RESET ROLE;
SELECT m.user_id FROM hftok.members m WHERE m.org_id = '3';
SELECT current_setting('regress.sly', true) AS left_behind, hftok.remove_member('3', 'regress_app left') AS removed;
-- Rows that a policy may hide: TRUNCATE would leave their members behind, so it is refused.
SET ROLE regress_app;
INSERT INTO regress_team.sly_members VALUES ('2', 'hidden');
ALTER TABLE regress_team.sly_members ENABLE ROW LEVEL SECURITY;
RESET ROLE;
SET ROLE regress_operator;
TRUNCATE regress_team.sly_members;
CALL hftok.import_members('regress_team.sly_members', 'team_id', 'user_id');
RESET ROLE;
SELECT * FROM pg_temp.members();

-- The same of a superuser's table, which is read as whoever calls.
CREATE TABLE regress_team.trusted_members (team_id int, user_id text);
GRANT SELECT, TRUNCATE ON regress_team.trusted_members TO regress_clerk;
CREATE TRIGGER follow AFTER INSERT ON regress_team.trusted_members FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
CREATE TRIGGER follow_truncate BEFORE TRUNCATE ON regress_team.trusted_members FOR EACH STATEMENT EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
INSERT INTO regress_team.trusted_members VALUES (1, 'trusted');
ALTER TABLE regress_team.trusted_members ENABLE ROW LEVEL SECURITY;
SET ROLE regress_clerk;
TRUNCATE regress_team.trusted_members;
RESET ROLE;
SELECT * FROM pg_temp.members();
-- Parts of a table, whose columns are in another order; and what is not a member any more is gone with the last of them.
CREATE TABLE regress_team.parted (team_id int, user_id text) PARTITION BY LIST (team_id);
CREATE TABLE regress_team.part (user_id text, gone int, team_id int);
ALTER TABLE regress_team.part DROP COLUMN gone;
ALTER TABLE regress_team.parted ATTACH PARTITION regress_team.part FOR VALUES IN (3);
CREATE TRIGGER follow AFTER INSERT OR UPDATE OR DELETE ON regress_team.parted FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
CREATE TRIGGER follow_truncate BEFORE TRUNCATE ON regress_team.parted FOR EACH STATEMENT EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
INSERT INTO regress_team.parted VALUES (3, 'parted a'), (3, 'parted b');
UPDATE regress_team.parted SET user_id = 'parted c' WHERE user_id = 'parted a';
SELECT * FROM pg_temp.members();
TRUNCATE regress_team.parted;
TRUNCATE regress_team.trusted_members;

-- Several rows that say the same: the membership stays as long as one of them does, with the highest role.
SET ROLE regress_clerk;
INSERT INTO regress_team.users SELECT regress_team.u(n) FROM generate_series(5, 7) n;
INSERT INTO regress_team.memberships (team_id, user_id, role) VALUES (3, regress_team.u(7), 'member'), (3, regress_team.u(7), 'owner'), (3, regress_team.u(7), 'editor');
DELETE FROM regress_team.memberships WHERE role = 'owner';
RESET ROLE;
SELECT * FROM pg_temp.members();
SET ROLE regress_clerk;
UPDATE regress_team.memberships SET role = 'invited' WHERE role = 'editor';
RESET ROLE;
SELECT * FROM pg_temp.members();
SET ROLE regress_clerk;
UPDATE regress_team.memberships SET team_id = 2 WHERE role = 'member';
RESET ROLE;
SELECT * FROM pg_temp.members();
SET ROLE regress_clerk;
INSERT INTO regress_team.memberships (team_id, user_id, role) VALUES (2, regress_team.u(7), 'member');
DELETE FROM regress_team.memberships;
INSERT INTO regress_team.user_roles VALUES (regress_team.u(5), 'admin'), (regress_team.u(5), 'super'), (regress_team.u(6), 'super'), (regress_team.u(6), 'moderator');
DELETE FROM regress_team.user_roles WHERE role IN ('admin', 'moderator');
RESET ROLE;
SELECT * FROM pg_temp.members();
SELECT * FROM pg_temp.administrators();
SET ROLE regress_clerk;
DELETE FROM regress_team.user_roles;
RESET ROLE;
SELECT * FROM pg_temp.administrators();
-- Whoever writes need not be able to read the table, and row security hides no row from hftok; but nothing is run as a superuser.
SET ROLE regress_app;
CREATE TABLE regress_team.hidden (team_id int, user_id text);
ALTER TABLE regress_team.hidden ENABLE ROW LEVEL SECURITY;
CREATE POLICY one ON regress_team.hidden TO regress_clerk USING (user_id = 'hidden ' || current_setting('regress.who', true));
GRANT DELETE, SELECT ON regress_team.hidden TO regress_clerk;
GRANT SELECT, TRIGGER ON regress_team.hidden TO regress_operator;
SET ROLE regress_operator;
CREATE TRIGGER follow AFTER INSERT OR UPDATE OR DELETE ON regress_team.hidden FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
SET ROLE regress_app;
INSERT INTO regress_team.hidden SELECT 3, 'hidden a' FROM generate_series(1, 4);
RESET ROLE;
SET regress.who = 'a';
SET ROLE regress_clerk;
DELETE FROM regress_team.hidden WHERE ctid = '(0,4)';
RESET ROLE;
SELECT * FROM pg_temp.members();
SET ROLE regress_clerk;
DECLARE reading CURSOR WITH HOLD FOR SELECT 1;
DELETE FROM regress_team.hidden WHERE ctid = '(0,1)';
RESET ROLE;
SELECT * FROM pg_temp.members();
CLOSE reading;
SELECT hftok.add_member('3', 'hidden a');
SET ROLE regress_clerk;
DELETE FROM regress_team.hidden WHERE ctid = '(0,2)';
RESET ROLE;
SELECT * FROM pg_temp.members();
ALTER TABLE regress_team.hidden OWNER TO CURRENT_USER;
INSERT INTO regress_team.hidden VALUES (3, 'hidden a');
SET ROLE regress_clerk;
DELETE FROM regress_team.hidden WHERE ctid = '(0,3)';
RESET ROLE;
SELECT * FROM pg_temp.members();
-- TRUNCATE of a table without those that inherit from it, and of one of these.
CREATE TABLE regress_team.base (team_id int, user_id text);
CREATE TABLE regress_team.heir () INHERITS (regress_team.base);
CREATE TRIGGER follow AFTER INSERT OR UPDATE OR DELETE ON regress_team.base FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
CREATE TRIGGER follow AFTER INSERT OR UPDATE OR DELETE ON regress_team.heir FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
CREATE TRIGGER follow_truncate BEFORE TRUNCATE ON regress_team.base FOR EACH STATEMENT EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
INSERT INTO regress_team.base VALUES (3, 'base a'), (3, 'both');
INSERT INTO regress_team.heir VALUES (3, 'heir a'), (3, 'both');
TRUNCATE ONLY regress_team.base;
SELECT * FROM pg_temp.members();
INSERT INTO regress_team.base VALUES (3, 'base a');
TRUNCATE regress_team.base;
SELECT * FROM pg_temp.members();
CREATE TRIGGER follow_truncate BEFORE TRUNCATE ON regress_team.part FOR EACH STATEMENT EXECUTE FUNCTION hftok.follow_members('team_id', 'user_id');
CREATE TABLE regress_team.rest PARTITION OF regress_team.parted DEFAULT;
INSERT INTO regress_team.parted VALUES (3, 'parted a'), (3, 'parted b'), (2, 'parted a');
TRUNCATE regress_team.part;
SELECT * FROM pg_temp.members();
TRUNCATE regress_team.parted;
SELECT * FROM pg_temp.members();
-- A row that goes to another partition goes nowhere.
CREATE TABLE regress_team.spread (id text, shard int, team_id int DEFAULT 3) PARTITION BY LIST (shard);
CREATE TABLE regress_team.shard_1 PARTITION OF regress_team.spread FOR VALUES IN (1);
CREATE TABLE regress_team.shard_2 PARTITION OF regress_team.spread FOR VALUES IN (2);
CREATE TRIGGER follow AFTER INSERT OR UPDATE OR DELETE ON regress_team.spread FOR EACH ROW EXECUTE FUNCTION hftok.follow_members('team_id', 'id');
CREATE TRIGGER forget AFTER DELETE ON regress_team.spread FOR EACH ROW EXECUTE FUNCTION hftok.forget_user_row();
INSERT INTO regress_team.spread VALUES ('spread a', 1);
SELECT version FROM hftok.save_hf_token('hf_00000000000000000000000000000000a4', p_user_id => 'spread a');
UPDATE regress_team.spread SET shard = 2;
SELECT * FROM pg_temp.members();
SELECT count(*) AS credentials FROM hftok.credentials WHERE scope_id = 'spread a';
DELETE FROM regress_team.spread;
SELECT * FROM pg_temp.members();
SELECT count(*) AS credentials FROM hftok.credentials WHERE scope_id = 'spread a';

SET client_min_messages = warning;
SET ROLE regress_app;
TRUNCATE regress_team.sly_members;
RESET ROLE;
SELECT * FROM pg_temp.members();
DROP SCHEMA regress_team CASCADE;
DELETE FROM hftok_private.import_sources WHERE source LIKE 'regress_team%';
DROP ROLE regress_operator, regress_app, regress_clerk;
