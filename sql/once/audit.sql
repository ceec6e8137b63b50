-- The audit: what was done. Changes and the audit's own events are rows, reveals and refusals lie many in a row; all are leaves of one
-- tree, whose root is signed. Plain tables, because partitions of an extension's table do not survive a dump.

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
-- Users look for events that they caused or that are about what is theirs.
CREATE INDEX audit_actor ON hftok_private.audit (actor_user) WHERE actor_user IS NOT NULL;
CREATE INDEX audit_owner ON hftok_private.audit (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX audit_subject ON hftok_private.audit (subject) WHERE subject IS NOT NULL;
COMMENT ON TABLE hftok_private.audit IS 'Events that have a row each. Written by hftok''s writer only; a row that anybody else changes no longer fits.';
COMMENT ON COLUMN hftok_private.audit.id IS 'Counts from 1 without a gap, together with those in audit_bundles.';
COMMENT ON COLUMN hftok_private.audit.at IS 'When it was done.';
COMMENT ON COLUMN hftok_private.audit.kind IS 'reveal, change, refusal, key or audit.';
COMMENT ON COLUMN hftok_private.audit.action IS 'The function, view or operation.';
COMMENT ON COLUMN hftok_private.audit.outcome IS 'used; committed, rolled_back, prepared or unprotected; why it was refused; found or not_found of a comparison; done.';
COMMENT ON COLUMN hftok_private.audit.count IS 'The number of events that this one stands for.';
COMMENT ON COLUMN hftok_private.audit.protected IS 'False: it lay in audit_pending without a protection that fits, so whoever can write there may have made it up.';
COMMENT ON COLUMN hftok_private.audit.object_id IS 'The secret, or another object with an id. NULL where the event stands for several.';
COMMENT ON COLUMN hftok_private.audit.version IS 'Its version.';
COMMENT ON COLUMN hftok_private.audit.digest IS 'For a change, the state it left a secret in: NULL when the secret was deleted. For several secrets, SHA-256 over their ids in order.';
COMMENT ON COLUMN hftok_private.audit.owner_scope IS 'The kind of owner.';
COMMENT ON COLUMN hftok_private.audit.owner_id IS 'The owner.';
COMMENT ON COLUMN hftok_private.audit.provider IS 'The provider whose service the secret opens.';
COMMENT ON COLUMN hftok_private.audit.level IS 'The level of the walk; the role that a member got; the purpose of a key.';
COMMENT ON COLUMN hftok_private.audit.subject IS 'The user that a membership is about.';
COMMENT ON COLUMN hftok_private.audit.role_name IS 'The role whose privilege to make the call was used; oid <n> where PostgreSQL refused one whose name was not known.';
COMMENT ON COLUMN hftok_private.audit.outer_role IS 'The role that began the statement.';
COMMENT ON COLUMN hftok_private.audit.login_role IS 'The role that logged in.';
COMMENT ON COLUMN hftok_private.audit.actor_user IS 'The user of the application: the JWT''s, or the one that the backend named.';
COMMENT ON COLUMN hftok_private.audit.client_addr IS 'The address of the client; NULL on a Unix socket.';
COMMENT ON COLUMN hftok_private.audit.application_name IS 'The name that the client gives itself.';
COMMENT ON COLUMN hftok_private.audit.request_id IS 'The X-Request-Id of the HTTP request.';
COMMENT ON COLUMN hftok_private.audit.chain_hash IS 'Its leaf in the tree: a hash over this row (docs/audit-format.md).';

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

-- A search reads the filters in the main table; bodies lie outside, as they are.
CREATE TABLE hftok_private.audit_bundles (
    last_id bigint PRIMARY KEY,
    count int NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    filter_key bytea NOT NULL,
    filter bytea NOT NULL,
    body bytea NOT NULL,
    body_hash bytea NOT NULL,
    mac bytea NOT NULL
);
ALTER TABLE hftok_private.audit_bundles ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN filter SET STORAGE PLAIN;
CREATE INDEX audit_bundles_at ON hftok_private.audit_bundles USING brin (last_at);
COMMENT ON TABLE hftok_private.audit_bundles IS 'Events that lie many in a row: reveals and refusals. Written by hftok''s writer only.';
COMMENT ON COLUMN hftok_private.audit_bundles.last_id IS 'The number of its last event.';
COMMENT ON COLUMN hftok_private.audit_bundles.count IS 'The number of events; their numbers follow one another.';
COMMENT ON COLUMN hftok_private.audit_bundles.first_at IS 'The earliest time of an event.';
COMMENT ON COLUMN hftok_private.audit_bundles.last_at IS 'The latest time of an event.';
COMMENT ON COLUMN hftok_private.audit_bundles.filter_key IS 'The key of the filter, drawn for this bundle.';
COMMENT ON COLUMN hftok_private.audit_bundles.filter IS 'The people, objects, roles and kinds that may be in it (docs/audit-format.md).';
COMMENT ON COLUMN hftok_private.audit_bundles.body IS 'The events, as they are hashed.';
COMMENT ON COLUMN hftok_private.audit_bundles.body_hash IS 'SHA-256 of the body.';
COMMENT ON COLUMN hftok_private.audit_bundles.mac IS 'The id of the key that made it, then a keyed hash over the other columns.';

CREATE TABLE hftok_private.audit_nodes (
    height smallint,
    number bigint,
    hash bytea NOT NULL,
    PRIMARY KEY (height, number)
);
COMMENT ON TABLE hftok_private.audit_nodes IS 'Hashes of the tree over all events that outlive a purge: every eighth level.';
COMMENT ON COLUMN hftok_private.audit_nodes.height IS 'Levels below it: 8, 16 and so on. 0: the leaves of a tile that was purged.';
COMMENT ON COLUMN hftok_private.audit_nodes.number IS 'The number of its height that come before it; of leaves, of tiles.';
COMMENT ON COLUMN hftok_private.audit_nodes.hash IS 'The hash; of leaves, all 256 of a tile.';

-- The writer adds a row and changes none, so nobody who locks a row stops it.
CREATE TABLE hftok_private.audit_checkpoints (
    size bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    root bytea NOT NULL,
    key_id int NOT NULL,
    signature bytea NOT NULL
);
COMMENT ON TABLE hftok_private.audit_checkpoints IS 'Signed: the number of events, and the root of their tree. The newest counts.';
COMMENT ON COLUMN hftok_private.audit_checkpoints.size IS 'The number of events at that time.';
COMMENT ON COLUMN hftok_private.audit_checkpoints.at IS 'When it was signed.';
COMMENT ON COLUMN hftok_private.audit_checkpoints.root IS 'The root of their tree.';
COMMENT ON COLUMN hftok_private.audit_checkpoints.key_id IS 'The data key that signed it.';
COMMENT ON COLUMN hftok_private.audit_checkpoints.signature IS 'Ed25519, over the text that audit_head() gives.';

-- A row has the counts of up to 64 secrets, in the order of their ids: those from its first id up to that of the next row. A million
-- secrets that are counted at a time are then twenty thousand rows. Without foreign key: a transaction that holds a secret's row must
-- not stop the writer.
CREATE TABLE hftok_private.use_counts (
    first_id uuid PRIMARY KEY,
    secret_ids uuid[] NOT NULL,
    counts bigint[] NOT NULL,
    last_used timestamptz[] NOT NULL
)
-- A row that is counted up finds room beside itself, and lies in its page as a whole.
WITH (fillfactor = 50, toast_tuple_target = 4096);
COMMENT ON TABLE hftok_private.use_counts IS 'How often each secret was handed out, counted by the audit''s writer: many secrets a row.';
COMMENT ON COLUMN hftok_private.use_counts.first_id IS 'Secrets from this id on are in this row, or in none, up to that of the next row.';
COMMENT ON COLUMN hftok_private.use_counts.secret_ids IS 'The secrets, in order.';
COMMENT ON COLUMN hftok_private.use_counts.counts IS 'The number of times that each was handed out.';
COMMENT ON COLUMN hftok_private.use_counts.last_used IS 'When each was last handed out.';

-- Version 0.1.0 counted uses here, and its dumps bring counts, which the writer takes over: so the columns stay.
CREATE TABLE hftok_private.secret_usage (
    secret_id uuid PRIMARY KEY,
    use_count bigint NOT NULL DEFAULT 0,
    last_used_at timestamptz,
    expiry_told timestamptz
)
WITH (fillfactor = 70);
COMMENT ON TABLE hftok_private.secret_usage IS 'Ends of secrets that a notification has told; and counts of a dump of version 0.1.0, until the audit''s writer takes them over.';
COMMENT ON COLUMN hftok_private.secret_usage.secret_id IS 'The secret.';
COMMENT ON COLUMN hftok_private.secret_usage.use_count IS 'The number of times that it was handed out, to be added to those in use_counts.';
COMMENT ON COLUMN hftok_private.secret_usage.last_used_at IS 'When it was last handed out.';
COMMENT ON COLUMN hftok_private.secret_usage.expiry_told IS 'The end that a notification has told.';
CREATE INDEX secret_usage_counted ON hftok_private.secret_usage (secret_id) WHERE use_count > 0;

SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit_pending', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit_bundles', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit_nodes', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.audit_checkpoints', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.use_counts', '');
SELECT pg_catalog.pg_extension_config_dump('hftok_private.secret_usage', '');
