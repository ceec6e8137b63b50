\set ECHO none
-- End users come like this: the login of a gateway, and the two roles that it switches to. gateway_end.sql takes them away.
\i tests/sql/include/gateway_login.sql
\set ECHO none
DROP ROLE IF EXISTS regress_authenticated, regress_service_role;
CREATE ROLE regress_authenticated NOLOGIN NOINHERIT;
CREATE ROLE regress_service_role NOLOGIN NOINHERIT;
GRANT regress_authenticated, regress_service_role TO authenticator;
SELECT hftok.enable_rpc('regress_authenticated', 'regress_service_role', 'authenticator') AS enabled \gset
\set ECHO all
