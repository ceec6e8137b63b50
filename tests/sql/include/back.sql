\set ECHO none
-- Back from the session of another role, to that of the role that the variable me names.
\c - :me
SET timezone = 'UTC';
SET client_min_messages = warning;
\i tests/sql/include/await.sql
