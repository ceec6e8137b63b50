//! `hftok runner`: tokens of workers, the server that gives them their environment, and the push to a control plane.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

#[path = "command/mod.rs"]
mod command;
#[path = "command/runners.rs"]
mod runners;
#[path = "command/worker.rs"]
mod worker;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use command::{hftok_on, said};
use hftok_tests::answer::one;
use hftok_tests::cluster::Cluster;
use runners::{SERVER, database, runner, save, serve, token, value};
use worker::{Events, Serving};

fn changed(number: u64) -> Option<(String, Option<u64>)> {
    Some(("changed".to_owned(), Some(number)))
}

#[test]
fn a_token_is_shown_once_listed_without_it_and_revoked() {
    let _client = database("tokens");
    let create = ["token", "create", "gpu-7", "--provider", "huggingface,openai", "--user", "alice"];
    let made = said(&mut runner("tokens", &create), "");
    assert_eq!((made.code, made.out.trim().len()), (Some(0), 56), "{made:?}");
    let json = said(&mut runner("tokens", &[&create[..], &["--json"]].concat()), "");
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    let id = json["id"].as_str().expect("an id");
    let listed = said(&mut runner("tokens", &["token", "list"]), "");
    assert!(listed.out.contains("gpu-7  huggingface,openai  user alice"), "{listed:?}");
    assert!(!listed.out.contains("hftok_runner_"), "{listed:?}");
    let revoked = said(&mut runner("tokens", &["token", "revoke", id]), "");
    assert_eq!((revoked.code, revoked.out), (Some(0), format!("revoked {id}\n")));
    assert_eq!(said(&mut runner("tokens", &["token", "revoke", id]), "").code, Some(3));
    let listed = said(&mut runner("tokens", &["token", "list", "--json"]), "");
    assert!(!listed.out.contains(id), "{listed:?}");
    let refused = said(&mut hftok_on(&SERVER, "nobody", "tokens", &[&["runner"], &create[..]].concat()), "");
    assert_eq!(refused.code, Some(3), "{refused:?}");
}

#[test]
fn a_worker_gets_what_its_token_stands_for_and_strangers_learn_next_to_nothing() {
    let mut client = database("asked");
    save(&mut client, Some("alice"), 1);
    let (alice, id) = token(&mut client, "alice");
    let serving = serve("asked", &[]);
    let (status, head, body) = serving.get("/v1/environment", Some(&alice));
    assert_eq!(status, 200, "{head}\n{body}");
    assert!(head.contains("cache-control: no-store") && head.contains("application/json"), "{head}");
    let told: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(told["environment"]["HF_TOKEN"], value(Some("alice"), 1));
    assert!(told["environment"]["HF_OIDC_RESOURCE"].is_null());

    let never = format!("hftok_runner_{}", "A".repeat(43));
    let revoked = one::<bool>(&mut client, "SELECT hftok.revoke_runner_token($1::text::uuid)", &[&id]);
    assert!(revoked);
    let answers: Vec<_> = [alice.as_str(), &never, "hf_of_another_kind", ""]
        .iter()
        .flat_map(|token| ["/v1/environment", "/v1/events"].map(|path| serving.get(path, Some(token))))
        .map(|(status, _, body)| (status, body))
        .collect();
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, 401);

    for (query, provided) in
        [("", true), ("?provider=openai", false), ("?provider=no%20such", false), ("?model=a%2Fb", true)]
    {
        let (status, _, body) = serving.get(&format!("/v1/environment{query}"), None);
        assert_eq!((status, body), (200, format!("{{\"token_provided\":{provided}}}")), "{query}");
    }
    assert_eq!(serving.get("/v1/environment?user=alice", None).0, 400);
    assert_eq!(serving.get("/v1/other", None).0, 404);
    assert_eq!(serving.send("POST /v1/environment HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n").0, 405);
    assert_eq!(serving.get("/health", None).2, "{\"ok\":true}");
    let long = format!("GET /health HTTP/1.1\r\nHost: w\r\nX: {}\r\n\r\n", "x".repeat(70_000));
    assert!(matches!(serving.send(&long).0, 431 | 0));

    let (code, said) = serving.stop();
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let asked =
        "SELECT count(*) FROM hftok.audit_events WHERE action = 'runner_environment' AND subject = $1";
    let recipient = format!("runner:{id}");
    hftok_tests::wait_until("the audit knows to whom", 10, || {
        one::<i64>(&mut client, asked, &[&recipient]) == 1
    });
}

#[test]
fn a_change_is_heard_by_those_whom_it_concerns_also_after_postgres_was_away() {
    let cluster = Cluster::start_default();
    let mut client = cluster.database("app");
    save(&mut client, None, 0);
    let ((alice, alices), (bob, _)) = (token(&mut client, "alice"), token(&mut client, "bob"));
    let arguments = ["runner", "serve", "--listen", "127.0.0.1:0"];
    let serving = Serving::start(&mut hftok_on(&cluster, "postgres", "app", &arguments));
    let (mut of_alice, mut of_bob) = (serving.events(&alice), serving.events(&bob));
    save(&mut client, Some("alice"), 1);
    assert_eq!(of_alice.next(), changed(1));
    cluster.restart();
    let mut client = cluster.client("postgres", "app");
    save(&mut client, Some("alice"), 2);
    assert_eq!(of_alice.next(), changed(2));
    save(&mut client, Some("bob"), 1);
    // The first that he hears of: nothing of alice's concerned him.
    assert_eq!(of_bob.next(), changed(1));
    assert!(serving.get("/v1/environment", Some(&bob)).2.contains(&value(Some("bob"), 1)));
    assert!(one::<bool>(&mut client, "SELECT hftok.revoke_runner_token($1::text::uuid)", &[&alices]));
    assert_eq!(of_alice.next(), Some(("revoked".to_owned(), None)));
    assert_eq!(of_alice.next(), None);
    let (code, said) = serving.stop();
    assert_eq!(of_bob.next(), None);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Postgres answers again") && !said.contains("hf_"), "{said}");
}

/// As many as a process may have open beside its own.
fn open_files(most: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum.map_or(most, |maximum| maximum.min(most));
    if limit.current.is_some_and(|has| has < current) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum })
            .expect("a limit");
    }
}

#[test]
fn a_change_reaches_a_thousand_runners_within_seconds() {
    const RUNNERS: usize = 1000;
    open_files(4096);
    let mut client = database("thousand");
    let made = "SELECT t.token FROM generate_series(1, $1::int) n,
        LATERAL hftok.create_runner_token('worker ' || n, '{huggingface}', 'user ' || n) t";
    let count = i32::try_from(RUNNERS).expect("a number");
    let tokens: Vec<String> =
        client.query(made, &[&count]).expect("made").iter().map(|row| row.get(0)).collect();
    let serving = serve("thousand", &[]);
    let mut streams: Vec<Events> = tokens.iter().map(|token| serving.events(token)).collect();
    let memory = |field: &str| -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", serving.child.id())).expect("a process");
        let line = status.lines().find(|line| line.starts_with(field)).expect("a field");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    };
    let before = memory("VmRSS:");
    let begun = Instant::now();
    save(&mut client, None, 1);
    assert!(streams.iter_mut().all(|stream| stream.next() == changed(1)));
    let took = begun.elapsed();
    println!(
        "{RUNNERS} runners heard of a change after {took:?}; VmRSS {before} kB, then {} kB",
        memory("VmRSS:")
    );
    // What is promised is 2 s, by a program that is made for use on a machine that does nothing else.
    assert!(took < Duration::from_secs(20), "{took:?}");
    for number in 2..12 {
        save(&mut client, None, number);
    }
    assert!(streams.iter_mut().all(|stream| stream.next().is_some()));
    assert!(memory("VmHWM:") < 128 * 1024, "{} kB", memory("VmHWM:"));
}

#[test]
fn who_says_nothing_or_too_much_is_let_go() {
    let mut client = database("bounded");
    let (alice, _) = token(&mut client, "alice");
    let serving = serve("bounded", &["--max-connections", "4"]);
    // What it has not read makes Linux say that it was reset.
    let is_closed = |mut stream: TcpStream| match stream.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    let begun = Instant::now();
    let say_little = |mut stream: TcpStream| {
        stream.write_all(b"GET /health HTTP/1.1\r\nX-Slow: ").expect("sent");
        stream
    };
    // Of more than half of the places, one machine's oldest is closed, so that it gets an answer as well.
    let mut slow: Vec<TcpStream> = (0..3).map(|_| say_little(serving.connect())).collect();
    assert!(is_closed(slow.remove(0)));
    assert_eq!(serving.get("/health", None).0, 200);
    assert!(is_closed(slow.remove(0)));
    slow.push(say_little(serving.connect()));
    slow.extend((0..2).map(|_| say_little(serving.connect_from("127.0.0.2"))));
    // All places are taken.
    hftok_tests::wait_until("further connections are closed", 5, || {
        is_closed(serving.connect_from("127.0.0.3"))
    });
    for mut one in slow {
        let mut answer = Vec::new();
        let _ = one.read_to_end(&mut answer);
    }
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert_eq!(serving.get("/health", None).0, 200);
    drop(serving);
    // A token has a few streams, and no more.
    let serving = serve("bounded", &[]);
    let held: Vec<Events> = (0..32).map(|_| serving.events(&alice)).collect();
    assert_eq!(serving.get("/v1/events", Some(&alice)).0, 429);
    drop(held);
    let again = || serving.get("/health", None).0 == 200;
    hftok_tests::wait_until("it goes on", 5, again);
}

/// A control plane: the bodies that are posted to it, each answered with the next status.
fn control_plane(statuses: &'static [u16]) -> (String, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/environment", listener.local_addr().expect("an address"));
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = BufReader::new(stream.expect("a connection"));
            let (mut head, mut line) = (String::new(), String::new());
            while stream.read_line(&mut line).expect("a line") > 2 {
                head.push_str(&std::mem::take(&mut line));
            }
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
            let mut body = vec![0; length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)];
            stream.read_exact(&mut body).expect("a body");
            let status = statuses.get(number).copied().unwrap_or(204);
            let answer = format!(
                "HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            stream.get_mut().write_all(answer.as_bytes()).expect("answered");
            if sender.send((head, String::from_utf8(body).expect("text"))).is_err() {
                return;
            }
        }
    });
    (address, receiver)
}

#[test]
fn a_control_plane_is_pushed_to_with_each_change_and_the_last_one_counts() {
    let mut client = database("pushed");
    let (alice, id) = token(&mut client, "alice");
    let (address, received) = control_plane(&[204, 302, 500]);
    let mut push = runner("pushed", &["push", &address]);
    push.env("HFTOK_RUNNER_TOKEN", &alice).env("HFTOK_PUSH_TOKEN", "known").stdin(Stdio::null());
    let mut child = push.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let next = || received.recv_timeout(Duration::from_secs(30)).expect("a push");
    let (head, body) = next();
    assert!(head.to_ascii_lowercase().contains("authorization: bearer known"), "{head}");
    let told: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(told["environment"]["HF_TOKEN"], value(None, 0));
    // Two pushes fail, by a redirect that is not followed and by an error; the value changes meanwhile.
    save(&mut client, Some("alice"), 1);
    assert!(next().1.contains(&value(Some("alice"), 1)));
    save(&mut client, Some("alice"), 2);
    let (former, latest) = (value(Some("alice"), 1), value(Some("alice"), 2));
    let is_latest = |body: &str| {
        assert!(body.contains(&former) || body.contains(&latest), "{body}");
        body.contains(&latest)
    };
    while !is_latest(&next().1) {}
    // The one that failed is tried again; an older one never comes after it.
    while let Ok((_, body)) = received.recv_timeout(Duration::from_secs(5)) {
        assert!(is_latest(&body), "{body}");
    }
    assert!(one::<bool>(&mut client, "SELECT hftok.revoke_runner_token($1::text::uuid)", &[&id]));
    let mut err = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(3), "{err}");
    assert!(err.contains("302") && err.contains("500") && !err.contains("hf_"), "{err}");
    assert!(received.try_recv().is_err(), "nothing was pushed twice");

    let (bob, _) = token(&mut client, "bob");
    let (address, received) = control_plane(&[]);
    let once = said(runner("pushed", &["push", "--once", &address]).env("HFTOK_RUNNER_TOKEN", &bob), "");
    assert_eq!(once.code, Some(0), "{once:?}");
    assert!(received.recv().expect("a push").1.contains(&value(None, 0)));
    let far = said(runner("pushed", &["push", "http://192.0.2.1/"]).env("HFTOK_RUNNER_TOKEN", &bob), "");
    assert!(far.code == Some(2) && far.err.contains("https"), "{far:?}");
}

#[test]
fn a_command_that_the_runner_service_started_is_restarted_with_a_new_value() {
    let mut client = database("refreshed");
    save(&mut client, Some("alice"), 1);
    let (alice, _) = token(&mut client, "alice");
    let serving = serve("refreshed", &[]);
    let url = format!("http://{}", serving.address);
    let script = "echo got-$HF_TOKEN; while :; do sleep 0.05; done";
    let mut command = command::hftok(&["run", "--runner", &url, "--refresh", "--", "sh", "-c", script]);
    command.env("HFTOK_RUNNER_TOKEN", &alice).stdin(Stdio::null()).stderr(Stdio::null());
    let mut running = command::Running(command.stdout(Stdio::piped()).spawn().expect("it starts"));
    let mut lines = BufReader::new(running.0.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    for number in 1..4 {
        assert_eq!(next(), format!("got-{}", value(Some("alice"), number)));
        save(&mut client, Some("alice"), number + 1);
    }
    let process = running.0.id();
    hftok_tests::cluster::signal(process, "TERM");
    running.0.wait().expect("it ends");
}
