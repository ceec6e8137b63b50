//! A role that may log in and make things of its own attacks the guards. In each test somebody with more rights runs code
//! that the attacker wrote.

use std::sync::OnceLock;

use hftok_tests::answer::{column, create, get, one, refused};
use hftok_tests::audit::{count, settled};
use hftok_tests::cluster::Cluster;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

const VALUE: &str = "the-operators-value";

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Setup::default().setting("autovacuum_naptime = 1s").start())
}

/// A database with a secret named `target`, and a login role of the same name with a schema of its own that is what
/// an end user is.
fn prepare(name: &str) -> (Client, Client) {
    let mut operator = cluster().database(name);
    create(&mut operator, "target", VALUE);
    operator
        .batch_execute(&format!(
            "CREATE ROLE {name} LOGIN; GRANT hftok_user TO {name}; CREATE SCHEMA {name} AUTHORIZATION {name}"
        ))
        .expect("the role");
    (operator, cluster().client(name, name))
}

/// Code that tries everything and notes what it got. The stage says who is being tricked at the moment.
const TRAP: &str = "
    CREATE TABLE stage (label text); INSERT INTO stage VALUES ('by itself');
    CREATE TABLE loot (label text, process int, session_user_is text, user_is text, what text, got text);
    CREATE FUNCTION note(what text, sql text) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE got text;
    BEGIN
        BEGIN
            EXECUTE sql INTO got;
        EXCEPTION WHEN OTHERS THEN
            got := 'error ' || SQLSTATE;
        END;
        INSERT INTO mallory.loot
        SELECT label, pg_backend_pid(), session_user, current_user, what, got FROM mallory.stage;
    END $$;
    CREATE FUNCTION trap() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM mallory.note('whoami', 'SELECT hftok.whoami()');
        PERFORM mallory.note('get_secret', 'SELECT hftok.get_secret(''target'')');
        PERFORM mallory.note('view', 'SELECT decrypted_secret FROM hftok.decrypted_secrets');
        PERFORM mallory.note('opener', $q$SELECT hftok_private.open_vault_row('hftok', s.id, s.version, s.scope_id,
            s.provider, s.model, s.name, s.slot, s.kind, s.allowed_hosts, s.expires_at, s.sealed) FROM hftok_private.secrets s$q$);
        PERFORM mallory.note('table', 'SELECT encode(sealed, ''hex'') FROM hftok_private.secrets');
        PERFORM mallory.note('owner', 'SELECT set_config(''role'', ''hftok_owner'', false)');
        PERFORM mallory.note('superuser', 'SELECT set_config(''role'', ''postgres'', false)');
    END $$;
    CREATE FUNCTION innocent(x int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN PERFORM mallory.trap(); RETURN x; END $$;
    CREATE FUNCTION springs() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM mallory.trap(); RETURN coalesce(NEW, OLD); END $$;
    CREATE FUNCTION helpful() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN PERFORM mallory.trap(); RETURN 1; END $$;
    CREATE TABLE bait (x int) WITH (autovacuum_enabled = off);
    INSERT INTO bait SELECT generate_series(1, 3);
    CREATE INDEX bait_index ON bait (innocent(x));
    CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1), (2);
    CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
    INSERT INTO child VALUES (1), (2);
    CREATE TRIGGER springs BEFORE DELETE OR UPDATE ON child FOR EACH ROW EXECUTE FUNCTION springs();
    CREATE MATERIALIZED VIEW picture AS SELECT innocent(1) WITH NO DATA;
    CREATE TABLE swept (x int) WITH (autovacuum_analyze_threshold = 0, autovacuum_analyze_scale_factor = 0);
    CREATE INDEX swept_index ON swept (innocent(x));
    SELECT mallory.trap();
";

#[test]
fn code_of_a_user_that_others_run_yields_no_value_and_no_other_identity() {
    let (mut superuser, mut mallory) = prepare("mallory");
    mallory.batch_execute(TRAP).expect("the trap is laid");
    let process: i32 = one(&mut superuser, "SELECT pg_backend_pid()", &[]);
    for (label, sql) in [
        ("analyze", "ANALYZE mallory.bait"),
        ("reindex", "REINDEX TABLE mallory.bait"),
        ("concurrently", "REINDEX INDEX CONCURRENTLY mallory.bait_index"),
        ("vacuum", "VACUUM (FULL, ANALYZE) mallory.bait"),
        ("cluster", "CLUSTER mallory.bait USING bait_index"),
        ("delete", "DELETE FROM mallory.parent WHERE id = 1"),
        ("update", "UPDATE mallory.parent SET id = 3 WHERE id = 2"),
        ("refresh", "REFRESH MATERIALIZED VIEW mallory.picture"),
        ("definer", "SELECT mallory.helpful()"),
    ] {
        mallory.execute("UPDATE stage SET label = $1", &[&label]).expect("the stage");
        superuser.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let sprung: i64 = one(
            &mut superuser,
            "SELECT count(*) FROM mallory.loot WHERE label = $1 AND process = $2 AND session_user_is = 'postgres'",
            &[&label, &process],
        );
        assert!(sprung >= 7, "{label}: the trap did not spring, so that this proves nothing");
    }
    mallory
        .batch_execute("UPDATE stage SET label = 'autovacuum'; INSERT INTO swept VALUES (1)")
        .expect("dirt");
    wait_until("autovacuum ran the trap", 60, || {
        let sql =
            "SELECT count(*) FROM mallory.loot WHERE label = 'autovacuum' AND session_user_is = 'postgres'";
        one::<i64>(&mut superuser, sql, &[]) >= 7
    });

    let loot =
        superuser.query("SELECT DISTINCT label, user_is, what, got FROM mallory.loot", &[]).expect("loot");
    let restricted = ["analyze", "reindex", "concurrently", "vacuum", "cluster", "refresh", "autovacuum"];
    for row in loot {
        let [label, user, what]: [String; 3] = std::array::from_fn(|at| row.get(at));
        let got: Option<String> = row.get(3);
        let got = got.unwrap_or_default();
        let place = format!("{label}, {what} as {user}: {got:?}");
        assert_eq!(user, "mallory", "{place}");
        match what.as_str() {
            // `by itself` is also the attacker's own CREATE INDEX.
            "whoami" if got == "error 42501" && (label == "by itself" || restricted.contains(&&*label)) => {}
            "whoami" => assert_eq!(got, "role:mallory", "{place}"),
            _ => {
                assert!(got == "error 42501" || (what == "superuser" && got.starts_with("error ")), "{place}")
            }
        }
    }
    let refused_in_restricted: i64 = one(
        &mut superuser,
        "SELECT count(DISTINCT label) FROM mallory.loot
         WHERE what = 'whoami' AND got = 'error 42501' AND session_user_is = 'postgres'",
        &[],
    );
    assert_eq!(refused_in_restricted, i64::try_from(restricted.len()).expect("a count"));
}

/// Functions that run as hftok_owner, called by somebody who may, with operators and functions of their own in front.
#[test]
fn a_search_path_of_ones_own_reaches_no_code_that_runs_as_the_owner() {
    let (mut superuser, mut sly) = prepare("sly");
    superuser
        .batch_execute(
            "GRANT hftok_admin, hftok_service, hftok_auditor TO sly; GRANT CREATE ON DATABASE sly TO sly",
        )
        .expect("grants");
    sly.batch_execute(
        "CREATE TABLE ran (user_is text); GRANT INSERT ON ran TO PUBLIC; GRANT USAGE ON SCHEMA sly TO PUBLIC",
    )
    .expect("a table");
    for (at, (left, right)) in [
        ("text", "text"),
        ("uuid", "uuid"),
        ("int", "int"),
        ("bigint", "bigint"),
        ("bytea", "bytea"),
        ("name", "name"),
        ("name", "text"),
        ("oid", "oid"),
        ("boolean", "boolean"),
        ("\"char\"", "\"char\""),
    ]
    .into_iter()
    .enumerate()
    {
        let body = "BEGIN INSERT INTO sly.ran VALUES (current_user); RETURN true; END";
        for operator in ["=", "<>"] {
            let function = format!("op_{at}_{}", if operator == "=" { "eq" } else { "ne" });
            sly.batch_execute(&format!(
                "CREATE FUNCTION {function}(a {left}, b {right}) RETURNS boolean LANGUAGE plpgsql AS $${body}$$;
                 CREATE OPERATOR sly.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = sly.{function})"
            ))
            .expect("an operator");
        }
    }
    sly.batch_execute(
        "CREATE FUNCTION now() RETURNS timestamptz LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO sly.ran VALUES (current_user); RETURN clock_timestamp(); END $$;
         CREATE FUNCTION encode(bytea, text) RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO sly.ran VALUES (current_user); RETURN 'x'; END $$;
         CREATE FUNCTION format(text, text) RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO sly.ran VALUES (current_user); RETURN 'x'; END $$;
         ALTER ROLE sly SET search_path = pg_temp, sly, pg_catalog, hftok",
    )
    .expect("in front");
    // Nothing is unwrapped and no plan is made when the view is the first that is called.
    superuser.batch_execute("SELECT hftok.unseal()").expect("unseal");
    let mut sly = cluster().client("sly", "sly");
    assert_eq!(one::<String>(&mut sly, "SELECT decrypted_secret FROM decrypted_secrets", &[]), VALUE);
    sly.batch_execute("CREATE TEMP TABLE pg_roles AS SELECT * FROM pg_catalog.pg_roles").expect("in front");
    let id = create(&mut sly, "sly's", "first");
    superuser
        .batch_execute(
            "SET search_path = pg_temp, sly, pg_catalog, hftok; SELECT install_vault_schema(); RESET search_path",
        )
        .expect("the vault schema");
    let caught = "SELECT 1 FROM (SELECT 'a'::text = 'b'::text AS same) t WHERE same";
    assert_eq!(sly.query(caught, &[]).expect("sly's own operator").len(), 1, "the operators are in front");
    for sql in [
        "SELECT put_secret('sly''s', 'second')",
        "SELECT get_secret('sly''s')",
        "SELECT get_secret('sly''s', 1)",
        "SELECT decrypted_secret FROM decrypted_secrets",
        "SELECT * FROM secrets",
        "SELECT * FROM status()",
        "SELECT * FROM verify()",
        "SELECT * FROM logging_risks()",
        "SELECT * FROM find_secret('second')",
        "SELECT unseal()",
        "SELECT whoami()",
        "SELECT vault.create_secret('x', 'y')",
        "SELECT decrypted_secret FROM vault.decrypted_secrets",
    ] {
        sly.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    for sql in [
        "SELECT update_secret($1, 'third', 'name')",
        "SELECT * FROM secret_history($1)",
        "SELECT restore_secret($1, 1)",
        "SELECT delete_secret($1)",
    ] {
        sly.query(sql, &[&id]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    let users: Vec<String> = column(&mut superuser, "SELECT DISTINCT user_is FROM sly.ran");
    assert_eq!(users, ["sly"], "only sly's own statements, and none of hftok's, came by");
}

#[test]
fn an_operators_wrapper_works_for_a_role_that_has_nothing_else() {
    let mut superuser = cluster().database("wrapper");
    create(&mut superuser, "target", VALUE);
    superuser
        .batch_execute(
            "CREATE ROLE keeper_of_keys; GRANT hftok_admin TO keeper_of_keys;
             CREATE ROLE granted; GRANT USAGE ON SCHEMA hftok TO granted;
             GRANT EXECUTE ON FUNCTION hftok.get_secret TO granted;
             CREATE ROLE app LOGIN;
             CREATE SCHEMA api; GRANT USAGE ON SCHEMA api TO app, keeper_of_keys, granted; GRANT CREATE ON SCHEMA api TO keeper_of_keys, granted;
             SET ROLE keeper_of_keys;
             CREATE FUNCTION api.by_call() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
                AS $$ SELECT hftok.get_secret('target') $$;
             CREATE FUNCTION api.by_view() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
                AS $$ SELECT decrypted_secret FROM hftok.decrypted_secrets WHERE name = 'target' $$;
             SET ROLE granted;
             CREATE FUNCTION api.by_grant() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
                AS $$ SELECT hftok.get_secret('target') $$;
             RESET ROLE",
        )
        .expect("wrappers");
    let mut app = cluster().client("app", "wrapper");
    for wrapper in ["by_call", "by_view", "by_grant"] {
        assert_eq!(one::<String>(&mut app, &format!("SELECT api.{wrapper}()"), &[]), VALUE);
    }
    refused(get(&mut app, "target"), "42501");
    refused(app.query("SELECT decrypted_secret FROM hftok.decrypted_secrets", &[]), "42501");
    // A value must not be written to disk by an index, whoever makes it.
    superuser
        .batch_execute(
            "SET ROLE keeper_of_keys; CREATE TABLE api.t (x int); INSERT INTO api.t VALUES (1);
             CREATE FUNCTION api.frozen(int) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT hftok.get_secret('target') $$;
             CREATE FUNCTION api.seen(int) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
                $$ BEGIN RETURN (SELECT decrypted_secret FROM hftok.decrypted_secrets); END $$",
        )
        .expect("a table");
    for function in ["frozen", "seen"] {
        refused(superuser.batch_execute(&format!("CREATE INDEX ON api.t (api.{function}(x))")), "42501");
    }
    let picture = "CREATE MATERIALIZED VIEW api.picture AS SELECT hftok.get_secret('target')";
    refused(superuser.batch_execute(picture), "42501");
}

/// SQL that calls every function of a schema with NULLs, by position, but for helpers that policies and views call with
/// the rights of whoever reads: those are executable and check for themselves. Not with constants: a call of a strict function
/// with a constant NULL is never made.
fn every_call(client: &mut Client, schema: &str) -> Vec<String> {
    let sql = format!(
        "SELECT format('SELECT %I.%I(%s)', n.nspname, p.proname,
            (SELECT string_agg(format('(SELECT NULL::%s)', format_type(t.type, NULL)), ', ' ORDER BY t.at)
             FROM unnest(p.proargtypes) WITH ORDINALITY t (type, at)))
         FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = '{schema}' AND p.prokind = 'f'
         AND (n.nspname = 'hftok' OR NOT has_function_privilege('public', p.oid, 'EXECUTE'))"
    );
    column(client, &sql)
}

fn stranger_knows_a_row(superuser: &mut Client) {
    superuser
        .batch_execute(
            "CREATE TABLE public.known AS SELECT * FROM hftok_private.secrets; GRANT SELECT ON public.known TO stranger;
             CREATE SCHEMA AUTHORIZATION stranger; SET ROLE stranger;
             CREATE VIEW stranger.decrypted_secrets AS SELECT 'mine'::text AS decrypted_secret;
             RESET ROLE",
        )
        .expect("a view of the stranger's");
}

#[test]
fn a_role_without_privileges_gets_nothing_even_where_it_can_name_it() {
    let mut superuser = cluster().database("stranger");
    create(&mut superuser, "target", VALUE);
    superuser.batch_execute("CREATE ROLE stranger LOGIN").expect("role");
    let mut stranger = cluster().client("stranger", "stranger");
    let mut calls = every_call(&mut superuser, "hftok");
    calls.extend(every_call(&mut superuser, "hftok_import"));
    let mut helpers = every_call(&mut superuser, "hftok_private");
    assert!(calls.len() >= 15 && helpers.len() >= 5, "the functions were not found");
    // One of those that are executable: even somebody who knows a row, and has a view of that name, opens nothing.
    stranger_knows_a_row(&mut superuser);
    for schema in ["hftok", "stranger", "pg_temp", "nowhere"] {
        helpers.push(format!(
            "SELECT hftok_private.open_vault_row('{schema}', s.id, s.version, s.scope_id, s.provider, s.model, s.name,
                s.slot, s.kind, s.allowed_hosts, s.expires_at, s.sealed) FROM public.known s"
        ));
    }
    let relations: Vec<String> = column(
        &mut superuser,
        "SELECT format('SELECT * FROM %I.%I', n.nspname, c.relname) FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname LIKE 'hftok%' AND c.relkind IN ('r', 'v', 'm', 'p')",
    );
    assert!(relations.len() >= 5, "tables and views were not found");
    // First as it is, then with what a DBA may have granted too much of.
    for grant in ["", "GRANT USAGE ON SCHEMA hftok, hftok_import, hftok_private TO stranger"] {
        superuser.batch_execute(grant).expect("grant");
        for sql in calls.iter().chain(&helpers).chain(&relations) {
            let result = stranger.query(sql.as_str(), &[]);
            assert!(result.is_err(), "not refused: {sql}");
            let error = refused(result, "42501");
            assert_eq!(error.detail(), None, "{sql}: says more than that it is refused: {error:?}");
        }
        let writable: Vec<String> = column(
            &mut superuser,
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname LIKE 'hftok%' AND c.relkind IN ('r', 'v', 'm', 'p')
             AND has_any_column_privilege('stranger', c.oid, 'INSERT, UPDATE')
             OR n.nspname LIKE 'hftok%' AND c.relkind IN ('r', 'v', 'm', 'p')
             AND has_table_privilege('stranger', c.oid, 'DELETE, TRUNCATE, REFERENCES, TRIGGER')",
        );
        assert_eq!(writable, Vec::<String>::new());
    }
    // Not even with privileges on a table: row security has no policy for anybody but the owner.
    superuser.batch_execute("GRANT SELECT ON ALL TABLES IN SCHEMA hftok_private TO stranger").expect("grant");
    for table in ["data_keys", "secrets", "secret_versions"] {
        let count: i64 = one(&mut stranger, &format!("SELECT count(*) FROM hftok_private.{table}"), &[]);
        assert_eq!(count, 0, "{table}");
    }
}

/// hftok checks a reader once in each place of a statement. A cursor is such a place, and the next role may go on with it.
#[test]
fn what_one_role_may_read_in_a_cursor_another_may_not() {
    let (mut operator, _) = prepare("heir");
    let fetch = "FETCH 1 FROM c";
    create(&mut operator, "other", VALUE);
    operator
        .batch_execute("BEGIN; DECLARE c CURSOR FOR SELECT decrypted_secret FROM hftok.decrypted_secrets")
        .expect("DECLARE");
    assert_eq!(column::<String>(&mut operator, fetch), [VALUE]);
    operator.batch_execute("SET LOCAL ROLE heir").expect("SET ROLE");
    refused(operator.query(fetch, &[]), "42501");
}

/// The user that a call names is not the actor.
#[test]
fn who_asks_for_another_is_told_of_by_their_own_name() {
    let (mut operator, mut attacker) = prepare("liar");
    for function in ["explain_token", "token_provided"] {
        let ask = format!("SELECT * FROM hftok.{function}('huggingface', p_user_id => 'victim')");
        refused(attacker.batch_execute(&ask), "PT404");
    }
    settled(&mut operator);
    assert_eq!(count(&mut operator, "kind = 'refusal' AND actor_user = 'role:liar'"), 2);
    assert_eq!(count(&mut operator, "actor_user = 'victim'"), 0);
}

/// A user must not hold a lock that everybody's keys wait for.
#[test]
fn a_user_locks_no_table() {
    let (_operator, mut attacker) = prepare("locker");
    for mode in ["ROW EXCLUSIVE", "SHARE", "EXCLUSIVE", "ACCESS EXCLUSIVE"] {
        for view in
            ["user_api_keys", "provider_secrets", "credentials", "integrations", "members", "usage_daily"]
        {
            refused(attacker.batch_execute(&format!("BEGIN; LOCK hftok.{view} IN {mode} MODE")), "42501");
            attacker.batch_execute("ROLLBACK").expect("ROLLBACK");
        }
    }
}
