//! What was learnt a moment ago.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use moka_core::ApplicationId;
use tokio::time::Instant;

/// How long it is used.
const MAX_AGE: Duration = Duration::from_secs(1);
/// Of so many applications it is kept.
const MAX_APPLICATIONS: usize = 1000;

/// Something about applications that is learnt once a second at most: a reader of a log asks for
/// one page after another, each of which needs it.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    learnt: Mutex<BTreeMap<ApplicationId, (Instant, T)>>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            learnt: Mutex::default(),
        }
    }
}

impl<T: Clone> Recent<T> {
    /// What was learnt of an application, unless it is too old.
    pub(crate) fn get(&self, id: ApplicationId) -> Option<T> {
        let learnt = self.learnt();
        let (asked, value) = learnt.get(&id)?;
        is_recent(*asked).then(|| value.clone())
    }

    /// Notes the answer to what was asked at that time.
    pub(crate) fn note(&self, id: ApplicationId, asked: Instant, value: &T) {
        let mut learnt = self.learnt();
        if learnt.len() >= MAX_APPLICATIONS {
            learnt.retain(|_, (asked, _)| is_recent(*asked));
        }
        if learnt.len() < MAX_APPLICATIONS {
            learnt.insert(id, (asked, value.clone()));
        }
    }

    /// Forgets what is not so any more.
    pub(crate) fn forget(&self, id: ApplicationId) {
        self.learnt().remove(&id);
    }

    fn learnt(&self) -> MutexGuard<'_, BTreeMap<ApplicationId, (Instant, T)>> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_recent(asked: Instant) -> bool {
    asked.elapsed() < MAX_AGE
}

#[cfg(test)]
mod tests {
    use moka_core::{clock::SystemClock, entropy::SystemEntropy};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_learnt_is_used_for_a_second_from_the_question_on() {
        let recent = Recent::default();
        let id = ApplicationId::ZERO;
        let asked = Instant::now();
        tokio::time::advance(Duration::from_millis(400)).await;
        recent.note(id, asked, &7);
        tokio::time::advance(Duration::from_millis(599)).await;
        assert_eq!(recent.get(id), Some(7));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(recent.get(id), None);
        recent.note(id, Instant::now(), &8);
        recent.forget(id);
        assert_eq!(recent.get(id), None);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_applications_are_kept_and_old_ones_make_room() {
        let recent = Recent::default();
        let mint = || ApplicationId::mint(&SystemClock, &SystemEntropy);
        for _ in 0..=MAX_APPLICATIONS {
            recent.note(mint(), Instant::now(), &());
        }
        assert_eq!(recent.learnt().len(), MAX_APPLICATIONS);
        tokio::time::advance(MAX_AGE).await;
        recent.note(mint(), Instant::now(), &());
        assert_eq!(recent.learnt().len(), 1);
    }
}
