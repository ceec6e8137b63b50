//! Connections that have asked nothing yet, of each machine.
//!
//! What must stay true: one that is too many closes the oldest of its machine, so that nobody who asks at once is turned away for what
//! others behind the same address do; who has asked, or has gone, is not counted any more.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

/// A machine. In IPv6 it has all addresses of a network, whose number are the first 64 bits.
type Machine = IpAddr;

/// Connections that have asked nothing yet.
pub struct Silent {
    /// As many as each machine may have.
    most: usize,
    /// Those of each machine that has some: their numbers, and what closes them. The oldest comes first.
    of: Mutex<HashMap<Machine, VecDeque<(u64, AbortHandle)>>>,
    /// The number of the next.
    next: AtomicU64,
}

/// A connection that has asked nothing, until this is dropped.
pub struct Place {
    /// All of them.
    silent: Arc<Silent>,
    /// Which it is.
    id: Id,
}

/// A machine, and the number of its connection.
#[derive(Debug, Clone, Copy)]
pub struct Id(Machine, u64);

impl Silent {
    /// As many for each machine, but one at least.
    pub fn new(most: u32) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        Self { most, of: Mutex::default(), next: AtomicU64::new(0) }
    }

    /// A connection from this address.
    pub fn place(this: &Arc<Self>, address: IpAddr) -> Place {
        let id = Id(machine(address), this.next.fetch_add(1, Ordering::Relaxed));
        Place { silent: Arc::clone(this), id }
    }

    /// Counts a connection whose place is still held. It is closed by `task` once it is the oldest of too many.
    pub fn count(&self, Id(machine, number): Id, task: AbortHandle) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let its = of.entry(machine).or_default();
        if its.len() >= self.most
            && let Some((_, oldest)) = its.pop_front()
        {
            oldest.abort();
        }
        its.push_back((number, task));
    }
}

impl Place {
    /// Which it is.
    pub fn id(&self) -> Id {
        self.id
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Id(machine, number) = self.id;
        let mut of = self.silent.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut its) = of.entry(machine) {
            its.get_mut().retain(|(other, _)| *other != number);
            if its.get().is_empty() {
                its.remove();
            }
        }
    }
}

/// Whose an address is.
fn machine(address: IpAddr) -> Machine {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use tokio::task::JoinHandle;

    use super::{Place, Silent};

    /// A connection that says nothing.
    fn silent_one(silent: &Arc<Silent>, address: [u16; 8]) -> JoinHandle<()> {
        let place: Place = Silent::place(silent, std::net::Ipv6Addr::from(address).into());
        let id = place.id();
        let task = tokio::spawn(async move {
            pending::<()>().await;
            drop(place);
        });
        silent.count(id, task.abort_handle());
        task
    }

    #[tokio::test]
    async fn the_oldest_of_a_machine_goes_and_another_machine_has_its_own() {
        let silent = Arc::new(Silent::new(2));
        let former = [0, 0, 0, 0, 0, 0xffff, 0x0a00, 1];
        let mut of_one: Vec<_> = (0..3).map(|_| silent_one(&silent, former)).collect();
        let network: Vec<_> =
            (0..2).map(|n| silent_one(&silent, [0x2001, 0xdb8, 0, 1, 0, 0, 0, n])).collect();
        let beside = silent_one(&silent, [0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]);
        assert!(of_one.remove(0).await.is_err_and(|error| error.is_cancelled()));
        let stay = of_one.iter().chain(&network).chain([&beside]);
        assert!(stay.clone().all(|task| !task.is_finished()));
        stay.for_each(JoinHandle::abort);
        for task in of_one.into_iter().chain(network).chain([beside]) {
            assert!(task.await.is_err());
        }
        assert!(silent.of.lock().is_ok_and(|of| of.is_empty()));
    }
}
