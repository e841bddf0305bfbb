//! Whether it makes sense to ask the store.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::domain::backoff;

/// So many uploads in a row without an answer, of whatever streams, mean that the store is away.
const AWAY_AFTER: u32 = 3;

/// Lets everybody through while the store answers, and one at a time, after a pause, when it is
/// away: a thousand streams that wait for their time-outs would hold up those that could go to the
/// spool.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failure_count: u32,
    next_try: Option<Instant>,
}

impl Gate {
    /// Whether to try now. Who is let through while the store is away has `patience` until the next
    /// one is.
    pub fn admits(&self, patience: Duration) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        if state.failure_count < AWAY_AFTER {
            return true;
        }
        let is_due = state.next_try.is_none_or(|next_try| next_try <= now);
        if is_due {
            state.next_try = Some(now + patience);
        }
        is_due
    }

    /// Whether the store is away.
    pub fn is_away(&self) -> bool {
        self.lock().failure_count >= AWAY_AFTER
    }

    /// The store took an object.
    pub fn answered(&self) {
        *self.lock() = State::default();
    }

    /// The store did not answer.
    pub fn failed(&self, random: u8) {
        let mut state = self.lock();
        state.failure_count = state.failure_count.saturating_add(1);
        state.next_try = Some(Instant::now() + backoff(state.failure_count, random));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_asks_a_store_that_is_away() {
        let patience = Duration::from_mins(1);
        let gate = Gate::default();
        for _ in 0..AWAY_AFTER {
            assert!(gate.admits(patience) && !gate.is_away());
            gate.failed(0);
        }
        assert!(gate.is_away() && !gate.admits(patience));
        tokio::time::advance(backoff(AWAY_AFTER, 0)).await;
        assert!(gate.admits(patience) && !gate.admits(patience));
        tokio::time::advance(patience).await;
        assert!(gate.admits(patience), "the one before was never heard of");
        gate.failed(0);
        assert!(!gate.admits(patience));
        gate.answered();
        assert!(gate.admits(patience) && gate.admits(patience) && !gate.is_away());
    }
}
