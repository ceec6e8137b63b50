//! Every byte that hftok stores of a value, a key or a signature is changed in turn, as the owner of the tables: each change is named by
//! `verify()`, and no reader is given another value than the one that was stored.

use hftok_tests::answer::{one, put};
use hftok_tests::audit::settled;
use hftok_tests::cluster::Cluster;
use postgres::Client;

const VALUE: &str = "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH";

/// Changes each byte of a column of each row, one after the other, and takes the change back. Answers what was not noticed, what
/// answered another value, and how many bytes there were.
const FLIP: &str = r#"
CREATE FUNCTION public.flip(p_table regclass, p_column name, p_value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    place tid;
    length int;
    seen text;
    unnoticed text[] := '{}';
    wrong text[] := '{}';
    bytes int := 0;
BEGIN
    FOR place, length IN EXECUTE format('SELECT ctid, octet_length(%I) FROM %s WHERE %1$I IS NOT NULL', p_column, p_table) LOOP
        FOR at IN 0 .. length - 1 LOOP
            bytes := bytes + 1;
            BEGIN
                EXECUTE format('UPDATE %s SET %I = set_byte(%2$I, $1, get_byte(%2$I, $1) # 1) WHERE ctid = $2', p_table, p_column)
                    USING at, place;
                BEGIN
                    SELECT string_agg(v.reason, '; ') INTO seen FROM hftok.verify() v WHERE v.reason IS NOT NULL;
                EXCEPTION WHEN SQLSTATE '53HF1' THEN
                    seen := SQLERRM;
                END;
                IF seen IS NULL THEN
                    unnoticed := unnoticed || format('%s byte %s', place, at);
                END IF;
                BEGIN
                    SELECT concat_ws(' ', hftok.get_secret('name'), hftok.get_secret('name', 1),
                        hftok.resolve_hf_token('alice'), hftok.resolve_hf_token(p_org_id => 'acme')) INTO seen;
                    IF replace(replace(seen, p_value, ''), 'before', '') ~ '\S' THEN
                        wrong := wrong || format('%s byte %s', place, at);
                    END IF;
                EXCEPTION WHEN SQLSTATE 'PT422' OR SQLSTATE '53HF1' THEN
                    NULL;
                END;
                RAISE EXCEPTION USING ERRCODE = 'TAKEB';
            EXCEPTION WHEN SQLSTATE 'TAKEB' THEN
                NULL;
            END;
        END LOOP;
    END LOOP;
    RETURN format('%s unnoticed, %s wrong of %s%s', cardinality(unnoticed), cardinality(wrong), CASE WHEN bytes > 0 THEN 'some' ELSE 'none' END,
        ': ' || nullif(array_to_string(unnoticed[1:3] || wrong[1:3], ', '), ''));
END
$$"#;

/// The columns whose bytes are hftok's own, but for the log and its signatures, of which `81_audit_tampering` changes every byte.
const COLUMNS: [(&str, &str); 9] = [
    ("hftok_private.secrets", "sealed"),
    ("hftok_private.secrets", "fingerprint"),
    ("hftok_private.secret_versions", "sealed"),
    ("hftok_private.secret_versions", "fingerprint"),
    ("hftok_private.secret_versions", "superseded_mark"),
    ("hftok_private.data_keys", "wrapped"),
    ("hftok_private.data_keys", "root_fingerprint"),
    ("hftok_private.database_identity", "root"),
    ("hftok_private.providers", "signature"),
];

/// A small database: a value of each kind, two versions, a key of an organisation's own, a provider that an operator registered.
fn small(cluster: &Cluster) -> Client {
    let mut client = cluster.database("app");
    put(&mut client, "name", "before");
    put(&mut client, "name", VALUE);
    client
        .batch_execute(&format!(
            "SELECT hftok.save_hf_token('{VALUE}', p_user_id => 'alice');
             SELECT hftok.save_hf_token('{VALUE}', p_org_id => 'acme'), hftok.give_org_key('acme');
             SELECT hftok.register_provider('{{\"name\": \"ours\", \"label\": \"Ours\", \"fields\": [{{\"name\": \"key\", \"secret\": true}}]}}');
            "
        ))
        .expect("a small database");
    settled(&mut client);
    client.batch_execute(FLIP).expect("the function");
    client
}

#[test]
fn every_byte_that_is_changed_is_named_and_none_changes_a_value() {
    let cluster = Cluster::start_default();
    let mut client = small(&cluster);
    for (table, column) in COLUMNS {
        let found: String = one(
            &mut client,
            "SELECT public.flip($1::text::regclass, $2::text::name, $3)",
            &[&table, &column, &VALUE],
        );
        assert_eq!(found, "0 unnoticed, 0 wrong of some", "{table}.{column}");
    }
    assert_eq!(one::<i64>(&mut client, "SELECT failed FROM hftok.verify() WHERE kind = 'total'", &[]), 0);
}
