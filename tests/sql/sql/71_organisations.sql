-- Organisations and the application's administrators, and what is one's own: who may see and change what.

\i tests/sql/include/credentials.sql
SELECT count(hftok.save_credential('openai', 'sk-proj-global00000000000005', p_global => true, p_model => model)) AS globals FROM unnest('{"",gpt}'::text[]) model;
SELECT count(hftok.save_hf_token('hf_00000000000000000000000000000000a9', p_global => true)) AS global;
SELECT count(hftok.save_hf_token('hf_00000000000000000000000000000000a7', p_user_id => '6F9619FF-8B86-D011-B42D-00C04FC964FF')) AS of_uuid;

-- Organisations, set up by the backend; then changed by owners and admins, each of them as far as they may.
SET SESSION AUTHORIZATION authenticator;
SET ROLE regress_service_role;
SELECT hftok.add_member('club', 'olga', 'owner');
SELECT hftok.add_member('club', 'adam', 'admin'), hftok.add_member('club', 'mia');
SELECT hftok.add_member('club', 'olga', 'member');
SELECT hftok.remove_member('club', 'olga');
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "olga", "role": "regress_authenticated"}';
SELECT hftok.whoami();
SELECT user_id, role FROM hftok.members ORDER BY user_id;
SELECT hftok.add_member('club', 'olga', 'admin');
SELECT hftok.remove_member('club', 'olga');
SELECT hftok.add_member('club', 'otto', 'owner');
SELECT hftok.add_member('club', 'otto', 'boss');
SELECT hftok.add_member('club', 'otto', NULL);
SELECT hftok.add_member(NULL, 'otto');
SELECT hftok.add_member('club', '');
SELECT hftok.add_member('other club', 'olga', 'owner');
SELECT hftok.remove_member('club', 'nobody');
SET request.jwt.claims = '{"sub": "adam"}';
SELECT hftok.add_member('club', 'mike'), hftok.add_member('club', 'anna', 'admin');
SELECT hftok.add_member('club', 'adam', 'owner');
SELECT hftok.add_member('club', 'mike', 'owner');
SELECT hftok.add_member('club', 'olga', 'member');
SELECT hftok.remove_member('club', 'otto');
SELECT hftok.remove_member('club', 'anna');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-club0000000000000001', p_org_id => 'club');
SELECT scope, scope_id, writable FROM hftok.credentials;
UPDATE hftok.credentials SET label = 'by the admin';
SET request.jwt.claims = '{"sub": "mia"}';
SELECT user_id, role FROM hftok.members ORDER BY user_id;
SELECT hftok.add_member('club', 'mia', 'admin');
SELECT hftok.add_member('club', 'max');
SELECT hftok.remove_member('club', 'mike');
SELECT hftok.save_credential('openai', 'sk-proj-club0000000000000002', p_org_id => 'club');
SELECT hftok.delete_credential('openai', p_org_id => 'club');
SELECT scope, scope_id, label, preview, writable FROM hftok.credentials;
UPDATE hftok.credentials SET label = 'by a member';
DELETE FROM hftok.credentials;
SELECT level, outcome, preview FROM hftok.explain_token('openai', p_org_id => 'club') WHERE level = 'org';
SELECT hftok.remove_member('club', 'mia');
SELECT count(*) AS members FROM hftok.members;
SELECT count(*) AS credentials FROM hftok.credentials;
SELECT hftok.explain_token('openai', p_org_id => 'club');
SELECT hftok.add_member('club', 'mia');
SELECT hftok.remove_member('club', 'mia');
SELECT hftok.save_credential('openai', 'sk-proj-club0000000000000002', p_org_id => 'club');
SELECT hftok.delete_credential('openai', p_org_id => 'club');
-- One of two owners may go, the last may not.
SET request.jwt.claims = '{"sub": "otto"}';
SELECT hftok.add_member('club', 'olga', 'member');
SELECT hftok.remove_member('club', 'otto');
SELECT user_id, role FROM hftok.members ORDER BY user_id;
SELECT hftok.add_member('club', 'olga', 'owner'), hftok.remove_member('club', 'otto');
SELECT count(*) AS members FROM hftok.members;
-- The backend acts for the one it names, and for nobody beyond: an organisation serves its members.
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT (hftok.resolve_token('openai', 'adam', 'club')).source, (hftok.resolve_token('openai', NULL, 'club')).source, (hftok.resolve_token('openai', 'adam')).source;
SELECT hftok.resolve_token('openai', 'mia', 'club');
SELECT token, source FROM hftok.resolve_token('openai', 'mia');
SELECT * FROM hftok.forget_org('club');
SELECT * FROM hftok.forget_org('club');
SELECT count(*) AS members FROM hftok.members;

-- Administrators of the application: global credentials, seen and written.
SELECT hftok.grant_administrator('alice');
SELECT hftok.grant_administrator('alice');
SELECT hftok.grant_administrator('');
SELECT hftok.grant_administrator(NULL);
SELECT user_id FROM hftok.administrators;
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT user_id FROM hftok.administrators;
SELECT version FROM hftok.save_credential('openai', 'sk-proj-global00000000000007', p_global => true);
SELECT provider, scope, scope_id, model, version, writable FROM hftok.credentials ORDER BY provider, model;
UPDATE hftok.credentials SET label = 'by the administrator' WHERE provider = 'openai' AND model = '';
SELECT level, outcome, secret_id IS NOT NULL AS id, preview FROM hftok.explain_token('openai');
SELECT hftok.grant_administrator('bob');
SET request.jwt.claims = '{"sub": "bob"}';
SELECT count(*) AS administrators FROM hftok.administrators;
SELECT count(*) AS credentials FROM hftok.credentials;
SELECT hftok.save_credential('openai', 'sk-proj-global00000000000008', p_global => true);
SELECT hftok.delete_credential('openai', p_global => true);
SELECT level, outcome, secret_id IS NOT NULL AS id, preview, detail FROM hftok.explain_token('openai');
SET ROLE regress_service_role;
RESET request.jwt.claims;
SELECT hftok.revoke_administrator('alice'), hftok.revoke_administrator('alice');
SET ROLE regress_authenticated;
SET request.jwt.claims = '{"sub": "alice"}';
SELECT hftok.save_credential('openai', 'sk-proj-global00000000000009', p_global => true);
SELECT count(*) AS credentials FROM hftok.credentials;

-- One's own, and nobody else's: what is another's is answered like what is not there.
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000001');
SELECT version FROM hftok.save_credential('openai', 'sk-proj-alice000000000000002', p_user_id => 'alice', p_expires_at => now() + interval '1 day');
SET request.jwt.claims = '{"sub": "bob"}';
SELECT count(*) AS credentials FROM hftok.credentials;
SELECT count(*) AS expiring FROM hftok.expiring_credentials;
SELECT hftok.save_credential('openai', 'sk-proj-bob00000000000000001', p_user_id => 'alice');
SELECT hftok.save_credential('openai', 'sk-proj-bob00000000000000001', p_user_id => 'nobody');
SELECT hftok.delete_credential('openai', p_user_id => 'alice'), hftok.delete_credential('openai', p_user_id => 'nobody');
UPDATE hftok.credentials SET label = 'by bob' RETURNING scope_id;
DELETE FROM hftok.credentials RETURNING scope_id;
SELECT hftok.explain_token('openai', 'alice');
SELECT hftok.token_provided('openai', 'alice');
-- Claims that are no identity: nothing is seen, nothing is done.
SET request.jwt.claims = '{"sub": "role:postgres"}';
SELECT hftok.whoami();
SELECT count(*) AS credentials FROM hftok.credentials;
SELECT hftok.save_credential('openai', 'sk-proj-bob00000000000000001');
SET request.jwt.claims = '{"sub": ""}';
SELECT hftok.whoami();
SET request.jwt.claims = '{"role": "regress_authenticated"}';
SELECT hftok.whoami();
SET request.jwt.claims = '{"sub": ["alice"]}';
SELECT hftok.whoami();
SET request.jwt.claims = 'not json';
SELECT hftok.whoami();
SELECT count(*) AS credentials FROM hftok.credentials;
SET request.jwt.claims = '{"sub": "6F9619FF-8B86-D011-B42D-00C04FC964FF"}';
SELECT hftok.whoami();
SELECT provider, scope_id, preview FROM hftok.credentials;
RESET request.jwt.claims;
RESET SESSION AUTHORIZATION;
-- Claims under another login: an error, not another identity; and no view shows anything by them.
SET request.jwt.claims = '{"sub": "alice"}';
SET ROLE regress_authenticated;
SELECT hftok.whoami();
SELECT count(*) FROM hftok.credentials;
RESET ROLE;
RESET request.jwt.claims;
SELECT scope_id, version, label FROM hftok.credentials WHERE scope_id = 'alice';
SELECT * FROM hftok.forget_user('alice');

DELETE FROM hftok.credentials;
\i tests/sql/include/gateway_end.sql
