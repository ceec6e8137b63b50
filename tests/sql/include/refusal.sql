\set ECHO none
-- The refusal of a call, and whether any field of the error holds the value that the call was given.
CREATE FUNCTION pg_temp.refusal(call text, VARIADIC texts text[] DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text; context text; other text; more text;
BEGIN
    EXECUTE 'SELECT ' || call USING texts[1], texts[2], texts[3];
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    GET STACKED DIAGNOSTICS other = COLUMN_NAME, more = CONSTRAINT_NAME;
    RETURN concat_ws(' | ', state, message, regexp_replace(nullif(detail, ''), '(?!0{8})[0-9a-f]{8}-[0-9a-f-]{27}', '(id)'),
        CASE WHEN hint <> '' THEN 'with a hint' END,
        CASE WHEN concat(message, detail, hint, context, other, more) ~* 's3kr(e?3|e)t|AKIA' THEN 'HOLDS THE VALUE' END);
END
$$;
\set ECHO all
