//! A caller who cancels while a value is opened or judged gets a cancel: nothing is said of the value, and the audit accuses
//! nobody of having changed it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use hftok_tests::answer::one;
use hftok_tests::audit::{count, settled, verified};
use hftok_tests::cluster::Cluster;
use postgres::Client;
use uuid::Uuid;

/// JSON that takes a while to be read, as much as a credential may have.
const LONG: &str = "jsonb_build_object('type', 'service_account', 'project_id', 'p',
    'token_uri', 'https://oauth2.googleapis.com/token', 'client_email', 'a@b.example',
    'private_key', E'-----BEGIN PRIVATE KEY-----\\n' || repeat('A', 60000))::text";

/// The outcome of calls: answers, and how many were cancelled.
#[derive(Default)]
struct Outcomes {
    answered: AtomicUsize,
    cancelled: AtomicUsize,
}

impl Outcomes {
    /// Whether it was cancelled often enough.
    fn suffice(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) > 3
    }
}

/// Calls again and again while somebody cancels.
#[track_caller]
fn call(client: &mut Client, sql: &str, stop: &AtomicBool, outcomes: &Outcomes) {
    while !stop.load(Ordering::Relaxed) {
        match client.query_one(sql, &[]) {
            Ok(row) => {
                assert!(row.get::<_, bool>(0), "{sql}");
                outcomes.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                let code = error.code().unwrap_or_else(|| panic!("{sql}: {error:?}")).code().to_owned();
                assert_eq!(code, "57014", "{sql}: {error:?}");
                outcomes.cancelled.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn a_cancel_says_nothing_of_a_value() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    let create = "SELECT hftok.create_integration_with_vault('n', 'google_cloud', {}, p_user_id => 'alice')";
    let id: Uuid = one(&mut client, &create.replace("{}", LONG), &[]);
    let save = format!("SELECT hftok.save_credential('google_cloud', {LONG}, p_user_id => 'alice')");
    client.batch_execute(&save).expect("saved");
    let calls = [
        format!("SELECT length(hftok.get_integration_credentials('{id}', 'alice')::text) > 60000"),
        "SELECT length(token) > 60000 FROM hftok.resolve_token('google_cloud', 'alice')".to_owned(),
        format!("{save} IS NOT NULL"),
        format!("SELECT ok FROM hftok.check_credential('google_cloud', {LONG})"),
        "SELECT sum(failed) = 0 FROM hftok.verify()".to_owned(),
    ];
    let stop = AtomicBool::new(false);
    let outcomes: Vec<Outcomes> = calls.iter().map(|_| Outcomes::default()).collect();
    scope(|scope| {
        let callers: Vec<_> = calls
            .iter()
            .zip(&outcomes)
            .map(|(sql, outcomes)| {
                let mut caller = cluster.client("postgres", "app");
                let process: i32 = one(&mut caller, "SELECT pg_backend_pid()", &[]);
                let stop = &stop;
                (process, scope.spawn(move || call(&mut caller, sql, stop, outcomes)))
            })
            .collect();
        let begun = Instant::now();
        // As long as is needed where others keep the processors busy, so that a short call is seldom the one that runs.
        let is_enough = || begun.elapsed().as_secs() >= 6 && outcomes.iter().all(Outcomes::suffice);
        let mut turn = 0_u64;
        while !is_enough()
            && begun.elapsed().as_secs() < 90
            && callers.iter().all(|(_, caller)| !caller.is_finished())
        {
            for (process, _) in &callers {
                client.query("SELECT pg_cancel_backend($1)", &[process]).expect("cancel");
            }
            turn += 1;
            sleep(Duration::from_micros(500 + turn * 7919 % 150_000));
        }
        stop.store(true, Ordering::Relaxed);
        for ((_, caller), sql) in callers.into_iter().zip(&calls) {
            caller.join().unwrap_or_else(|_| panic!("{sql}"));
        }
    });
    for (sql, outcomes) in calls.iter().zip(&outcomes) {
        assert!(outcomes.suffice(), "{sql}");
    }
    let answered: usize = outcomes.iter().map(|outcomes| outcomes.answered.load(Ordering::Relaxed)).sum();
    assert!(answered > 10, "{answered} answered");
    settled(&mut client);
    assert_eq!(count(&mut client, "outcome = 'decrypt_failed'"), 0);
    verified(&mut client);
}
