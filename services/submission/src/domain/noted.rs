//! What is written down of a live attempt, as far as it decides what is news.

use super::{application::Attempt, lifecycle::Happening};

/// The few facts of an attempt that are kept in memory for as long as it is live. Each is only ever
/// added, so that an old copy is never wrong, only incomplete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted {
    /// Its object's uid, once it is known.
    pub uid: Option<Box<str>>,
    /// Whether Spark's own id is known, which means that there was a driver.
    pub has_driver: bool,
    /// Whether the driver was seen to run.
    pub has_started: bool,
    /// Whether it is being ended.
    pub is_ending: bool,
}

impl Noted {
    /// What is noted of an attempt.
    pub fn of(attempt: &Attempt) -> Self {
        Self {
            uid: attempt.uid.as_deref().map(Into::into),
            has_driver: attempt.spark_application_id.is_some(),
            has_started: attempt.start_time.is_some(),
            is_ending: attempt.ending.is_some(),
        }
    }

    /// Adds what another copy says.
    pub fn merge(&mut self, other: Self) {
        let Self {
            uid,
            has_driver,
            has_started,
            is_ending,
        } = other;
        self.uid = self.uid.take().or(uid);
        self.has_driver |= has_driver;
        self.has_started |= has_started;
        self.is_ending |= is_ending;
    }

    /// Whether a happening is not noted yet.
    pub fn is_news(&self, happening: &Happening) -> bool {
        match happening {
            Happening::Created { .. } => self.uid.is_none(),
            Happening::DriverSeen { .. } => !self.has_driver,
            Happening::DriverStarted { .. } => !self.has_started,
            Happening::Ending(_) => !self.is_ending,
            _ => true,
        }
    }
}
