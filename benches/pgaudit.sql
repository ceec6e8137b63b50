-- The plain table of benches/data.sql, in a server whose pgaudit logs each read of it.

CREATE EXTENSION pgaudit;
CREATE ROLE auditor;
CREATE TABLE plain (user_id text COLLATE "C" PRIMARY KEY, secret text NOT NULL);
INSERT INTO plain SELECT 'user-' || n, 'hf_' || md5(n::text) || '00' FROM generate_series(1, :users) n;
GRANT SELECT ON plain TO auditor;
VACUUM ANALYZE;
CHECKPOINT;
PREPARE one (text) AS SELECT secret FROM plain WHERE user_id = $1;
EXECUTE one ('user-77');
