-- Three weeks of use of the keys that data.ts saved, for the page that shows it. Functions count only what is used today, so a superuser
-- writes it into the table; the numbers follow from day and key, and are the same each time.
INSERT INTO hftok_private.usage_daily (day, secret_id, currency, provider, scope, scope_id, requests, units, cost)
SELECT day::date, s.id, 'USD', s.provider, s.scope, s.scope_id, n.requests, n.requests * 1170, n.requests * 0.0031
FROM hftok_private.secrets s
CROSS JOIN pg_catalog.generate_series(
    (pg_catalog.now() AT TIME ZONE 'UTC')::date - 21, (pg_catalog.now() AT TIME ZONE 'UTC')::date - 1, interval '1 day') AS day
CROSS JOIN LATERAL (
    SELECT 20 + (pg_catalog.abs(pg_catalog.hashtext(s.provider || s.scope || day::date::text)) % 90)
        * CASE WHEN extract(isodow FROM day) < 6 THEN 3 ELSE 1 END AS requests) AS n
WHERE s.scope IN ('user', 'org', 'global') AND s.provider IN ('openai', 'anthropic', 'huggingface', 'mistral');
