//! Attempts to look at: each stands in the queue once, however often it is named. So it is bounded
//! by what is alive.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use moka_core::AttemptName;
use tokio::{sync::Notify, time::Instant};

/// Both ends.
pub(super) fn inbox() -> (Sender, Receiver) {
    let shared = Arc::new(Shared::default());
    let sender = Sender {
        shared: Arc::clone(&shared),
    };
    (sender, Receiver { shared })
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    due_by_name: BTreeMap<AttemptName, Instant>,
    order: BTreeSet<(Instant, AttemptName)>,
}

/// The end that names attempts.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    shared: Arc<Shared>,
}

impl Sender {
    /// Look at it as soon as possible.
    pub(super) fn send(&self, name: AttemptName) {
        self.send_at(name, Instant::now());
    }

    /// Look at it at `due`, or sooner when that was asked already.
    pub(super) fn send_at(&self, name: AttemptName, due: Instant) {
        let mut queue = lock(&self.shared);
        match queue.due_by_name.get(&name).copied() {
            Some(earlier) if earlier <= due => return,
            Some(later) => {
                queue.order.remove(&(later, name));
            }
            None => {}
        }
        queue.due_by_name.insert(name, due);
        queue.order.insert((due, name));
        drop(queue);
        self.shared.changed.notify_one();
    }
}

/// The end that looks.
#[derive(Debug)]
pub(super) struct Receiver {
    shared: Arc<Shared>,
}

impl Receiver {
    /// Waits for the next attempt that is due.
    pub(super) async fn next(&mut self) -> AttemptName {
        loop {
            let first = {
                let mut queue = lock(&self.shared);
                match queue.order.first().copied() {
                    Some((due, name)) if due <= Instant::now() => {
                        queue.order.pop_first();
                        queue.due_by_name.remove(&name);
                        return name;
                    }
                    first => first,
                }
            };
            let changed = self.shared.changed.notified();
            match first {
                Some((due, _)) => {
                    let _ = tokio::time::timeout_at(due, changed).await;
                }
                None => changed.await,
            }
        }
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Queue> {
    shared.queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::submission::tests::id;

    fn name(number: u32) -> AttemptName {
        AttemptName::new(id(), number)
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_stands_in_the_queue_once_at_its_earliest_time() {
        let (sender, mut receiver) = inbox();
        let begin = Instant::now();
        let in_seconds = |seconds| begin + Duration::from_secs(seconds);
        sender.send_at(name(1), in_seconds(10));
        sender.send_at(name(1), in_seconds(5));
        sender.send_at(name(1), in_seconds(20));
        sender.send_at(name(2), in_seconds(7));
        sender.send(name(3));
        for (number, seconds) in [(3, 0), (1, 5), (2, 7)] {
            assert_eq!(receiver.next().await, name(number));
            assert_eq!(begin.elapsed().as_secs(), seconds);
        }
        let nothing = tokio::time::timeout(Duration::from_mins(1), receiver.next()).await;
        assert!(nothing.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_receiver_sees_what_comes_earlier() {
        let (sender, mut receiver) = inbox();
        let begin = Instant::now();
        sender.send_at(name(1), begin + Duration::from_mins(1));
        let send = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            sender.send(name(2));
        };
        let (next, ()) = tokio::join!(receiver.next(), send);
        assert_eq!(next, name(2));
        assert_eq!(begin.elapsed().as_secs(), 1);
    }
}
