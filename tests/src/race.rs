//! Several sessions at once.

use std::sync::Barrier;

use postgres::Client;

use crate::cluster::Cluster;

/// Connects so many sessions, lets all of them begin at the same moment, and gives what each came to.
pub fn race<T: Send>(
    cluster: &Cluster,
    database: &str,
    sessions: usize,
    run: impl Fn(usize, &mut Client) -> T + Sync,
) -> Vec<T> {
    let start = Barrier::new(sessions);
    std::thread::scope(|scope| {
        let runners: Vec<_> = (0..sessions)
            .map(|number| {
                let (start, run) = (&start, &run);
                scope.spawn(move || {
                    let mut client = cluster.client("postgres", database);
                    start.wait();
                    run(number, &mut client)
                })
            })
            .collect();
        runners.into_iter().map(|runner| runner.join().expect("a session panicked")).collect()
    })
}
