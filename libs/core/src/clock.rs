//! Time as a parameter.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

/// Tells the wall-clock time, in UTC.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Timestamp>,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self {
            now: Mutex::new(start),
        }
    }

    /// Moves the clock by `step`, backwards when it is negative.
    pub fn advance(&self, step: SignedDuration) {
        let mut now = self.now.lock().expect("no holder of this lock panics");
        *now = now
            .saturating_add(step)
            .expect("a signed duration always saturates");
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().expect("no holder of this lock panics")
    }
}
