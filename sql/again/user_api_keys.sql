-- user_api_keys: the keys of users as a table that clients insert and upsert into. It holds masks; the keys are
-- secrets like all others. provider_secrets is a second view of it (provider_secrets.sql).
--
-- An upsert shows its new row to BEFORE INSERT, and hands what that leaves on to DO UPDATE. So the key must be sealed and
-- replaced by its mask there, but must not be stored yet: with DO NOTHING it never is. In between, the sealed value waits in
-- the session's memory for the end of the statement.

CREATE OR REPLACE FUNCTION hftok_private.stage_api_key(p_user_id text, p_service text, p_api_key text) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_stage_api_key';
COMMENT ON FUNCTION hftok_private.stage_api_key IS 'Seals a key, keeps it for the end of the statement, and gives its mask.';
CREATE OR REPLACE FUNCTION hftok_private.staged_id(p_user_id text, p_service text) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_staged_id';
COMMENT ON FUNCTION hftok_private.staged_id IS 'The id that the secret of a key that is kept will have, if there is none yet.';
CREATE OR REPLACE FUNCTION hftok_private.save_staged(p_user_id text, p_service text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_save_staged';
COMMENT ON FUNCTION hftok_private.save_staged IS 'Stores the key that is kept for this user and provider; false when there is none.';
CREATE OR REPLACE FUNCTION hftok_private.clear_staged() RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_clear_staged';
COMMENT ON FUNCTION hftok_private.clear_staged IS 'Forgets keys that a statement before this one kept and did not store.';

CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_statement_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    PERFORM hftok_private.clear_staged();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION hftok_private.user_api_keys_statement_as_owner IS 'The work of user_api_keys_statement(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_statement() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_user_api_keys_statement';
COMMENT ON FUNCTION hftok_private.user_api_keys_statement IS 'Begins a statement with nothing kept.';

CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_insert_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    NEW.user_id := hftok_private.identifier(NEW.user_id);
    -- A mask is what a client read before: ON CONFLICT compares it, and a row that is new is refused in the end.
    IF NEW.api_key IS NULL OR strpos(NEW.api_key, '•') = 0 THEN
        NEW.api_key := hftok_private.stage_api_key(NEW.user_id, NEW.service, NEW.api_key);
        NEW.id := hftok_private.staged_id(NEW.user_id, NEW.service);
    ELSE
        NEW.id := gen_random_uuid();
    END IF;
    -- After the seal, which makes the first keys of a database, and before there is a row.
    PERFORM hftok_private.lock_owner('user', NEW.user_id);
    PERFORM FROM hftok_private.secrets s
    WHERE s.scope = 'user' AND s.scope_id = NEW.user_id AND s.provider = NEW.service AND s.model = '' AND s.slot = '' FOR UPDATE;
    NEW.created_at := now();
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hftok_private.user_api_keys_insert_as_owner IS 'The work of user_api_keys_insert(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_insert() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_user_api_keys_insert';
COMMENT ON FUNCTION hftok_private.user_api_keys_insert IS 'Seals a key before there is a row. Ids and times of the client are ignored.';

CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_update_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    IF hftok_private.identifier(NEW.user_id) <> OLD.user_id OR NEW.service <> OLD.service THEN
        RAISE EXCEPTION 'a key cannot be given to another user or service' USING ERRCODE = '22023';
    END IF;
    -- The mask of a key that was inserted just now stands for it; any other is what a client read before, and unchanged.
    IF NEW.api_key IS NULL OR strpos(NEW.api_key, '•') = 0 THEN
        NEW.api_key := hftok_private.stage_api_key(OLD.user_id, OLD.service, NEW.api_key);
    ELSIF NEW.api_key <> OLD.api_key AND NOT hftok_private.is_staged(OLD.user_id, OLD.service, NEW.api_key) THEN
        RAISE EXCEPTION 'the credential is a masked one: it was copied from where only its mask is shown'
            USING ERRCODE = '22023';
    END IF;
    NEW.user_id := OLD.user_id;
    NEW.id := OLD.id;
    NEW.created_at := OLD.created_at;
    -- The secret's trigger sets it when there is another key.
    NEW.updated_at := OLD.updated_at;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hftok_private.user_api_keys_update_as_owner IS 'The work of user_api_keys_update(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_update() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_user_api_keys_update';
COMMENT ON FUNCTION hftok_private.user_api_keys_update IS 'ON CONFLICT DO UPDATE: takes the key that was inserted; a mask that was read means unchanged.';

CREATE OR REPLACE FUNCTION hftok_private.is_staged(p_user_id text, p_service text, p_mask text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_is_staged';
COMMENT ON FUNCTION hftok_private.is_staged IS 'Whether a key with this mask is kept for this user and provider.';

CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_written_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    IF hftok_private.is_staged(NEW.user_id, NEW.service, NEW.api_key) THEN
        PERFORM hftok_private.save_staged(NEW.user_id, NEW.service);
    ELSIF NOT EXISTS (
        SELECT FROM hftok_private.secrets s
        WHERE s.scope = 'user' AND s.scope_id = NEW.user_id AND s.provider = NEW.service AND s.model = '' AND s.slot = ''
        AND s.preview = NEW.api_key
    ) THEN
        -- Either a mask was inserted, or another statement on this view ran within this one.
        RAISE EXCEPTION 'there is no key for this mask' USING ERRCODE = '22023', HINT = 'Send the key itself.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION hftok_private.user_api_keys_written_as_owner IS 'The work of user_api_keys_written(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_written() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_user_api_keys_written';
COMMENT ON FUNCTION hftok_private.user_api_keys_written IS 'Stores a key once its row was written.';

-- Updates and deletes of clients, through a view of the table: user_api_keys or provider_secrets. The key is locked before any row: ON
-- CONFLICT comes to the row in that order too, and one that locked the row first would wait for it crosswise.
CREATE OR REPLACE FUNCTION hftok_private.delete_api_key(p_user_id text, p_service text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    stored hftok_private.secrets;
BEGIN
    PERFORM hftok_private.lock_owner('user', p_user_id);
    DELETE FROM hftok_private.secrets s
    WHERE s.scope = 'user' AND s.scope_id = p_user_id AND s.provider = p_service AND s.model = '' AND s.slot = ''
    RETURNING s.* INTO stored;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM hftok_private.record_change('user_api_keys', stored.id, stored.version, NULL, stored.scope, stored.scope_id,
        stored.provider);
    RETURN true;
END
$$;
COMMENT ON FUNCTION hftok_private.delete_api_key IS 'Deletes the key of a user for a provider, through a view that shows its mask; false when it is gone already.';

CREATE OR REPLACE FUNCTION hftok_private.change_api_key(
    p_former hftok_private.user_api_keys, p_user_id text, p_service text, p_api_key text
) RETURNS hftok_private.user_api_keys
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    changed hftok_private.user_api_keys;
BEGIN
    PERFORM hftok_private.lock_owner('user', p_former.user_id);
    IF hftok_private.identifier(p_user_id) <> p_former.user_id OR p_service IS DISTINCT FROM p_former.service THEN
        RAISE EXCEPTION 'a key cannot be given to another user or service' USING ERRCODE = '22023';
    ELSIF strpos(p_api_key, '•') > 0 AND p_api_key <> p_former.api_key THEN
        RAISE EXCEPTION 'the credential is a masked one: it was copied from where only its mask is shown'
            USING ERRCODE = '22023';
    ELSIF p_api_key IS DISTINCT FROM p_former.api_key THEN
        PERFORM hftok_private.clear_staged();
        PERFORM hftok_private.stage_api_key(p_former.user_id, p_former.service, p_api_key);
        PERFORM hftok_private.save_staged(p_former.user_id, p_former.service);
    END IF;
    SELECT k.* INTO changed FROM hftok_private.user_api_keys k WHERE k.user_id = p_former.user_id AND k.service = p_former.service;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION hftok_private.change_api_key IS
    'Stores a key that is written anew through a view that shows its mask, and gives its row; one without an id when it is gone. A mask that was read means unchanged.';

CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_change_as_owner() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
DECLARE
    changed hftok_private.user_api_keys;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RETURN CASE WHEN hftok_private.delete_api_key(OLD.user_id, OLD.service) THEN OLD END;
    END IF;
    changed := hftok_private.change_api_key(
        ROW (OLD.id, OLD.user_id, OLD.service, OLD.api_key, OLD.created_at, OLD.updated_at)::hftok_private.user_api_keys,
        NEW.user_id, NEW.service, NEW.api_key);
    IF changed.id IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT changed.id, changed.user_id, changed.service, changed.api_key, changed.created_at, changed.updated_at INTO NEW;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hftok_private.user_api_keys_change_as_owner IS 'The work of user_api_keys_change(), which calls it as hftok_owner.';
CREATE OR REPLACE FUNCTION hftok_private.user_api_keys_change() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY INVOKER AS 'MODULE_PATHNAME', 'hftok_user_api_keys_change';
COMMENT ON FUNCTION hftok_private.user_api_keys_change IS 'Stores a key that is written anew, or deletes it; a mask that was read means unchanged.';

-- The row follows the secret, whoever changes the secret. The trigger's own writes are no client's, hence the conditions below.
CREATE OR REPLACE FUNCTION hftok_private.secret_written() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = on
    AS $$
BEGIN
    -- This waits for anybody who has the row locked. Writers lock the secret before the row, so none of them waits for this
    -- one. A row that is passed over would show a key that is gone.
    IF TG_OP = 'DELETE' THEN
        DELETE FROM hftok_private.user_api_keys k WHERE k.user_id = OLD.scope_id AND k.service = OLD.provider;
        RETURN NULL;
    END IF;
    UPDATE hftok_private.user_api_keys k
    SET id = NEW.id, api_key = NEW.preview, created_at = NEW.created_at, updated_at = NEW.updated_at
    WHERE k.user_id = NEW.scope_id AND k.service = NEW.provider;
    IF NOT FOUND THEN
        INSERT INTO hftok_private.user_api_keys (id, user_id, service, api_key, created_at, updated_at)
        VALUES (NEW.id, NEW.scope_id, NEW.provider, NEW.preview, NEW.created_at, NEW.updated_at)
        ON CONFLICT (user_id, service) DO NOTHING;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hftok_private.secret_written IS 'Keeps user_api_keys as the secrets are.';

-- BEFORE, because an upsert of clients has the row before there is a secret. The row that the trigger waits for is written anew, and
-- so is a secret that turns out to be there by then.
CREATE OR REPLACE TRIGGER inserted BEFORE INSERT ON hftok_private.secrets FOR EACH ROW
    WHEN (NEW.scope = 'user' AND NEW.model = '' AND NEW.slot = '') EXECUTE FUNCTION hftok_private.secret_written();
-- Only when the row would change: verdicts of the backend lock nothing else.
CREATE OR REPLACE TRIGGER updated AFTER UPDATE ON hftok_private.secrets FOR EACH ROW
    WHEN (NEW.scope = 'user' AND NEW.model = '' AND NEW.slot = ''
        AND (NEW.id, NEW.preview, NEW.updated_at) IS DISTINCT FROM (OLD.id, OLD.preview, OLD.updated_at))
    EXECUTE FUNCTION hftok_private.secret_written();
CREATE OR REPLACE TRIGGER deleted AFTER DELETE ON hftok_private.secrets FOR EACH ROW
    WHEN (OLD.scope = 'user' AND OLD.model = '' AND OLD.slot = '') EXECUTE FUNCTION hftok_private.secret_written();

CREATE OR REPLACE TRIGGER a_statement BEFORE INSERT OR UPDATE ON hftok_private.user_api_keys FOR EACH STATEMENT
    WHEN (current_user <> 'hftok_owner') EXECUTE FUNCTION hftok_private.user_api_keys_statement();
CREATE OR REPLACE TRIGGER b_insert BEFORE INSERT ON hftok_private.user_api_keys FOR EACH ROW
    WHEN (current_user <> 'hftok_owner') EXECUTE FUNCTION hftok_private.user_api_keys_insert();
CREATE OR REPLACE TRIGGER b_update BEFORE UPDATE ON hftok_private.user_api_keys FOR EACH ROW
    WHEN (current_user <> 'hftok_owner') EXECUTE FUNCTION hftok_private.user_api_keys_update();
CREATE OR REPLACE TRIGGER c_written AFTER INSERT OR UPDATE ON hftok_private.user_api_keys FOR EACH ROW
    WHEN (current_user <> 'hftok_owner') EXECUTE FUNCTION hftok_private.user_api_keys_written();

CREATE OR REPLACE VIEW hftok.user_api_keys WITH (security_invoker) AS
    SELECT k.id, k.user_id, k.service, k.api_key, k.created_at, k.updated_at FROM hftok_private.user_api_keys k;
COMMENT ON VIEW hftok.user_api_keys IS
    'The keys of users, one a service, masked. A key that is written here is sealed before there is a row; the mask written back means unchanged.';
CREATE OR REPLACE TRIGGER change INSTEAD OF UPDATE OR DELETE ON hftok.user_api_keys
    FOR EACH ROW EXECUTE FUNCTION hftok_private.user_api_keys_change();
