//! Servers whose processes are killed: when, and what comes after.

use postgres::Client;

use crate::cluster::Cluster;
use crate::wait_until;

/// Numbers that look random and can be had again.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Seeds that lie beside each other give numbers that do not.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1))
    }

    /// A number below `sides`.
    pub fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// A session, as soon as the server lets clients in and has its keys again.
#[track_caller]
pub fn session(cluster: &Cluster) -> Client {
    let mut session = None;
    wait_until("the server lets clients in again", 30, || {
        session = cluster.connect("postgres", "app").ok();
        let is_open = "SELECT 1 WHERE NOT (SELECT sealed FROM hftok.status())";
        session.as_mut().is_some_and(|client| client.query_one(is_open, &[]).is_ok())
    });
    session.expect("a session")
}
