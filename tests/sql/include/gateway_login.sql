\set ECHO none
-- The login that hftok.gateways of this server lists, as PostgREST logs in. The variable no_gateway says that it was made here.
SET client_min_messages = warning;
SELECT to_regrole('authenticator') IS NULL AS no_gateway \gset
\if :no_gateway
CREATE ROLE authenticator LOGIN NOINHERIT;
\endif
\set ECHO all
