\set ECHO none
-- Nothing of gateway.sql is left. What other files made for these roles is dropped by them.
SET client_min_messages = error;
SELECT hftok.disable_rpc('regress_authenticated', 'regress_service_role', 'authenticator') AS disabled \gset
DROP ROLE regress_authenticated, regress_service_role;
\if :no_gateway
DROP ROLE authenticator;
\endif
\set ECHO all
