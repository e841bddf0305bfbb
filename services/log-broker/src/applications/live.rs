//! The attempts that may still write logs, or did a short while ago.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use moka_core::AttemptName;

use super::{ApplicationView, AttemptView};

/// The attempts that the assembler looks at. Clones share them.
#[derive(Debug, Clone)]
pub struct LiveAttempts {
    attempts: Arc<Mutex<BTreeMap<AttemptName, AttemptView>>>,
    /// How long after its end an attempt is looked at.
    late: SignedDuration,
}

impl LiveAttempts {
    /// None yet; attempts are kept for so long after their end.
    pub fn new(late: Duration) -> Self {
        let late = SignedDuration::try_from(late).unwrap_or(SignedDuration::MAX);
        Self {
            attempts: Arc::default(),
            late,
        }
    }

    /// Takes in what submission says of an application.
    pub fn update(&self, application: ApplicationView, now: Timestamp) {
        let mut attempts = self.lock();
        for attempt in application.attempts {
            if self.is_over(&attempt, now) {
                attempts.remove(&attempt.name);
            } else {
                attempts.insert(attempt.name, attempt);
            }
        }
    }

    /// All attempts to look at, by name. Forgets those whose time is over.
    pub fn current(&self, now: Timestamp) -> Vec<AttemptView> {
        let mut attempts = self.lock();
        attempts.retain(|_, attempt| !self.is_over(attempt, now));
        attempts.values().cloned().collect()
    }

    fn is_over(&self, attempt: &AttemptView, now: Timestamp) -> bool {
        attempt
            .ended
            .is_some_and(|ended| now.duration_since(ended) > self.late)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AttemptName, AttemptView>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
