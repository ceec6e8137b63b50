-- A part of sql/70_walk.sql, run by it.

-- The model. Written from the document, and from nothing else. broken names a rule that is to be wrong.
CREATE FUNCTION pg_temp.on_list(host text, list text[], broken text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(bool_or(
        named.host ~ '^[[:alnum:]-]+([.][[:alnum:]-]+)*$'
        AND named.host ~ format('^%s$', replace(replace(regexp_replace(replace(
            CASE WHEN broken = 'upper case is another' THEN pattern ELSE lower(pattern) END,
            '.', '[.]'), '^[*]', '[^.]+([.][^.]+)@'), '*', '[^.]+'), '@', '*')) COLLATE "C"
        OR broken = 'a list with entries allows all'), false)
    FROM unnest(list) pattern, LATERAL (
        SELECT regexp_replace(regexp_replace(CASE WHEN broken = 'upper case is another' THEN on_list.host ELSE lower(on_list.host) END,
            CASE WHEN broken = 'any port will do' THEN ':[0-9]+$' ELSE ':443$' END, ''), '[.]$', '') AS host
    ) named
$$;
CREATE FUNCTION pg_temp.model(s scenarios, broken text, OUT outcomes text[], OUT source text, OUT stopped text) LANGUAGE plpgsql AS $$
DECLARE
    names text[] := '{user_model,org_model,global_model,user,org,global,environment}';
    name text;
    c cell;
    outcome text;
    over boolean := false;
BEGIN
    source := 'none';
    IF broken = 'user before user_model' THEN
        s.cells := s.cells[4:4] || s.cells[2:3] || s.cells[1:1] || s.cells[5:6];
    END IF;
    FOR i IN 1 .. 7 LOOP
        name := names[i];
        c := s.cells[i];
        outcome := CASE
            WHEN over THEN 'not_reached'
            WHEN name <> ALL (s.levels) AND broken <> 'p_levels is ignored' THEN 'not_reached'
            WHEN name = 'environment' THEN 'absent'
            WHEN name LIKE 'user%' AND s.person = 'nobody' THEN 'absent'
            WHEN name LIKE 'org%' AND NOT s.org THEN 'absent'
            WHEN name LIKE '%\_model' AND NOT s.model THEN 'absent'
            WHEN NOT c.stored THEN 'absent'
            WHEN name LIKE 'org%' AND s.person = 'stranger' AND broken <> 'strangers are served' THEN 'not_member'
            WHEN name LIKE 'org%' AND s.person = 'nobody' AND broken = 'without a user the organisation serves nobody' THEN 'not_member'
            WHEN c.disabled AND broken <> 'disabled is used' AND (broken <> 'expired before disabled' OR c.expires <> 'past') THEN 'disabled'
            WHEN c.expires = 'past' AND broken <> 'expired is used' THEN 'expired'
            WHEN c.verdict = 'invalid' AND broken <> 'invalid is used' AND (broken <> 'resting before invalid' OR NOT c.resting) THEN 'invalid'
            WHEN c.resting AND broken <> 'resting is used' THEN 'rate_limited'
            WHEN c.damaged AND broken = 'damage before hosts' THEN 'decrypt_failed'
            WHEN c.hosts IS NOT NULL AND s.host IS NULL AND broken <> 'without a host everything is released' THEN 'host_refused'
            WHEN c.hosts IS NOT NULL AND s.host IS NOT NULL AND broken <> 'its own hosts are ignored' AND NOT pg_temp.on_list(s.host, c.hosts, broken)
                THEN 'host_refused'
            WHEN c.hosts IS NULL AND s.host IS NOT NULL AND broken <> 'the catalogue is ignored'
                AND NOT pg_temp.on_list(s.host, '{api.walk.example,*.cloud.walk.example,sts.*.walk.example}', broken) THEN 'host_refused'
            WHEN c.damaged THEN 'decrypt_failed'
            ELSE 'used'
        END;
        outcomes[i] := outcome;
        IF outcome = 'used' THEN
            source := name;
            over := true;
        ELSIF outcome = 'decrypt_failed' AND broken <> 'damage goes on' THEN
            stopped := outcome || ' at ' || name;
            over := true;
        ELSIF outcome NOT IN ('absent', 'not_reached') AND (c.on_unusable = 'stop' OR broken = 'nothing goes on')
            AND broken <> 'everything goes on' THEN
            stopped := outcome || ' at ' || name;
            over := true;
        END IF;
    END LOOP;
END
$$;
