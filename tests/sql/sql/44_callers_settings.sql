-- A session's settings for its own statements do not change those of hftok: how texts are read, and when names are quoted.

\set VERBOSITY terse
SET client_min_messages = warning;
CREATE TABLE regress_moved (k int PRIMARY KEY, v text, u text);
INSERT INTO regress_moved VALUES (1, 'sss', 'u1'), (2, E' \t ', 'u2'),
    (3, 'Bearer hf_abcdefghijklmnopqrstuvwxyzABCDEFGH', 'u3');

-- Before anything is read: what a session has read once stays as it was read.
\c
\set VERBOSITY terse
SET client_min_messages = warning;
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SET quote_all_identifiers = on;
CALL hftok.import_column('regress_moved', 'v', 'k', 'huggingface', p_owner_column => 'u', p_dry_run => true);
SELECT source, key, outcome, reason FROM hftok.import_report WHERE source ~ 'regress_moved' ORDER BY source, key;
SELECT reason FROM hftok.verify() WHERE kind = 'total';
SHOW standard_conforming_strings;
SHOW quote_all_identifiers;

RESET standard_conforming_strings;
RESET quote_all_identifiers;
DELETE FROM hftok_private.import_rows WHERE source ~ 'regress_moved';
DELETE FROM hftok_private.import_sources WHERE source ~ 'regress_moved';
DROP TABLE regress_moved;
