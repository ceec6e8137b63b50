-- README names what is there: each call with parameters that it has, each setting and view; and each call that anybody may make
-- is in README or in docs/.

\set VERBOSITY terse
\encoding UTF8
\set readme `cat README.md`
\set docs `cat docs/*.md`
-- Calls in backquotes, as `name(parameter, …)`. A parameter may have a default behind =>.
CREATE TEMP TABLE named AS
SELECT m[1] AS name, nullif(trim(p), '') AS parameter
FROM regexp_matches(:'readme', '`(?:hftok\.)?([a-z_]+)\(([^()`]*)\)`', 'g') m, regexp_split_to_table(m[2], '\s*,\s*') p;
SELECT count(DISTINCT name) > 40 AS many, count(parameter) > 50 AS parameters FROM named;
SELECT DISTINCT n.name AS no_such_call FROM named n
WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'hftok'::regnamespace AND p.proname = n.name) ORDER BY 1;
SELECT n.name, n.parameter AS no_such_parameter FROM named n
WHERE n.parameter ~ '^[a-z_]+$' AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'hftok'::regnamespace AND p.proname = n.name
    AND n.parameter = ANY (p.proargnames)) ORDER BY 1, 2;
-- Every other qualified name: a view, a type or a setting; and the mark of a seal, a file.
SELECT DISTINCT m[1] AS no_such_name FROM regexp_matches(:'readme', '\mhftok\.([a-z_]+)', 'g') m
WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'hftok'::regnamespace AND p.proname = m[1])
AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'hftok'::regnamespace AND c.relname = m[1])
AND NOT EXISTS (SELECT FROM pg_settings s WHERE s.name = 'hftok.' || m[1]) AND m[1] <> 'sealed' ORDER BY 1;
SELECT s.name AS setting_not_in_readme FROM pg_settings s WHERE s.name LIKE 'hftok.%' AND position(s.name IN :'readme') = 0 ORDER BY 1;
-- Calls and views of a group that no document names.
SELECT DISTINCT p.proname AS not_in_documents FROM pg_proc p, unnest('{hftok_user,hftok_service,hftok_admin,hftok_auditor}'::name[]) r (role)
WHERE p.pronamespace = 'hftok'::regnamespace AND p.prorettype <> 'trigger'::regtype AND has_function_privilege(r.role, p.oid, 'EXECUTE')
AND :'readme' || :'docs' !~ ('\m' || p.proname || '\M') ORDER BY 1;
SELECT DISTINCT c.relname AS not_in_documents FROM pg_class c, unnest('{hftok_user,hftok_service,hftok_admin,hftok_auditor}'::name[]) r (role)
WHERE c.relnamespace = 'hftok'::regnamespace AND c.relkind = 'v' AND has_table_privilege(r.role, c.oid, 'SELECT')
AND :'readme' || :'docs' !~ ('\m' || c.relname || '\M') ORDER BY 1;
-- A COMMENT names no call of ours that is not there.
SELECT DISTINCT m[1] AS no_such_call_in_a_comment FROM pg_description d, regexp_matches(d.description, '\m(?:hftok\.)?([a-z_]+_[a-z_]+)\(\)', 'g') m
WHERE d.description ~ '\(\)' AND (d.objoid IN (SELECT oid FROM pg_proc WHERE pronamespace IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^hftok'))
    OR d.objoid IN (SELECT oid FROM pg_class WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^hftok')))
AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.proname = m[1]) ORDER BY 1;
