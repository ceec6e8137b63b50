\set ECHO none
-- Tries a statement as a role and takes it back: 'done', or what it was refused with.
CREATE FUNCTION pg_temp.attempt(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE statement;
    RAISE EXCEPTION USING ERRCODE = 'RB000';
EXCEPTION
    WHEN SQLSTATE 'RB000' THEN RETURN 'done';
    WHEN OTHERS THEN
        -- Whether they may see a setting Postgres 16 says in other words than 15.
        RETURN SQLSTATE || ' ' || CASE WHEN SQLERRM ~ 'examine "' THEN 'may not see the setting' ELSE SQLERRM END;
END
$$;
\set ECHO all
