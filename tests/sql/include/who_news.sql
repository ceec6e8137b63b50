-- Included by the file about who called: the events since the last look, with a name for the superuser that every server has.
\set ECHO none
CREATE TEMP TABLE seen (id bigint);
GRANT SELECT, INSERT ON seen TO PUBLIC;

CREATE FUNCTION pg_temp.news() RETURNS TABLE (action text, outcome text, role text, outer_role text, actor text)
LANGUAGE plpgsql AS $$
DECLARE
    last bigint := coalesce((SELECT max(s.id) FROM seen s), 0);
BEGIN
    RETURN QUERY
    SELECT a.action, a.outcome, r.name, o.name, CASE WHEN a.actor_user = 'role:' || a.role_name THEN 'role:' || r.name ELSE a.actor_user END
    FROM hftok_private.audit_rows a,
        LATERAL (SELECT CASE WHEN EXISTS (SELECT FROM pg_roles p WHERE p.rolname = a.role_name AND p.rolsuper)
            THEN '(superuser)' ELSE a.role_name END) r (name),
        LATERAL (SELECT CASE WHEN EXISTS (SELECT FROM pg_roles p WHERE p.rolname = a.outer_role AND p.rolsuper)
            THEN '(superuser)' ELSE a.outer_role END) o (name)
    WHERE a.id > last AND (a.kind <> 'key' OR a.action = 'unseal') ORDER BY a.at, a.id;
    INSERT INTO seen SELECT max(a.id) FROM hftok_private.audit_rows a;
END
$$;
\set ECHO all
