//! Root keys lie in pages of memory that core dumps leave out, and after sealing nowhere.

use hftok_tests::answer::{create, get, one, refused, sealed_reason};
use hftok_tests::cluster::Cluster;
use hftok_tests::process::{Region, has_ended, has_key_schedule, regions_where, regions_with, titled};
use hftok_tests::root_key::RootKey;
use hftok_tests::setup::Setup;
use hftok_tests::wait_until;

/// The regions of all processes of the server that hold one of the needles, or `None` when we may not look.
fn found(cluster: &Cluster, needles: &[Vec<u8>]) -> Option<Vec<Region>> {
    let processes = cluster.processes();
    assert!(processes.len() > 4, "the processes of the server were not found: {processes:?}");
    let mut regions = Vec::new();
    for process in processes {
        match regions_with(process, needles) {
            Ok(found) => regions.extend(found),
            Err(error) if has_ended(&error) => {}
            Err(error) => {
                eprintln!(
                    "skipped: the memory of the server's processes cannot be read here ({error}); be root"
                );
                return None;
            }
        }
    }
    Some(regions)
}

#[test]
fn after_sealing_no_process_holds_a_root_key() {
    let keys = [RootKey::random(1), RootKey::random(2)];
    // Every process sees the shared buffers: the fewer, the faster.
    let cluster = Setup::default().keys(&keys).setting("shared_buffers = 1MB").start();
    let mut client = cluster.database("app");
    let mut other = cluster.client("postgres", "app");
    let mut reader = cluster.client("postgres", "app");
    create(&mut client, "name", "value");
    // Has the keyring read a second time, and data keys unwrapped by another process than the one that made them.
    other.batch_execute("SELECT hftok.unseal()").expect("unseal");
    assert_eq!(get(&mut reader, "name").expect("opens"), "value");
    create(&mut other, "another", "value");

    let raw: Vec<Vec<u8>> = keys.iter().map(|key| key.bytes.to_vec()).collect();
    let text = keys.iter().flat_map(|key| [key.hex(), key.hex().to_uppercase()]).map(String::into_bytes);
    let needles: Vec<Vec<u8>> = raw.iter().cloned().chain(text).collect();
    let Some(open) = found(&cluster, &needles) else { return };
    let (shared, own): (Vec<&Region>, Vec<&Region>) = open.iter().partition(|region| region.is_shared());
    // The audit's writer may have ended since; the sessions have not.
    let flags: Vec<_> = shared.iter().filter_map(|region| region.flags()).collect();
    assert!(
        !flags.is_empty(),
        "the keys were not found where they must be, so that finding none proves nothing"
    );
    for flags in flags {
        assert!(flags.iter().any(|flag| flag == "dd"), "not excluded from core dumps: {flags:?}");
    }
    // A key in memory of a single process would be in its core dump.
    assert!(own.is_empty(), "copies outside of the shared pages while open: {own:#?}");

    client.batch_execute("SELECT hftok.seal()").expect("seal");
    for session in [&mut client, &mut other, &mut reader] {
        refused(get(session, "name"), "53HF1");
    }
    let left = found(&cluster, &needles).expect("readable a moment ago");
    assert!(left.is_empty(), "left after sealing: {left:#?}");
}

/// A command's output passes through a pipe and a buffer.
#[test]
fn a_key_command_leaves_nothing_either() {
    let key = RootKey::random(1);
    let cluster = Setup::default().keys(std::slice::from_ref(&key)).setting("shared_buffers = 1MB").make();
    cluster.configure(&format!(
        "hftok.key_file = ''\nhftok.key_command = 'cat {}'",
        cluster.keyring().display()
    ));
    cluster.start();
    let mut client = cluster.database("app");
    wait_until("the keyring is there", 10, || !sealed_reason(&mut client).0);
    create(&mut client, "name", "value");
    let worker = titled(&cluster, "hftok keyring").expect("the worker runs");
    let needles = [key.bytes.to_vec(), key.hex().into_bytes()];
    let Some(open) = found(&cluster, &needles) else { return };
    assert!(open.iter().any(|region| region.process == worker), "the worker has the shared pages");
    client.batch_execute("SELECT hftok.seal()").expect("seal");
    let left = found(&cluster, &needles).expect("readable a moment ago");
    assert!(left.is_empty(), "left after sealing: {left:#?}");
    assert_eq!(one::<i64>(&mut client, "SELECT secrets FROM hftok.status()", &[]), 1);
}

/// The expanded keys of the cipher lie on the stack and in registers of the process that seals or opens, and begin with the key.
/// Only a release build leaves them in registers long enough for a signal to write them on the stack.
#[test]
fn no_process_keeps_the_schedule_of_a_key() {
    // Words as those of a schedule are, made up.
    let mut words: Vec<u32> = (1..=8_u32).map(|number| number.wrapping_mul(0x9e37_79b9)).collect();
    for at in 8..60 {
        words.push(words[at - 8] ^ if at % 4 == 0 { words[at - 1].rotate_left(8) } else { words[at - 1] });
    }
    let own = regions_where(std::process::id(), has_key_schedule);
    let Ok(own) = own else {
        return eprintln!("skipped: the memory of a process cannot be read here; be root");
    };
    assert!(!own.is_empty(), "{words:?}: if none is found here, finding none proves nothing");

    let cluster = Setup::default().setting("shared_buffers = 1MB").start();
    let mut client = cluster.database("app");
    let mut reader = cluster.client("postgres", "app");
    create(&mut client, "name", "value");
    // The shortest way from the cipher to an answer, so that little of the stack is used again.
    for _ in 0..100 {
        assert_eq!(get(&mut reader, "name").expect("opens"), "value");
    }
    let on_stack = |found: Vec<Region>| found.into_iter().find(|region| region.line.ends_with("[stack]"));
    // The postmaster draws random numbers by OpenSSL, whose schedule its children inherit with the stack.
    if regions_where(cluster.postmaster(), has_key_schedule).is_ok_and(|found| on_stack(found).is_some()) {
        return eprintln!("skipped: the postmaster has a schedule of its own on its stack");
    }
    for process in cluster.processes() {
        let Ok(found) = regions_where(process, has_key_schedule) else { continue };
        // The heap has one of Postgres' own: that of OpenSSL, by which it draws random numbers.
        let stack = on_stack(found);
        assert!(stack.is_none(), "a schedule of a key: {stack:#?}");
    }
}
