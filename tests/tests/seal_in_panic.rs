//! seal() as a panic button: pressed while many sessions read and others wait, it stops all of them at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hftok_tests::answer::{create, get, one, sealed_reason};
use hftok_tests::cluster::Cluster;
use hftok_tests::rotation::{destroyed, rotate};
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;
use postgres::Client;

/// Sessions that do nothing while it is pressed.
const IDLE: usize = 100;
/// Sessions that read.
const READERS: usize = 200;
/// The longest that it may take, on a machine that is busy with other tests.
const SECONDS_MAX: u64 = 5;

fn server() -> Cluster {
    Setup::default().setting("max_connections = 400").start()
}

/// Presses the button, and prints how long it took.
fn press(cluster: &Cluster, what: &str) -> Duration {
    let mut operator = cluster.client("postgres", "app");
    let begun = Instant::now();
    operator.batch_execute("SELECT hftok.seal()").expect("seal");
    let took = begun.elapsed();
    println!("seal() with {what}: {took:?}");
    took
}

/// It was pressed in time.
fn assert_sealed(cluster: &Cluster, took: Duration) {
    assert!(took < Duration::from_secs(SECONDS_MAX), "{took:?}");
    assert!(sealed_reason(&mut cluster.client("postgres", "app")).0);
}

#[test]
fn sessions_that_have_read_before_read_nothing_afterwards() {
    let cluster = server();
    create(&mut cluster.database("app"), "kept", "value");
    let mut sessions: Vec<Client> = (0..IDLE).map(|_| cluster.client("postgres", "app")).collect();
    for session in &mut sessions {
        assert_eq!(get(session, "kept").expect("opens"), "value");
    }
    assert_sealed(&cluster, press(&cluster, "100 idle sessions"));
    assert!(sessions.iter_mut().all(|session| get(session, "kept").is_err()));
    let kept = "SELECT hftok_private.keyring_state()::jsonb ->> 'data_keys_kept'";
    assert_eq!(one::<String>(&mut sessions[0], kept, &[]), "0");
}

/// A call that begins after seal() has returned gets nothing, and neither does it hang.
#[test]
fn under_two_hundred_readers_the_next_call_of_each_is_refused() {
    let cluster = server();
    let mut client = cluster.database("app");
    for number in 0..50 {
        create(&mut client, &format!("s{number}"), "value");
    }
    let (is_over, reads, is_sealed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let (cluster, is_over, reads, is_sealed) = (&cluster, &is_over, &reads, &is_sealed);
                scope.spawn(move || {
                    let mut session = cluster.client("postgres", "app");
                    let mut late = 0;
                    while !is_over.load(Ordering::SeqCst) {
                        let began_sealed = is_sealed.load(Ordering::SeqCst);
                        match get(&mut session, &format!("s{}", reader % 50)) {
                            Ok(_) if began_sealed => late += 1,
                            Ok(_) => drop(reads.fetch_add(1, Ordering::Relaxed)),
                            Err(error) => {
                                let code = error.code().map(|code| code.code().to_owned());
                                assert_eq!(code.as_deref(), Some("53HF1"), "{error:?}");
                                thread::sleep(Duration::from_millis(20));
                            }
                        }
                    }
                    late
                })
            })
            .collect();
        wait_until("all of them read", 60, || reads.load(Ordering::Relaxed) > 20 * READERS);
        let took = press(&cluster, "200 readers");
        is_sealed.store(true, Ordering::SeqCst);
        thread::sleep(Duration::from_secs(1));
        is_over.store(true, Ordering::SeqCst);
        assert_sealed(&cluster, took);
        let late: usize = readers.into_iter().map(|reader| reader.join().expect("a reader")).sum();
        assert_eq!(late, 0, "values were handed out after the seal");
    });
    client.batch_execute("SELECT hftok.unseal()").expect("unseal");
    assert_eq!(get(&mut client, "s1").expect("opens"), "value");
}

/// Everything is sealed anew at that moment: nothing is half done.
#[test]
fn in_the_middle_of_a_rotation_it_is_as_fast() {
    let cluster = server();
    let mut client = cluster.database("app");
    client
        .batch_execute("SELECT hftok.create_secret('v' || n, 's' || n) FROM generate_series(1, 3000) n")
        .expect("saved");
    let former = rotate(&mut client);
    assert_sealed(&cluster, press(&cluster, "a rotation"));
    client.batch_execute("SELECT hftok.unseal()").expect("unseal");
    destroyed(&mut client, former);
    assert_eq!(get(&mut client, "s2999").expect("opens"), "v2999");
}
