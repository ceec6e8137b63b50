//! `hftok run --refresh`: a command gets new credentials when they change, and not otherwise.

#![allow(clippy::expect_used, clippy::panic, missing_docs)]

#[path = "command/mod.rs"]
mod command;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use command::{hftok_on, said};
use hftok_tests::audit::{settled, without_writer};
use hftok_tests::cluster::{Cluster, signal};

const PATIENCE: Duration = Duration::from_secs(60);

/// A token that ends in this number.
fn token(number: u32) -> String {
    format!("hf_aliceAliceAliceAliceAliceAlice{number:04}")
}

/// A command under `hftok run --refresh` for alice.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(cluster: &Cluster, refresh: &[&str], script: &str) -> Self {
        let line =
            [&["run", "--provider", "huggingface", "--user", "alice"], refresh, &["--", "sh", "-c", script]];
        let mut command = hftok_on(cluster, "postgres", "app", &line.concat());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.expect("it starts");
        let (tells, lines) = channel();
        let out = child.stdout.take().expect("a pipe");
        std::thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| tells.send(line))
        });
        Self { child, lines }
    }

    #[track_caller]
    fn prints(&self, text: &str) {
        assert_eq!(self.lines.recv_timeout(PATIENCE).as_deref(), Ok(text));
    }

    #[track_caller]
    fn is_silent(&self) {
        assert_eq!(self.lines.recv_timeout(Duration::from_secs(2)).ok(), None);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        signal(self.child.id(), "TERM");
        let _ = self.child.wait();
    }
}

const WORK: &str = "echo got-$HF_TOKEN; while :; do sleep 0.05; done";

fn save(client: &mut postgres::Client, user: &str, number: u32) {
    client
        .execute("SELECT hftok.save_hf_token($1, p_user_id => $2)", &[&token(number), &user])
        .expect("saved");
}

#[test]
fn a_command_is_restarted_when_its_credential_changes_and_only_then() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    save(&mut client, "alice", 1);
    let running = Running::start(&cluster, &["--refresh"], WORK);
    running.prints(&format!("got-{}", token(1)));
    save(&mut client, "bob", 9);
    client
        .execute("NOTIFY hftok, '{\"event\": \"update\", \"secret_id\": \"\", \"version\": 1}'", &[])
        .expect("told");
    client.execute("NOTIFY hftok, 'no JSON'", &[]).expect("told");
    running.is_silent();
    save(&mut client, "alice", 2);
    running.prints(&format!("got-{}", token(2)));
    // A new connection is made where the one that listened broke.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'hftok'";
    assert!(client.execute(end, &[]).expect("ended") >= 1);
    save(&mut client, "alice", 3);
    running.prints(&format!("got-{}", token(3)));
    client.execute("DELETE FROM hftok.credentials WHERE scope_id = 'alice'", &[]).expect("deleted");
    running.prints("got-");
}

/// Reveals of alice's token that the audit has, once what waits is written.
fn reveals(client: &mut postgres::Client) -> i64 {
    settled(client);
    let count = "SELECT coalesce(sum(count), 0)::bigint FROM hftok.audit_events WHERE outcome = 'used' AND owner_id = 'alice'";
    client.query_one(count, &[]).expect("counted").get(0)
}

#[test]
fn a_flood_of_notifications_reveals_nothing_and_hides_no_change() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    save(&mut client, "alice", 1);
    // The writer tells of it, and that is over before it leaves.
    settled(&mut client);
    without_writer(&cluster);
    let running = Running::start(&cluster, &["--refresh"], WORK);
    running.prints(&format!("got-{}", token(1)));
    let before = reveals(&mut client);
    assert!(before >= 1, "{before}");
    let mut stranger = cluster.client("postgres", "app");
    let stop = Arc::new(AtomicBool::new(false));
    let stops = Arc::clone(&stop);
    let flood = std::thread::spawn(move || {
        // A part of an id is in the answer of every walk.
        let told = "NOTIFY hftok, '{\"event\": \"update\", \"secret_id\": \"-\", \"version\": 1}'";
        while !stops.load(Ordering::SeqCst) {
            stranger.batch_execute(told).expect("told");
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    running.is_silent();
    assert_eq!(reveals(&mut client), before, "nobody asked for a value");
    save(&mut client, "alice", 2);
    running.prints(&format!("got-{}", token(2)));
    stop.store(true, Ordering::SeqCst);
    flood.join().expect("it ended");
}

#[test]
fn a_command_that_does_not_end_is_killed_and_one_that_wants_a_signal_gets_it() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    save(&mut client, "alice", 1);
    // Whatever it started goes with it.
    let some_time = "for i in $(seq 150); do sleep 0.05; done";
    let stubborn =
        format!("trap '' TERM; sh -c 'trap \"\" TERM; {some_time}' & echo got-$HF_TOKEN; {some_time}");
    let stubborn = Running::start(&cluster, &["--refresh", "--grace", "1", "--mask"], &stubborn);
    let told = "trap 'echo told' HUP; echo got-$HF_TOKEN; while :; do sleep 0.05; done";
    let told = Running::start(&cluster, &["--refresh=HUP"], told);
    stubborn.prints("got-[HF_TOKEN]***************************");
    told.prints(&format!("got-{}", token(1)));
    save(&mut client, "alice", 2);
    stubborn.prints("got-[HF_TOKEN]***************************");
    told.prints("told");
    // A signal for us is one for the command; its own end is ours.
    signal(told.child.id(), "HUP");
    told.prints("told");
    drop(stubborn);
    drop(told);
}

#[test]
fn there_is_nothing_to_learn_without_a_server() {
    let cluster = Cluster::start_default();
    drop(cluster.database("app"));
    let line = ["run", "--no-server", "--refresh", "--", "echo", "started"];
    let got = said(&mut hftok_on(&cluster, "postgres", "app", &line), "");
    assert_eq!((got.code, got.out.as_str()), (Some(125), ""), "{got:?}");
    let line = ["run", "--refresh=KILL", "--", "echo", "started"];
    assert_eq!(said(&mut hftok_on(&cluster, "postgres", "app", &line), "").code, Some(2));
    // A command that ends by itself ends hftok.
    let line = ["run", "--refresh", "--", "sh", "-c", "echo started; exit 3"];
    let got = said(&mut hftok_on(&cluster, "postgres", "app", &line), "");
    assert_eq!((got.code, got.out.as_str()), (Some(3), "started\n"), "{got:?}");
}
