//! Wall clocks that follow the virtual time, and can be wrong.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, Timestamp};
use moka_core::clock::Clock;
use tokio::time::Instant;

/// A machine's clock. Clones show the same time.
#[derive(Debug, Clone)]
pub(crate) struct MachineClock {
    began: Instant,
    /// How far it is off.
    error_milliseconds: Arc<AtomicI64>,
}

impl MachineClock {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            error_milliseconds: Arc::default(),
        }
    }

    /// Sets it wrong, or right again.
    pub(crate) fn set_error(&self, milliseconds: i64) {
        self.error_milliseconds
            .store(milliseconds, Ordering::Relaxed);
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed()).unwrap();
        let error = SignedDuration::from_millis(self.error_milliseconds.load(Ordering::Relaxed));
        Timestamp::from_second(1_800_000_000).unwrap() + passed + error
    }
}
