-- The audit as it is read, verified and purged.

-- What is asked for is looked for before a row is made of it, so a search costs little where little is found.
CREATE OR REPLACE FUNCTION hftok_private.unpacked(
    p_last_id bigint, p_count int, p_body bytea,
    p_kind text DEFAULT NULL, p_who text DEFAULT NULL, p_object_id uuid DEFAULT NULL, p_role text DEFAULT NULL
) RETURNS SETOF hftok_private.audit_event
    LANGUAGE c STABLE PARALLEL SAFE SECURITY INVOKER ROWS 256 AS 'MODULE_PATHNAME', 'hftok_unpacked';
COMMENT ON FUNCTION hftok_private.unpacked IS 'The events of a bundle, or those of a kind, of somebody, about an object or by a role.';
CREATE OR REPLACE FUNCTION hftok_private.may_hold(p_filter_key bytea, p_filter bytea, p_sort text, p_value text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_may_hold';
COMMENT ON FUNCTION hftok_private.may_hold IS 'Whether a bundle may hold somebody (who), an object, a role or a kind. A hint: false is certain.';
-- Dear, so that Postgres shares it out among parallel workers.
CREATE OR REPLACE FUNCTION hftok_private.tile_of_bundle(p_body bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SECURITY INVOKER COST 100000 AS 'MODULE_PATHNAME', 'hftok_tile_of_bundle';
COMMENT ON FUNCTION hftok_private.tile_of_bundle IS
    'The root of the tree over the events of a bundle, then the number of those that were not protected (2 bytes); NULL unless they fill a tile.';

CREATE OR REPLACE VIEW hftok_private.audit_of_rows WITH (security_barrier) AS
    SELECT a.id, a.at, a.role_name, a.outer_role, a.login_role, a.actor_user, a.kind, a.action, a.object_id, a.version,
        a.owner_scope, a.owner_id, a.provider, a.level, a.subject, a.outcome, a.count, a.protected, a.client_addr,
        a.application_name, a.request_id,
        pg_catalog.encode(a.digest, 'hex') AS digest, pg_catalog.encode(a.chain_hash, 'hex') AS chain_hash
    FROM hftok_private.audit a;
COMMENT ON VIEW hftok_private.audit_of_rows IS 'The events that have a row each.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.audit_of_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE VIEW hftok_private.audit_rows WITH (security_barrier) AS
    SELECT a.* FROM hftok_private.audit_of_rows a
    WHERE hftok_private.sees_all('{hftok_owner,hftok_admin,hftok_auditor}', true)
    UNION ALL
    SELECT e.* FROM hftok_private.audit_bundles b, LATERAL hftok_private.unpacked(b.last_id, b.count, b.body) e
    WHERE hftok_private.sees_all('{hftok_owner,hftok_admin,hftok_auditor}', true);
COMMENT ON VIEW hftok_private.audit_rows IS 'The audit, for who sees all of it.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok_private.audit_rows
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

-- Conditions that the view cannot push into a bundle. Without settings of its own and with its names bound here, the function becomes part of
-- the statement that calls it, whose plan is for the values at hand: what is NULL costs nothing, and indexes serve the rest.
-- RESTRICTED, though all of it is safe: so Postgres looks at each part of it, also at policies that a DBA adds to the tables.
CREATE OR REPLACE FUNCTION hftok_private.events_found(
    p_from timestamptz, p_to timestamptz, p_who text, p_object_id uuid, p_role text, p_kind text
) RETURNS SETOF hftok_private.audit_event
    LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY INVOKER
    BEGIN ATOMIC
        SELECT a.* FROM hftok_private.audit_of_rows a
        WHERE (p_from IS NULL OR a.at >= p_from) AND (p_to IS NULL OR a.at < p_to) AND (p_kind IS NULL OR a.kind = p_kind)
        AND (p_object_id IS NULL OR a.object_id = p_object_id OR a.subject = p_object_id::text)
        AND (p_who IS NULL OR a.actor_user = p_who OR a.owner_id = p_who OR a.subject = p_who)
        AND (p_role IS NULL OR p_role IN (a.role_name, a.outer_role, a.login_role))
        UNION ALL
        SELECT e.* FROM hftok_private.audit_bundles b,
            LATERAL hftok_private.unpacked(b.last_id, b.count, b.body, p_kind, p_who, p_object_id, p_role) e
        WHERE (p_from IS NULL OR b.last_at >= p_from) AND (p_to IS NULL OR b.first_at < p_to)
        AND (p_kind IS NULL OR hftok_private.may_hold(b.filter_key, b.filter, 'kind', p_kind))
        AND (p_who IS NULL OR hftok_private.may_hold(b.filter_key, b.filter, 'who', p_who))
        AND (p_object_id IS NULL OR hftok_private.may_hold(b.filter_key, b.filter, 'object', p_object_id::text))
        AND (p_role IS NULL OR hftok_private.may_hold(b.filter_key, b.filter, 'role', p_role))
        AND (p_from IS NULL OR e.at >= p_from) AND (p_to IS NULL OR e.at < p_to);
    END;
COMMENT ON FUNCTION hftok_private.events_found IS 'The events between two times, of somebody, about an object, by a role, of a kind.';
-- The same from the newest on. Each part comes in the order of its index and stops early, so it reads the table: the planner looks for no
-- order behind a security_barrier.
CREATE OR REPLACE FUNCTION hftok_private.newest_events_found(
    p_from timestamptz, p_to timestamptz, p_who text, p_object_id uuid, p_role text, p_kind text, p_newest int
) RETURNS SETOF hftok_private.audit_event
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER
    BEGIN ATOMIC
        SELECT f.* FROM (
            (SELECT a.id, a.at, a.role_name, a.outer_role, a.login_role, a.actor_user, a.kind, a.action, a.object_id, a.version,
                a.owner_scope, a.owner_id, a.provider, a.level, a.subject, a.outcome, a.count, a.protected, a.client_addr,
                a.application_name, a.request_id, pg_catalog.encode(a.digest, 'hex'), pg_catalog.encode(a.chain_hash, 'hex')
            FROM hftok_private.audit a
            WHERE (p_from IS NULL OR a.at >= p_from) AND (p_to IS NULL OR a.at < p_to) AND (p_kind IS NULL OR a.kind = p_kind)
            AND (p_object_id IS NULL OR a.object_id = p_object_id OR a.subject = p_object_id::text)
            AND (p_who IS NULL OR a.actor_user = p_who OR a.owner_id = p_who OR a.subject = p_who)
            AND (p_role IS NULL OR p_role IN (a.role_name, a.outer_role, a.login_role))
            ORDER BY a.id DESC LIMIT p_newest)
            UNION ALL
            (SELECT e.* FROM hftok_private.audit_bundles b,
                LATERAL hftok_private.unpacked(b.last_id, b.count, b.body, p_kind, p_who, p_object_id, p_role) e
            WHERE (p_from IS NULL OR b.last_at >= p_from) AND (p_to IS NULL OR b.first_at < p_to)
            AND (p_kind IS NULL OR hftok_private.may_hold(b.filter_key, b.filter, 'kind', p_kind))
            AND (p_who IS NULL OR hftok_private.may_hold(b.filter_key, b.filter, 'who', p_who))
            AND (p_object_id IS NULL OR hftok_private.may_hold(b.filter_key, b.filter, 'object', p_object_id::text))
            AND (p_role IS NULL OR hftok_private.may_hold(b.filter_key, b.filter, 'role', p_role))
            AND (p_from IS NULL OR e.at >= p_from) AND (p_to IS NULL OR e.at < p_to)
            ORDER BY b.last_id DESC, e.id DESC LIMIT p_newest)
        ) f ORDER BY f.id DESC LIMIT p_newest;
    END;
COMMENT ON FUNCTION hftok_private.newest_events_found IS 'The newest events between two times, of somebody, about an object, by a role, of a kind.';

-- A user's events are found by indexes, and in bundles by their filters; whose they are is looked at again in each event.
CREATE OR REPLACE FUNCTION hftok_private.audit_events_of(p_user text) RETURNS SETOF hftok_private.audit_rows
    LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY INVOKER
    BEGIN ATOMIC
        -- From where others came is not for a user whose secret they used, nor which global credential it was.
        SELECT a.id, a.at, a.role_name, CASE WHEN o.is_own THEN a.outer_role END, CASE WHEN o.is_own THEN a.login_role END,
            a.actor_user, a.kind, a.action, CASE WHEN o.is_shown THEN a.object_id END, CASE WHEN o.is_shown THEN a.version END,
            a.owner_scope, a.owner_id, a.provider, a.level, a.subject, a.outcome, a.count, a.protected,
            CASE WHEN o.is_own THEN a.client_addr END, CASE WHEN o.is_own THEN a.application_name END,
            CASE WHEN o.is_own THEN a.request_id END, a.digest,
            -- A hash over all of it, without a key: whoever has it finds what is kept back by trying.
            CASE WHEN o.is_own AND o.is_shown THEN a.chain_hash END
        FROM (
                SELECT r.*, true AS as_user FROM hftok_private.audit_of_rows r
                WHERE r.actor_user = p_user OR r.subject = p_user OR r.owner_id = p_user
                UNION ALL
                SELECT r.*, false FROM hftok_private.members m, hftok_private.audit_of_rows r
                WHERE m.user_id = p_user AND m.role IN ('owner', 'admin') AND r.owner_id = m.org_id
                UNION ALL
                -- Once through the bundles for the user, who comes first, and all their organisations.
                SELECT e.*, w.place = 1 FROM hftok_private.audit_bundles b,
                    unnest(p_user || ARRAY(SELECT m.org_id FROM hftok_private.members m WHERE m.user_id = p_user AND m.role IN ('owner', 'admin')))
                        WITH ORDINALITY w (who, place),
                    LATERAL hftok_private.unpacked(b.last_id, b.count, b.body, NULL, w.who) e
                WHERE hftok_private.may_hold(b.filter_key, b.filter, 'who', w.who) AND (w.place = 1 OR e.owner_id = w.who)
            ) a,
            LATERAL (SELECT coalesce(a.actor_user = p_user, false) AS is_own, a.owner_scope IS DISTINCT FROM 'global' AS is_shown) o
        WHERE CASE WHEN a.as_user
            THEN a.actor_user = p_user OR a.subject = p_user OR a.owner_scope IN ('user', 'integration') AND a.owner_id = p_user
            -- Events that name the user are told once.
            ELSE a.owner_scope IN ('org', 'org_integration') AND a.actor_user IS DISTINCT FROM p_user AND a.subject IS DISTINCT FROM p_user END;
    END;
COMMENT ON FUNCTION hftok_private.audit_events_of IS
    'What a user did, what was done with what is theirs, and with what is of organisations whose owner or admin they are.';
CREATE OR REPLACE FUNCTION hftok_private.visible_audit_events() RETURNS SETOF hftok_private.audit_rows
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 1000 AS 'MODULE_PATHNAME', 'hftok_visible_audit_events';
COMMENT ON FUNCTION hftok_private.visible_audit_events IS 'The events that the caller sees as a user or an administrator of the application.';

CREATE OR REPLACE VIEW hftok.audit_events WITH (security_barrier) AS
    SELECT a.* FROM hftok_private.audit_rows a
    UNION ALL
    SELECT a.* FROM hftok_private.visible_audit_events() a WHERE NOT hftok_private.sees_all('{hftok_owner,hftok_admin,hftok_auditor}', true);
COMMENT ON VIEW hftok.audit_events IS
    'Events of the audit: what was done, by whom, from where. A user sees what they did and what was done with what is theirs; an owner or admin of an organisation also what was done with what is the organisation''s. In a long audit find_audit_events() is faster than a condition. Newest events may be missing for as long as hftok.audit_flush_interval.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.audit_events
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();

CREATE OR REPLACE FUNCTION hftok.find_audit_events(
    p_from timestamptz DEFAULT NULL, p_to timestamptz DEFAULT NULL, p_user text DEFAULT NULL, p_object_id uuid DEFAULT NULL,
    p_role text DEFAULT NULL, p_kind text DEFAULT NULL, p_newest int DEFAULT NULL
) RETURNS SETOF hftok.audit_events
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 1000 AS 'MODULE_PATHNAME', 'hftok_find_audit_events';
COMMENT ON FUNCTION hftok.find_audit_events IS
    'The events that view audit_events shows to an auditor, between two times, of one user, about one object, by one role, of one kind: fast in an audit of any length, because what cannot hold such an event is not read. p_newest: no more than so many, the newest first.';

CREATE OR REPLACE FUNCTION hftok_private.events_counted(
    p_from timestamptz, p_to timestamptz, p_seconds int, p_who text, p_object_id uuid, p_role text, p_kind text
) RETURNS TABLE (at timestamptz, kind text, events bigint)
    LANGUAGE sql STABLE PARALLEL RESTRICTED SECURITY INVOKER
    BEGIN ATOMIC
        SELECT pg_catalog.date_bin(pg_catalog.make_interval(secs => p_seconds), e.at, p_from), e.kind,
            least(sum(e.count), 9223372036854775807)::bigint
        FROM hftok_private.events_found(p_from, p_to, p_who, p_object_id, p_role, p_kind) e GROUP BY 1, 2 ORDER BY 1, 2;
    END;
COMMENT ON FUNCTION hftok_private.events_counted IS 'The number of events by kind in each stretch of so many seconds from p_from on.';
CREATE OR REPLACE FUNCTION hftok.audit_activity(
    p_from timestamptz, p_to timestamptz DEFAULT NULL, p_seconds int DEFAULT 86400, p_user text DEFAULT NULL, p_object_id uuid DEFAULT NULL,
    p_role text DEFAULT NULL, p_kind text DEFAULT NULL
) RETURNS TABLE (at timestamptz, kind text, events bigint)
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 100 AS 'MODULE_PATHNAME', 'hftok_audit_activity';
COMMENT ON FUNCTION hftok.audit_activity IS
    'The number of events that find_audit_events() finds, by their kind, in each stretch of p_seconds from p_from on; none for a stretch without events. at is when a stretch begins.';

CREATE OR REPLACE FUNCTION hftok.verify_audit(p_from bigint DEFAULT NULL, p_to bigint DEFAULT NULL, p_head text DEFAULT NULL)
    RETURNS hftok.verified_audit
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_verify_audit';
COMMENT ON FUNCTION hftok.verify_audit IS
    'Holds the events from p_from to p_to against the tree, and the tree against the newest checkpoint that hftok has signed and against p_head, which audit_head() gave earlier. ok is NULL when there was nothing to check. That the newest events were cut off is noticed by the server that wrote them, and after its next start only with p_head.';

CREATE OR REPLACE FUNCTION hftok.audit_head() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_audit_head';
COMMENT ON FUNCTION hftok.audit_head IS 'The newest checkpoint: how many events there are and the root of their tree, signed. To be kept outside the database, and given to verify_audit() or audit_consistency(). NULL before the first event.';

CREATE OR REPLACE FUNCTION hftok.audit_public_key() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_audit_public_key';
COMMENT ON FUNCTION hftok.audit_public_key IS 'The key that checkpoints and proofs are checked with, without hftok (docs/audit-format.md). NULL before the first event.';

CREATE OR REPLACE FUNCTION hftok.audit_proof(p_id bigint) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_audit_proof';
COMMENT ON FUNCTION hftok.audit_proof IS 'One event with the proof that it is in the log: whoever has audit_public_key() sees it without the others.';

CREATE OR REPLACE FUNCTION hftok.audit_consistency(p_head text) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_audit_consistency';
COMMENT ON FUNCTION hftok.audit_consistency IS 'The proof that the log has only grown since p_head, which audit_head() gave earlier.';

CREATE OR REPLACE FUNCTION hftok.audit_tiles(p_from bigint DEFAULT 0) RETURNS TABLE (path text, content bytea)
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 1000 AS 'MODULE_PATHNAME', 'hftok_audit_tiles';
COMMENT ON FUNCTION hftok.audit_tiles IS 'The log as files that others verify without hftok (docs/audit-format.md), from those that cover event p_from on. Events that were purged have no entries.';

CREATE OR REPLACE FUNCTION hftok.purge_audit(p_before timestamptz) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_purge_audit';
COMMENT ON FUNCTION hftok.purge_audit IS
    'Removes events that are older than p_before, 256 at a time, if they verify; the hashes above them stay, so the rest and every older checkpoint still verify. Says how many they were.';

CREATE OR REPLACE FUNCTION hftok_private.record_verify() RETURNS boolean
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_record_verify';
COMMENT ON FUNCTION hftok_private.record_verify IS 'Has everything written that is to be, and the audit tell that verify() was called.';

CREATE OR REPLACE FUNCTION hftok_private.pending_event(p_event bytea, p_protection bytea, p_transaction bigint) RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_pending_event';
COMMENT ON FUNCTION hftok_private.pending_event IS 'An event that is not written yet, as JSON; NULL unless it is protected for the transaction that put it there.';

CREATE OR REPLACE FUNCTION hftok_private.audit_state() RETURNS text
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_audit_state';
COMMENT ON FUNCTION hftok_private.audit_state IS 'How the audit of this database is doing, as JSON.';

-- A transaction that took only a RowShareLock has locked rows. A prepared transaction has the virtual id of the session that made it, until
-- the server is started again; the lock on its own number says which it is.
CREATE OR REPLACE FUNCTION hftok_private.audit_holders(p_writer int) RETURNS TABLE (name text, mode text, holder text, remedy text)
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH locks AS (SELECT l.* FROM pg_locks l WHERE l.granted)
    SELECT DISTINCT c.relname::text, l.mode,
        CASE WHEN l.pid IS NULL THEN format('prepared transaction %L', p.gid)
            ELSE concat('process ', l.pid, ' of role ' || quote_ident(a.usename)) END,
        CASE WHEN l.pid IS NULL THEN format('ROLLBACK PREPARED %L', p.gid)
            ELSE format('pg_terminate_backend(%s)', l.pid) END
    FROM locks l JOIN pg_class c ON c.oid = l.relation
    LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    LEFT JOIN (
        SELECT x.virtualtransaction, t.gid FROM locks x JOIN pg_prepared_xacts t ON t.transaction = x.transactionid
        WHERE x.locktype = 'transactionid' AND x.pid IS NULL
    ) p ON l.pid IS NULL AND p.virtualtransaction = l.virtualtransaction
    WHERE l.locktype = 'relation' AND l.pid IS DISTINCT FROM p_writer
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND c.relnamespace = 'hftok_private'::regnamespace
    AND c.relname IN ('audit', 'audit_bundles', 'audit_nodes', 'audit_checkpoints', 'audit_pending')
    -- One that has ended since the locks were read.
    AND (l.pid IS NOT NULL OR p.gid IS NOT NULL)
$$;
COMMENT ON FUNCTION hftok_private.audit_holders IS 'Sessions and prepared transactions with locks on the tables of the audit, but not its writer, each with how to end it.';

-- Asked only when the writer is held up, so it may name a session that only might be the one.
CREATE OR REPLACE FUNCTION hftok_private.audit_trouble(p_writer int) RETURNS text
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    WITH held AS (
        SELECT h.*, h.mode NOT IN ('RowExclusiveLock', 'RowShareLock') AS is_shut FROM hftok_private.audit_holders(p_writer) h
        -- The writer itself wants a RowExclusiveLock. Whoever has one may have written the number that comes next, and whoever has a
        -- RowShareLock may have locked a row that the writer is to move.
        WHERE h.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
        OR h.mode IN ('RowExclusiveLock', 'RowShareLock') AND h.name <> 'audit_pending'
    )
    SELECT string_agg(t.told, '; ') FROM (
        SELECT format('%s holds %s on hftok_private.%s until its transaction ends (%s)', h.holder, h.mode, h.name, h.remedy) AS told
        FROM held h WHERE h.is_shut
        UNION ALL
        SELECT format('%s has %s hftok_private.%s in a transaction that is open (%s)', h.holder,
            CASE h.mode WHEN 'RowShareLock' THEN 'locked rows of' ELSE 'written to' END, h.name, h.remedy)
        FROM held h WHERE NOT EXISTS (SELECT FROM held s WHERE s.is_shut)
        UNION ALL
        SELECT format('index %1$s on hftok_private.%2$s, which hftok did not make, refuses events (DROP INDEX %1$s)', x.indexrelid::regclass, o.relname)
        FROM pg_index x JOIN pg_class o ON o.oid = x.indrelid JOIN pg_class c ON c.oid = x.indexrelid
        WHERE o.relnamespace = 'hftok_private'::regnamespace
        AND o.relname IN ('audit', 'audit_bundles', 'audit_nodes', 'audit_checkpoints', 'audit_pending')
        AND NOT x.indisprimary AND (x.indisunique OR x.indisexclusion
            OR (x.indexprs IS NOT NULL OR x.indpred IS NOT NULL)
            AND c.relname NOT IN ('audit_changes', 'audit_actor', 'audit_owner', 'audit_subject'))
    ) t
$$;
COMMENT ON FUNCTION hftok_private.audit_trouble IS 'Sessions and indexes that keep the writer from its tables, each with the remedy; NULL when there are none.';

-- A writer passes over rows that are locked, and is not held up by them. A row that was never locked has no xmax: it is not late because of
-- anybody, and neither are those of the caller's own transaction.
CREATE OR REPLACE FUNCTION hftok_private.pending_trouble(p_writer int, p_age interval) RETURNS text
    LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
    SELECT string_agg(t.told, '; ') FROM (
        SELECT format('%s has %s hftok_private.audit_pending in a transaction that is open, and keeps events there (%s)', h.holder,
            CASE h.mode WHEN 'RowShareLock' THEN 'locked rows of' ELSE 'written to' END, h.remedy) AS told
        FROM hftok_private.audit_holders(p_writer) h
        WHERE h.name = 'audit_pending' AND h.mode IN ('RowShareLock', 'RowExclusiveLock')
        UNION ALL
        -- A trigger can leave a row where it is. The writer, which asks for any age, does not stay until somebody drops it.
        SELECT format('trigger %1$I on hftok_private.audit_pending, which hftok did not make, keeps events there '
            '(DROP TRIGGER %1$I ON hftok_private.audit_pending)', g.tgname)
        FROM pg_trigger g
        WHERE g.tgrelid = 'hftok_private.audit_pending'::regclass AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND p_age IS NOT NULL
    ) t
    WHERE EXISTS (
        SELECT FROM hftok_private.audit_pending p
        -- Asked by "at" in any case, so that its index is used: that passes over rows that are gone, of which there may be many before a vacuum.
        WHERE p.xmax <> '0' AND p.at <= coalesce(statement_timestamp() - p_age, 'infinity')
    )
$$;
COMMENT ON FUNCTION hftok_private.pending_trouble IS 'Sessions, prepared transactions and triggers that may keep events of some age, or any, from the writer, each with the remedy; NULL when no event is kept.';

-- The last event of each object: in the log, and after it among the events that are still to be written.
CREATE OR REPLACE VIEW hftok_private.changes WITH (security_barrier) AS
    SELECT a.id, NULL::timestamptz AS at, a.action = 'carried_over' AS is_carried, a.object_id, a.version, a.digest,
        a.owner_scope, a.owner_id, a.provider, a.level, a.subject, a.protected AS is_protected
    FROM hftok_private.audit a
    -- An unprotected event counts only where it tells of a deletion: that is believed, and told. Every other change is to be
    -- recorded again.
    WHERE a.kind = 'change' AND a.outcome = 'committed' AND (a.protected OR a.digest IS NULL AND a.level IS NULL)
    AND a.id > 0
    UNION ALL
    SELECT 9223372036854775807, p.at, e.event ->> 'action' = 'carried_over', (e.event ->> 'object_id')::uuid, (e.event ->> 'version')::int,
        pg_catalog.decode(e.event ->> 'digest', 'hex'), e.event ->> 'owner_scope', e.event ->> 'owner_id',
        e.event ->> 'provider', e.event ->> 'level', e.event ->> 'subject', true
    FROM hftok_private.audit_pending p,
        -- OFFSET 0: decoded once a row, not once a field.
        LATERAL (SELECT hftok_private.pending_event(p.event, p.protection, p.xmin::text::bigint)::jsonb -> 'hftok_audit' AS event OFFSET 0) e
    WHERE e.event ->> 'kind' = 'change' AND e.event ->> 'outcome' = 'committed';
COMMENT ON VIEW hftok_private.changes IS 'Every committed change that the audit tells of. Of what is still to be written only what is protected.';

-- For people who look after a server. The bundles are read and added up inside, because a row for each event costs twenty times as much.
CREATE OR REPLACE FUNCTION hftok_private.reveals(p_by_reader boolean)
    RETURNS TABLE (
        role_name text, actor_user text, application_name text, action text, object_id uuid, owner_scope text, owner_id text,
        provider text, reveals bigint, first_at timestamptz, last_at timestamptz, protected boolean
    )
    LANGUAGE c STABLE PARALLEL UNSAFE SECURITY INVOKER ROWS 1000 AS 'MODULE_PATHNAME', 'hftok_reveals';
COMMENT ON FUNCTION hftok_private.reveals IS
    'Reveals added up: those of the last day by reader, or all by application, for those who were granted recent_reveals or new_applications. Sums that work_mem does not hold at once are made one part after the other.';

CREATE OR REPLACE VIEW hftok.recent_reveals WITH (security_barrier) AS
    SELECT r.role_name, r.actor_user, r.application_name, r.action, r.object_id, r.owner_scope, r.owner_id, r.provider,
        r.reveals, r.first_at, r.last_at, r.protected
    FROM hftok_private.reveals(true) r;
COMMENT ON VIEW hftok.recent_reveals IS 'Values that were read in the last day, and their readers. An unprotected event may have been made up by somebody who can write to the tables.';

CREATE OR REPLACE VIEW hftok.refusals_by_role WITH (security_barrier) AS
    SELECT a.role_name, a.login_role, a.action, a.outcome, least(sum(a.count), 9223372036854775807)::bigint AS refusals,
        count(DISTINCT a.actor_user) AS users, min(a.at) AS first_at, max(a.at) AS last_at, a.protected
    FROM hftok_private.audit_bundles b, LATERAL hftok_private.unpacked(b.last_id, b.count, b.body, 'refusal') a
    WHERE hftok_private.may_hold(b.filter_key, b.filter, 'kind', 'refusal')
    GROUP BY a.role_name, a.login_role, a.action, a.outcome, a.protected;
COMMENT ON VIEW hftok.refusals_by_role IS 'Refusals by role, with the reason of each. An unprotected event may have been made up by somebody who can write to the tables.';

-- With the reader's privileges: row security hides all of it from a role that may read every table. So no other view reads it.
CREATE OR REPLACE VIEW hftok_private.counted_uses WITH (security_invoker) AS
    SELECT u.secret_id, u.use_count, u.last_used_at
    FROM hftok_private.use_counts c, unnest(c.secret_ids, c.counts, c.last_used) AS u (secret_id, use_count, last_used_at);
COMMENT ON VIEW hftok_private.counted_uses IS 'How often each secret was handed out, and when last: a secret a row.';

CREATE OR REPLACE VIEW hftok.unused_secrets WITH (security_barrier) AS
    SELECT s.id AS secret_id, s.scope, s.scope_id, s.provider, s.model, nullif(s.name, '') AS name, s.label, s.created_at
    FROM hftok_private.secrets s
    WHERE NOT EXISTS (
        SELECT FROM hftok_private.use_counts c, unnest(c.secret_ids) AS u (secret_id) WHERE u.secret_id = s.id
    )
    AND NOT EXISTS (SELECT FROM hftok_private.secret_usage u WHERE u.secret_id = s.id AND u.use_count > 0);
COMMENT ON VIEW hftok.unused_secrets IS 'Secrets that nobody ever read.';

CREATE OR REPLACE VIEW hftok.new_applications WITH (security_barrier) AS
    WITH used AS (
        SELECT r.object_id, r.application_name, r.protected, r.first_at, r.reveals
        FROM hftok_private.reveals(false) r WHERE r.object_id IS NOT NULL
    )
    SELECT coalesce(i.secret_id, n.object_id) AS secret_id, s.scope, s.scope_id, s.provider, nullif(s.name, '') AS name, n.application_name,
        n.first_at, n.reveals, n.protected
    FROM used n LEFT JOIN hftok_private.integrations i ON i.id = n.object_id
    LEFT JOIN hftok_private.secrets s ON s.id = coalesce(i.secret_id, n.object_id)
    WHERE n.first_at > pg_catalog.now() - interval '7 days'
    AND EXISTS (
        SELECT FROM used f
        WHERE f.object_id = n.object_id AND f.first_at < n.first_at AND f.protected
        AND f.application_name IS DISTINCT FROM n.application_name
    );
COMMENT ON VIEW hftok.new_applications IS
    'Secrets that were read in the last week by an application that had not read them before, while another had.';
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.recent_reveals
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.refusals_by_role
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.unused_secrets
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
CREATE OR REPLACE TRIGGER refuse_write INSTEAD OF INSERT OR UPDATE OR DELETE ON hftok.new_applications
    FOR EACH ROW EXECUTE FUNCTION hftok_private.refuse_view_write();
