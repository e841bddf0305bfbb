//! Turns at objects: who wants one that somebody reads waits for him instead of reading it too.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use moka_objects::ObjectKey;
use tokio::sync::{self, OwnedMutexGuard};

type Lock = Arc<sync::Mutex<()>>;

/// Who reads what. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    locks: Arc<Mutex<BTreeMap<ObjectKey, Lock>>>,
}

/// The turn at one object, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    key: &'a ObjectKey,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits until nobody else has the turn at this object.
    pub(super) async fn take<'a>(&'a self, key: &'a ObjectKey) -> Turn<'a> {
        let lock = Arc::clone(self.locks().entry(key.clone()).or_default());
        // It also tidies up when the wait is broken off.
        let mut turn = Turn {
            turns: self,
            key,
            guard: None,
        };
        turn.guard = Some(lock.lock_owned().await);
        turn
    }

    fn locks(&self) -> std::sync::MutexGuard<'_, BTreeMap<ObjectKey, Lock>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut locks = self.turns.locks();
        self.guard = None;
        let is_unused = |lock: &Lock| Arc::strong_count(lock) == 1;
        if locks.get(self.key).is_some_and(is_unused) {
            locks.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn turns_at_one_object_come_one_after_another_and_leave_nothing() {
        let (turns, one) = (Turns::default(), ObjectKey::new("one").unwrap());
        let other = ObjectKey::new("other").unwrap();
        let first = turns.take(&one).await;
        let mut second = Box::pin(turns.take(&one));
        let mut broken_off = Box::pin(turns.take(&one));
        assert!(poll!(&mut second).is_pending());
        assert!(poll!(&mut broken_off).is_pending());
        drop(turns.take(&other).await);
        drop(first);
        let second = second.await;
        assert!(poll!(&mut broken_off).is_pending());
        drop(second);
        drop(broken_off);
        assert!(turns.locks().is_empty());
    }
}
