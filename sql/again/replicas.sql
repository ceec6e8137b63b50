-- Rows that come by logical replication, into a database that has keys of its own since adopt_database().

CREATE OR REPLACE FUNCTION hftok_private.receive_data_key() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NEW.state = 'active' AND EXISTS (
        SELECT FROM hftok_private.data_keys k
        WHERE k.purpose = NEW.purpose AND k.org_id = NEW.org_id AND k.state = 'active' AND k.id <> NEW.id
    ) THEN
        NEW.state := 'retiring';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION hftok_private.receive_data_key IS
    'Lets a key of the publisher only open what came with it, where the replica seals with one of its own: two active ones would end the replication.';
CREATE OR REPLACE TRIGGER receive BEFORE INSERT OR UPDATE ON hftok_private.data_keys
    FOR EACH ROW EXECUTE FUNCTION hftok_private.receive_data_key();
ALTER TABLE hftok_private.data_keys ENABLE REPLICA TRIGGER receive;
