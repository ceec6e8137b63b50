\set ECHO none
-- Nothing of gateway.sql is left. Other files drop what they made for these roles themselves.
SET client_min_messages = error;
SELECT hftok.disable_rpc('regress_authenticated', 'regress_service_role', 'authenticator') AS disabled \gset
DROP ROLE regress_authenticated, regress_service_role;
\if :no_gateway
DROP ROLE authenticator;
\endif
\set ECHO all
