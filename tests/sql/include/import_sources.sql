-- A part of sql/85_import.sql, run by it: the tables of an application that keeps its keys itself.

CREATE TABLE regress_app.users (
    id int PRIMARY KEY, name text, huggingface_token text, updated_at timestamptz DEFAULT '2020-01-01'
);
INSERT INTO regress_app.users (id, name, huggingface_token) VALUES
    (1, 'usable', 'hf_00000000000000000000000000000000a1'), (2, 'null', NULL), (3, 'empty', ''), (4, 'white space', E' \t\n'),
    (5, 'white space around', E'  hf_00000000000000000000000000000000a5\n'), (6, 'bearer', 'Bearer hf_00000000000000000000000000000000a6'),
    (7, 'bearer alone', 'Bearer'), (8, 'placeholders', 'changeme'), (9, 'placeholders', 'YOUR_API_KEY'), (10, 'placeholders', 'xxx'),
    (11, 'placeholders', '<your token>'), (12, 'placeholders', 'TODO'), (13, 'placeholders', 'hf_xxxxxxxxxxxxxxxxxxxxxxxx'),
    (14, 'masks', 'hf_••••••••1234'), (15, 'masks', '****'), (16, 'masks', 'hf_abcd****wxyz'), (17, 'masks', 'hf_abc...xyz'),
    (18, 'quoted', '"hf_00000000000000000000000000000000b8"'), (19, 'of another provider', 'sk-ant-api03-0000000000000000000000'),
    (20, 'of no known shape', 'some-old-token-of-ours'), (21, 'words', 'ask Bob for the token'), (22, 'an object', '{"api_key": "x"}');
CREATE FUNCTION regress_app.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := '2021-01-01'; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON regress_app.users FOR EACH ROW EXECUTE FUNCTION regress_app.touch();

CREATE TABLE regress_app.organizations (slug varchar(20) PRIMARY KEY, huggingface_token text NOT NULL DEFAULT '');
INSERT INTO regress_app.organizations VALUES ('acme', 'hf_00000000000000000000000000000000c1'), ('none', ''), ('Zed', 'hf_00000000000000000000000000000000c3');
CREATE TABLE regress_app.models (id int PRIMARY KEY, name text, huggingface_token varchar(64));
INSERT INTO regress_app.models VALUES (1, 'org/one', 'hf_00000000000000000000000000000000d1'), (2, 'org/two', NULL),
    (3, NULL, 'hf_00000000000000000000000000000000d3'), (4, 'org/one', 'hf_00000000000000000000000000000000d4');
CREATE TABLE regress_app.system_settings (id boolean PRIMARY KEY DEFAULT true, huggingface_token text);
INSERT INTO regress_app.system_settings VALUES (true, 'hf_00000000000000000000000000000000e1');

-- Encrypted, as by pgcrypto: what does not open is an error that may quote what it got.
CREATE TABLE regress_app.llm_models (id int PRIMARY KEY, provider text, model_id text, api_key_encrypted bytea);
CREATE FUNCTION regress_app.decrypt(bytea, text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF convert_from($1, 'UTF8') NOT LIKE $2 || ':%' THEN
        RAISE EXCEPTION 'Wrong key or corrupt data: %', convert_from($1, 'UTF8') USING ERRCODE = '39000';
    END IF;
    RETURN substr(convert_from($1, 'UTF8'), length($2) + 2);
END
$$;
INSERT INTO regress_app.llm_models VALUES (1, 'openai', 'gpt', 'pass:sk-proj-00000000000000000000f1'), (2, 'OpenAI', 'mini', 'pass:sk-proj-00000000000000000000f2'),
    (3, 'anthropic', 'opus', 'other:sk-ant-api03-leak-canary-f3'), (4, 'unheard of', 'x', 'pass:sk-proj-00000000000000000000f4'),
    (5, NULL, 'y', 'pass:sk-proj-00000000000000000000f5'), (6, 'openai', 'gpt', '\xff'), (7, 'anthropic', 'opus', 'pass:sk-ant-api03-000000000000f7');

CREATE TABLE regress_app."user ""api"" keys%s" ("the id" uuid PRIMARY KEY, user_id uuid, service text, "api_key%I" text);
INSERT INTO regress_app."user ""api"" keys%s" VALUES
    ('00000000-0000-4000-8000-000000000001', 'AAAAAAAA-0000-4000-8000-000000000001', 'openai', 'sk-proj-0000000000000000000001'),
    ('00000000-0000-4000-8000-000000000002', 'aaaaaaaa-0000-4000-8000-000000000001', 'openai', 'sk-proj-0000000000000000000002'),
    ('00000000-0000-4000-8000-000000000003', 'aaaaaaaa-0000-4000-8000-000000000001', 'openai', 'changeme'),
    ('00000000-0000-4000-8000-000000000004', 'aaaaaaaa-0000-4000-8000-000000000001', 'openai', 'sk-proj-0000000000000000000002'),
    ('00000000-0000-4000-8000-000000000005', 'aaaaaaaa-0000-4000-8000-000000000001', 'huggingface', 'hf_00000000000000000000000000000000a1'),
    ('00000000-0000-4000-8000-000000000006', NULL, 'openai', 'sk-proj-0000000000000000000006'),
    ('00000000-0000-4000-8000-000000000007', 'aaaaaaaa-0000-4000-8000-000000000002', 'aws', '{"access_key_id": "AKIAIOSFODNN7ABCDEFG", "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYABCDEFGHIJ"}');
