//! Requests that wait for a place, and whose turn it is.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::request::{Request, RequestId};
use crate::sample::Sampler;

/// A checked request that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: RequestId,
    pub(super) request: Request,
    pub(super) sampler: Sampler,
}

/// Requests in the order they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Vec<Waiting>,
    /// When each client that waits or holds a place last got one.
    served: BTreeMap<u64, u64>,
    now: u64,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Requests of a client that wait.
    pub(super) fn of(&self, client: u64) -> usize {
        self.waiting.iter().filter(|waiting| waiting.request.client == client).count()
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
    }

    pub(super) fn cancel(&mut self, id: RequestId) {
        self.waiting.retain(|waiting| waiting.id != id);
    }

    /// Takes the first request of the client that holds the fewest places, among those of the one that waited longest for a
    /// place. `places` counts what a client holds.
    pub(super) fn next(&mut self, places: impl Fn(u64) -> usize) -> Option<Waiting> {
        let turn = |waiting: &Waiting| {
            let client = waiting.request.client;
            (places(client), self.served.get(&client).copied().unwrap_or(0))
        };
        let (at, _) = self.waiting.iter().enumerate().min_by_key(|(_, waiting)| turn(waiting))?;
        let next = self.waiting.remove(at);
        self.now += 1;
        let waiting = &self.waiting;
        let waits = |client: u64| waiting.iter().any(|waiting| waiting.request.client == client);
        self.served.retain(|&client, _| places(client) > 0 || waits(client));
        self.served.insert(next.request.client, self.now);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sampling;

    fn queue(clients: &[u64]) -> Queue {
        let mut queue = Queue::default();
        for (id, &client) in (0..).zip(clients) {
            let request = Request { prompt: alloc::vec![1], client, ..Request::default() };
            let sampler = Sampler::new(Sampling::default(), &[1]).unwrap();
            queue.push(Waiting { id: RequestId(id), request, sampler });
        }
        queue
    }

    fn order(queue: &mut Queue, places: impl Fn(u64) -> usize + Copy) -> Vec<u64> {
        core::iter::from_fn(|| queue.next(places)).map(|next| next.id.0).collect()
    }

    #[test]
    fn places_go_round_between_clients_and_in_order_within_one() {
        assert_eq!(order(&mut queue(&[7, 7, 7, 8, 8, 9]), |_| 0), [0, 3, 5, 1, 4, 2]);
    }

    #[test]
    fn a_client_that_holds_places_comes_after_those_that_hold_fewer() {
        let places = |client| if client == 7 { 2 } else { 0 };
        assert_eq!(order(&mut queue(&[7, 7, 8, 8]), places), [2, 3, 0, 1]);
    }

    #[test]
    fn a_cancelled_request_is_never_served() {
        let mut queue = queue(&[7, 8]);
        queue.cancel(RequestId(0));
        assert_eq!((queue.len(), order(&mut queue, |_| 0)), (1, [1].into()));
    }
}
