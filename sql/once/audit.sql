-- The audit: what was done, each row tied to the one before by a keyed hash. One plain table, because partitions of an
-- extension's table do not survive a dump.

CREATE TABLE hftok_private.audit (
    id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    count bigint NOT NULL,
    protected boolean NOT NULL,
    object_id uuid,
    version int,
    digest bytea,
    owner_scope text,
    owner_id text,
    provider text,
    level text,
    subject text,
    role_name text,
    outer_role text,
    login_role text,
    actor_user text,
    client_addr text,
    application_name text,
    request_id text,
    chain_hash bytea NOT NULL
);
-- Times follow the numbers nearly, so this costs next to nothing; and verify() looks for the newest change of each object.
CREATE INDEX audit_at ON hftok_private.audit USING brin (at);
CREATE INDEX audit_changes ON hftok_private.audit (object_id, id) WHERE kind = 'change';
-- Users look for changes that they made or that are about what is theirs.
CREATE INDEX audit_changes_actor ON hftok_private.audit (actor_user) WHERE kind = 'change' AND actor_user IS NOT NULL;
CREATE INDEX audit_changes_owner ON hftok_private.audit (owner_id) WHERE kind = 'change' AND owner_id IS NOT NULL;
CREATE INDEX audit_changes_subject ON hftok_private.audit (subject) WHERE kind = 'change' AND subject IS NOT NULL;
COMMENT ON TABLE hftok_private.audit IS 'What was done. Written by hftok''s writer only; a row that anybody else changes no longer fits.';
COMMENT ON COLUMN hftok_private.audit.id IS 'Counts from 1 without a gap.';
COMMENT ON COLUMN hftok_private.audit.at IS 'When it was done.';
COMMENT ON COLUMN hftok_private.audit.kind IS 'reveal, change, refusal, key or audit.';
COMMENT ON COLUMN hftok_private.audit.action IS 'The function, view or operation.';
COMMENT ON COLUMN hftok_private.audit.outcome IS 'used; committed, rolled_back, prepared or unprotected; why it was refused; found or not_found of a comparison; done.';
COMMENT ON COLUMN hftok_private.audit.count IS 'How many such events this one stands for.';
COMMENT ON COLUMN hftok_private.audit.protected IS 'False: it lay in audit_pending without a protection that fits, so whoever can write there may have made it up.';
COMMENT ON COLUMN hftok_private.audit.object_id IS 'The secret, or another object with an id. NULL where the event stands for several.';
COMMENT ON COLUMN hftok_private.audit.version IS 'Its version.';
COMMENT ON COLUMN hftok_private.audit.digest IS 'Of a change: the state it left a secret in, NULL when it was deleted. Of several secrets: SHA-256 over their ids in order.';
COMMENT ON COLUMN hftok_private.audit.owner_scope IS 'The kind of owner.';
COMMENT ON COLUMN hftok_private.audit.owner_id IS 'Which owner.';
COMMENT ON COLUMN hftok_private.audit.provider IS 'Whose service the secret opens.';
COMMENT ON COLUMN hftok_private.audit.level IS 'The level of the walk; the role that a member got; the purpose of a key.';
COMMENT ON COLUMN hftok_private.audit.subject IS 'The user that a membership is about.';
COMMENT ON COLUMN hftok_private.audit.role_name IS 'The role whose privilege to make the call was used; oid <n> where PostgreSQL refused one whose name was not known.';
COMMENT ON COLUMN hftok_private.audit.outer_role IS 'The role that began the statement.';
COMMENT ON COLUMN hftok_private.audit.login_role IS 'The role that logged in.';
COMMENT ON COLUMN hftok_private.audit.actor_user IS 'The user of the application: the JWT''s, or the one that the backend named.';
COMMENT ON COLUMN hftok_private.audit.client_addr IS 'The address of the client; NULL on a Unix socket.';
COMMENT ON COLUMN hftok_private.audit.application_name IS 'What the client calls itself.';
COMMENT ON COLUMN hftok_private.audit.request_id IS 'The X-Request-Id of the HTTP request.';
COMMENT ON COLUMN hftok_private.audit.chain_hash IS 'Which key made it, then a keyed hash over the one before and this row (docs/audit.md).';

-- No key and no sequence: a row lives until the writer has chained it, and both would collide on restore.
CREATE TABLE hftok_private.audit_pending (
    at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    event bytea NOT NULL,
    protection bytea
);
-- A publication of all tables must not stop the writer from deleting.
ALTER TABLE hftok_private.audit_pending REPLICA IDENTITY FULL;
CREATE INDEX audit_pending_at ON hftok_private.audit_pending (at);
COMMENT ON TABLE hftok_private.audit_pending IS 'Events that are to be chained: changes, in the transaction that made them, and whatever happened while hftok was sealed.';
COMMENT ON COLUMN hftok_private.audit_pending.at IS 'Their order.';
COMMENT ON COLUMN hftok_private.audit_pending.event IS 'The event, encoded.';
COMMENT ON COLUMN hftok_private.audit_pending.protection IS 'Keyed, over the event and the transaction that put it here; NULL where there was no key.';

CREATE TABLE hftok_private.audit_stub (
    id bigint PRIMARY KEY,
    chain_hash bytea NOT NULL,
    signature bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE hftok_private.audit_stub IS 'Where the audit begins, since everything before was purged.';
COMMENT ON COLUMN hftok_private.audit_stub.id IS 'The last event that was purged.';
COMMENT ON COLUMN hftok_private.audit_stub.chain_hash IS 'Its hash, which the first event that is left is tied to.';
COMMENT ON COLUMN hftok_private.audit_stub.signature IS 'Keyed, over both.';
COMMENT ON COLUMN hftok_private.audit_stub.created_at IS 'When it was purged.';

-- Without foreign key: a transaction that holds a secret's row must not stop the writer.
CREATE TABLE hftok_private.secret_usage (
    secret_id uuid PRIMARY KEY,
    use_count bigint NOT NULL DEFAULT 0,
    last_used_at timestamptz,
    expiry_told timestamptz
)
-- A row that is counted up finds room beside itself, and stays where the index says.
WITH (fillfactor = 70);
COMMENT ON TABLE hftok_private.secret_usage IS 'How often each secret was handed out, counted by the audit''s writer.';
COMMENT ON COLUMN hftok_private.secret_usage.secret_id IS 'The secret.';
COMMENT ON COLUMN hftok_private.secret_usage.use_count IS 'How often.';
COMMENT ON COLUMN hftok_private.secret_usage.last_used_at IS 'When last.';
COMMENT ON COLUMN hftok_private.secret_usage.expiry_told IS 'The end that a notification has told.';

SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit_pending', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit_stub', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.secret_usage', '');
