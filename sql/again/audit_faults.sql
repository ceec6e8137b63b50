-- Faults that verify() finds by the audit: rows that were deleted, added, edited or put back whole.

-- A function for each kind of object. Each reads the newest event of every object, and compares it with the row; one that tells of a
-- deletion and was not protected is a row of kind "unprotected", whose reason audit_faults() gives.

CREATE OR REPLACE FUNCTION hftok_private.secret_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH newest AS (
        SELECT DISTINCT ON (c.object_id) c.object_id, c.version, c.digest, c.is_protected
        FROM hftok_private.changes c WHERE c.object_id IS NOT NULL AND c.subject IS NULL AND c.version IS NOT NULL
        -- An event that a purge told again is older than every event of a change that is still there itself.
        ORDER BY c.object_id, c.is_carried, c.id DESC, c.at DESC
    ), kept AS (
        -- The fields of a previous version are sealed or marked. Here it is seen whether all versions are there, and no others.
        SELECT v.secret_id, count(*) AS count, min(v.version) AS first, max(v.version) AS last
        FROM hftok_private.secret_versions v GROUP BY v.secret_id
    )
    SELECT 'secret', coalesce(s.id, n.object_id)::text, coalesce(s.version, n.version),
        CASE
            WHEN n.object_id IS NULL THEN 'the audit tells of no such secret'
            WHEN s.id IS NULL THEN 'it was deleted outside hftok'
            WHEN n.digest IS NULL THEN 'it was deleted, and put back outside hftok'
            WHEN s.version <> n.version THEN format('the audit tells of version %s', n.version)
            WHEN n.digest <> hftok_private.state_of(s)
                THEN 'what is said of it (switched on, position, hosts, end, verdict, label, history) was changed outside hftok'
            ELSE 'previous versions were deleted or put back outside hftok'
        END
    FROM hftok_private.secrets s FULL JOIN newest n ON n.object_id = s.id LEFT JOIN kept k ON k.secret_id = s.id
    WHERE CASE WHEN s.id IS NULL THEN n.digest IS NOT NULL
        ELSE n.digest IS NULL OR n.version <> s.version OR n.digest <> hftok_private.state_of(s)
            OR coalesce(k.count, 0) <> s.version - s.oldest_version OR k.first < s.oldest_version OR k.last >= s.version END
    UNION ALL
    SELECT 'unprotected', n.object_id::text, NULL, NULL FROM newest n WHERE NOT n.is_protected
$$;
COMMENT ON FUNCTION hftok_private.secret_faults IS 'Secrets that differ from what the audit tells of them.';

CREATE OR REPLACE FUNCTION hftok_private.integration_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH integration AS (
        -- Their credentials, which have versions, are among the secrets.
        SELECT DISTINCT ON (c.object_id) c.object_id, c.digest
        FROM hftok_private.changes c WHERE c.owner_scope IN ('integration', 'org_integration') AND c.subject IS NULL AND c.version IS NULL
        ORDER BY c.object_id, c.is_carried, c.id DESC, c.at DESC
    )
    SELECT 'integration', coalesce(i.id::text, s.id::text), NULL::int,
        CASE
            WHEN i.id IS NULL THEN 'it was deleted outside hftok: its credentials are left'
            WHEN n.object_id IS NULL THEN 'the audit tells of no such integration'
            WHEN n.digest IS NULL THEN 'it was deleted, and put back outside hftok'
            ELSE 'what is said of it (owner, name, switched on, status, config) was changed outside hftok'
        END
    FROM hftok_private.integrations i
    FULL JOIN (SELECT t.id FROM hftok_private.secrets t WHERE t.scope IN ('integration', 'org_integration')) s ON s.id = i.secret_id
    LEFT JOIN integration n ON n.object_id = i.id
    WHERE i.id IS NULL OR n.digest IS DISTINCT FROM hftok_private.state_of_integration(i)
$$;
COMMENT ON FUNCTION hftok_private.integration_faults IS 'Integrations that differ from what the audit tells of them; their credentials are among the secrets.';

CREATE OR REPLACE FUNCTION hftok_private.role_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH role AS (
        SELECT DISTINCT ON (c.owner_scope, c.owner_id, c.subject) c.owner_scope, c.owner_id, c.subject, c.level, c.is_protected
        FROM hftok_private.changes c WHERE c.subject IS NOT NULL AND c.object_id IS NULL
        ORDER BY c.owner_scope, c.owner_id, c.subject, c.is_carried, c.id DESC, c.at DESC
    )
    SELECT 'member', format('%s in %s', coalesce(m.user_id, r.subject), coalesce(m.org_id, r.owner_id)), NULL::int,
        format('the audit tells of the role %s, and not of %s', coalesce(r.level, 'none'), coalesce(m.role, 'none'))
    FROM hftok_private.members m
    FULL JOIN (SELECT * FROM role WHERE owner_scope = 'org') r ON r.owner_id = m.org_id AND r.subject = m.user_id
    WHERE m.role IS DISTINCT FROM r.level
    UNION ALL
    SELECT 'administrator', coalesce(a.user_id, r.subject), NULL,
        CASE WHEN a.user_id IS NULL THEN 'deleted outside hftok' ELSE 'added outside hftok' END
    FROM hftok_private.administrators a
    FULL JOIN (SELECT * FROM role WHERE owner_scope = 'global') r ON r.subject = a.user_id
    WHERE (a.user_id IS NULL) <> (r.level IS NULL)
    UNION ALL
    SELECT 'unprotected', concat_ws(' in ', r.subject, r.owner_id), NULL, NULL FROM role r WHERE NOT r.is_protected
$$;
COMMENT ON FUNCTION hftok_private.role_faults IS 'Members and administrators that differ from what the audit tells of them.';

CREATE OR REPLACE FUNCTION hftok_private.share_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH share AS (
        SELECT DISTINCT ON (c.object_id, c.owner_id) c.object_id, c.owner_id, c.level, c.is_protected
        FROM hftok_private.changes c
        -- An integration that was deleted is shared with nobody.
        WHERE c.subject IS NOT NULL AND c.object_id IN (SELECT i.id FROM hftok_private.integrations i)
        ORDER BY c.object_id, c.owner_id, c.is_carried, c.id DESC, c.at DESC
    )
    SELECT 'share', format('%s with %s', coalesce(s.integration_id, h.object_id), coalesce(s.org_id, h.owner_id)), NULL::int,
        CASE WHEN s.org_id IS NULL THEN 'deleted outside hftok' ELSE 'added outside hftok' END
    FROM hftok_private.integration_shares s
    FULL JOIN share h ON h.object_id = s.integration_id AND h.owner_id = s.org_id
    WHERE (s.org_id IS NULL) <> (h.level IS NULL)
    UNION ALL
    SELECT 'unprotected', format('%s with %s', h.object_id, h.owner_id), NULL, NULL FROM share h WHERE NOT h.is_protected
$$;
COMMENT ON FUNCTION hftok_private.share_faults IS 'Shares of integrations that differ from what the audit tells of them.';

CREATE OR REPLACE FUNCTION hftok_private.catalogue_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH provider AS (
        SELECT DISTINCT ON (c.provider) c.provider, c.digest, c.is_protected
        FROM hftok_private.changes c WHERE c.owner_scope = 'catalogue'
        ORDER BY c.provider, c.is_carried, c.id DESC, c.at DESC
    )
    SELECT 'provider', coalesce(p.id, r.provider), NULL::int,
        CASE
            WHEN r.provider IS NULL THEN 'the audit tells of no such provider'
            WHEN p.id IS NULL THEN 'it was deleted outside hftok'
            WHEN r.digest IS NULL THEN 'it was taken back, and put back outside hftok'
            ELSE 'it is not described as the audit tells'
        END
    FROM hftok_private.providers p FULL JOIN provider r ON r.provider = p.id
    WHERE CASE WHEN p.id IS NULL THEN r.digest IS NOT NULL
        ELSE r.digest IS DISTINCT FROM sha256(convert_to(p.definition, 'UTF8')) END
    UNION ALL
    SELECT 'unprotected', r.provider, NULL, NULL FROM provider r WHERE NOT r.is_protected
$$;
COMMENT ON FUNCTION hftok_private.catalogue_faults IS 'Registered providers that differ from what the audit tells of them.';

CREATE OR REPLACE FUNCTION hftok_private.runner_token_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH told AS (
        SELECT DISTINCT ON (c.object_id) c.object_id, c.digest
        FROM hftok_private.changes c
        WHERE c.object_id IN (SELECT t.id FROM hftok_private.runner_tokens t) AND c.version IS NULL AND c.subject IS NULL
        ORDER BY c.object_id, c.is_carried, c.id DESC, c.at DESC
    )
    -- One that is gone gives nothing to anybody.
    SELECT 'runner token', t.id::text, NULL::int,
        CASE
            WHEN n.object_id IS NULL THEN 'the audit tells of no such token'
            WHEN n.digest IS NULL THEN 'it was revoked, and put back outside hftok'
            ELSE 'it is not the one that the audit tells of'
        END
    FROM hftok_private.runner_tokens t LEFT JOIN told n ON n.object_id = t.id
    -- The digest of the event is the signature without the number of its key.
    WHERE t.revoked_at IS NULL AND n.digest IS DISTINCT FROM substr(t.signature, 5)
$$;
COMMENT ON FUNCTION hftok_private.runner_token_faults IS 'Tokens of workers that differ from what the audit tells of them.';

CREATE OR REPLACE FUNCTION hftok_private.audit_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    -- VOLATILE: sees what the writer chained since the statement began. The parts are STABLE, so that they see the same.
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    SELECT f.kind, f.id, f.version,
        -- Believed, because a server that was restarted while hftok was sealed has no better word for it.
        CASE f.kind WHEN 'unprotected'
            THEN 'its deletion is told by an event that was not protected: somebody who can write to the tables may have made it up'
            ELSE f.reason END
    FROM (
        SELECT * FROM hftok_private.secret_faults()
        UNION ALL
        SELECT * FROM hftok_private.integration_faults()
        UNION ALL
        SELECT * FROM hftok_private.role_faults()
        UNION ALL
        SELECT * FROM hftok_private.share_faults()
        UNION ALL
        SELECT * FROM hftok_private.catalogue_faults()
        UNION ALL
        SELECT * FROM hftok_private.runner_token_faults()
    ) f
$$;
COMMENT ON FUNCTION hftok_private.audit_faults IS 'Rows that differ from what the audit tells of them.';

-- Masks are made from the secrets, so these are what they are held against.
CREATE OR REPLACE FUNCTION hftok_private.mask_faults() RETURNS TABLE (kind text, id text, version int, reason text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    SELECT 'mask', format('%s of %s', coalesce(k.service, s.provider), coalesce(k.user_id, s.scope_id)), NULL::int,
        CASE
            WHEN s.id IS NULL THEN 'there is no key that it stands for'
            WHEN k.user_id IS NULL THEN 'it is missing'
            ELSE 'it stands for another key than is stored'
        END
    FROM hftok_private.user_api_keys k
    FULL JOIN (SELECT * FROM hftok_private.secrets t WHERE t.scope = 'user' AND t.model = '' AND t.slot = '') s
        ON s.scope_id = k.user_id AND s.provider = k.service
    WHERE s.id IS NULL OR k.user_id IS NULL OR (k.id, k.api_key) IS DISTINCT FROM (s.id, s.preview)
$$;
COMMENT ON FUNCTION hftok_private.mask_faults IS 'Masks that are not those of the keys that are stored.';
