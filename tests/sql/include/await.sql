-- Included by the files that look at what the audit's writer leaves behind: it comes after the call, so it is waited for.
\set ECHO none

-- Waits until everything that was done before is in the audit. The caller must be allowed to ask hftok.audit_head().
CREATE PROCEDURE pg_temp.await_audit() LANGUAGE plpgsql AS $$
DECLARE
    last timestamptz := clock_timestamp() + interval '30 seconds';
BEGIN
    LOOP
        PERFORM hftok.audit_head();
        EXIT WHEN (hftok.status()).audit_waiting = 0;
        IF clock_timestamp() > last THEN
            RAISE EXCEPTION 'the audit is not written';
        END IF;
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;

-- Waits for a condition that the writer makes true in another transaction: usage, say.
CREATE PROCEDURE pg_temp.await(condition text) LANGUAGE plpgsql AS $$
DECLARE
    last timestamptz := clock_timestamp() + interval '30 seconds';
    holds boolean;
BEGIN
    LOOP
        EXECUTE 'SELECT ' || condition INTO holds;
        EXIT WHEN holds;
        IF clock_timestamp() > last THEN
            RAISE EXCEPTION 'in vain was waited for: %', condition;
        END IF;
        PERFORM pg_sleep(0.01);
    END LOOP;
END
$$;
\set ECHO all
