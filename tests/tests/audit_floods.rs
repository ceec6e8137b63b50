//! Users who have themselves refused again and again, each time for something else: the audit stays small, says how often and to
//! whom, and others' refusals are in it with their ids.

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use hftok_tests::answer::{one, refused};
use hftok_tests::audit::{count, rows, settled, verified};
use hftok_tests::cluster::Cluster;

const REFUSALS: i64 = 100_000;
/// The first of a kind and the row for those beyond.
const ROWS_OF_A_KIND: i64 = 17;

#[test]
fn a_flood_of_refusals_is_counted_and_hides_nobodys() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    client
        .batch_execute(
            "CREATE ROLE flooder LOGIN; CREATE ROLE other LOGIN; CREATE ROLE service LOGIN;
             GRANT hftok_user TO flooder, other; GRANT hftok_service TO service",
        )
        .expect("roles");
    settled(&mut client);
    let begin = Instant::now();
    let ids = scope(|scope| {
        let flood = [
            "delete_integration_with_vault(gen_random_uuid())",
            "delete_credential('openai', gen_random_uuid()::text, i::text)",
        ];
        for call in flood {
            let cluster = &cluster;
            scope.spawn(move || {
                let each = REFUSALS / 2;
                let sql = format!(
                    "DO $$ BEGIN FOR i IN 1..{each} LOOP
                         BEGIN PERFORM hftok.{call}; EXCEPTION WHEN OTHERS THEN NULL; END;
                     END LOOP; END $$"
                );
                cluster.client("flooder", "app").batch_execute(&sql).expect("a flood");
            });
        }
        let mut others = [cluster.client("other", "app"), cluster.client("service", "app")];
        let mut ids = Vec::new();
        for number in 0..40 {
            let id = uuid::Uuid::from_u128(number);
            let asked = "SELECT hftok.get_integration_credentials($1, p_user_id => 'alice')";
            let deleted = "SELECT hftok.update_integration($1, p_enabled => false)";
            let [user, service] = &mut others;
            refused(service.query(asked, &[&id]), "PT404");
            refused(user.query(deleted, &[&id]), "PT404");
            ids.push(id);
            sleep(Duration::from_millis(50));
        }
        ids
    });
    let lasted = i64::try_from(begin.elapsed().as_millis()).expect("a number");
    settled(&mut client);
    let told = count(&mut client, "kind = 'refusal' AND role_name = 'flooder'");
    let left_out =
        count(&mut client, "outcome = 'left_out' AND role_name = 'flooder' AND login_role = 'flooder'");
    assert_eq!(told + left_out, REFUSALS, "{told} told, {left_out} left out");
    assert_eq!(count(&mut client, "outcome = 'left_out'"), left_out, "nobody else's");
    // Two kinds, and a round is no shorter than ten milliseconds as long as this goes on.
    let written = rows(&mut client, "kind = 'refusal' AND role_name = 'flooder'");
    assert!(
        written <= 2 * ROWS_OF_A_KIND * (lasted / 10 + 1) && written < REFUSALS / 5,
        "{written} rows in {lasted} ms"
    );
    for role in ["other", "service"] {
        let found: i64 = one(
            &mut client,
            "SELECT count(*) FROM hftok_private.audit_rows WHERE kind = 'refusal' AND role_name = $1 AND object_id = ANY ($2)",
            &[&role, &ids],
        );
        assert_eq!(found, 40, "refusals of {role}");
    }
    verified(&mut client);
}
