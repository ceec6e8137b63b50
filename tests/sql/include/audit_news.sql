-- Included by the files about the audit: events as a person reads them, without times, ids, hashes and names that differ from
-- server to server.
\set ECHO none

CREATE TEMP TABLE known (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TEMP TABLE seen (id bigint NOT NULL);
INSERT INTO seen VALUES (0);

-- Events since the last look, in the order of time: the numbers may differ where events reached the writer in two ways.
CREATE TEMP VIEW news AS
    SELECT e.kind, e.action, e.outcome, e.count AS n, CASE WHEN e.object_id IS NOT NULL THEN coalesce(k.name, '(another)') END AS object,
        CASE WHEN e.kind = 'key' AND e.version IS NOT NULL THEN '(key)' ELSE e.version::text END AS v, e.owner_scope AS scope, e.owner_id AS owner,
        e.provider, e.level, e.subject, CASE WHEN e.digest IS NOT NULL THEN length(e.digest) / 2 END AS digest,
        nullif(regexp_replace(e.role_name, '^' || current_user || '$', '(superuser)'), '') AS role,
        nullif(regexp_replace(e.login_role, '^' || current_user || '$', '(superuser)'), '') AS login,
        regexp_replace(e.actor_user, '^role:' || current_user || '$', 'role:(superuser)') AS actor, e.at
    FROM hftok.audit_events e LEFT JOIN known k ON k.id = e.object_id
    WHERE e.id > (SELECT s.id FROM seen s) ORDER BY e.at, e.id;

-- From here on.
CREATE PROCEDURE pg_temp.begin() LANGUAGE plpgsql AS $$
BEGIN
    CALL pg_temp.await_audit();
    UPDATE seen SET id = coalesce((SELECT max(e.id) FROM hftok.audit_events e), 0);
END
$$;
\set ECHO all
