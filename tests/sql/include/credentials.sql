\set ECHO none
-- Included at the head of the files about credentials: their session, the users of a gateway, and refusal().
\set VERBOSITY terse
\encoding UTF8
SET timezone = 'UTC';
\i tests/sql/include/await.sql
\set ECHO none
\i tests/sql/include/gateway.sql
\set ECHO none
RESET client_min_messages;
\i tests/sql/include/refusal.sql
