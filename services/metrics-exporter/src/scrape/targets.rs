//! What is known of every target.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

/// All targets by URL. Clones share them.
#[derive(Debug, Clone)]
pub struct Targets {
    statuses: Arc<Mutex<BTreeMap<String, TargetStatus>>>,
}

/// What is known of one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetStatus {
    /// When it was last asked and how long that took; `None` before the first time.
    pub last_scrape: Option<(Timestamp, Duration)>,
    /// Samples in the last good answer.
    pub last_samples: u64,
    /// Why the last scrape failed; empty when it did not.
    pub last_error: String,
    /// Scrapes that succeeded.
    pub successes: u64,
    /// Scrapes that failed.
    pub failures: u64,
}

impl Targets {
    /// Targets that were never asked.
    pub fn new(urls: impl IntoIterator<Item = String>) -> Self {
        let statuses = urls
            .into_iter()
            .map(|url| (url, TargetStatus::default()))
            .collect();
        Self {
            statuses: Arc::new(Mutex::new(statuses)),
        }
    }

    /// Changes what is known of a target.
    pub fn update(&self, url: &str, change: impl FnOnce(&mut TargetStatus)) {
        if let Some(status) = self.lock().get_mut(url) {
            change(status);
        }
    }

    /// All targets in the order of their URLs.
    pub fn list(&self) -> Vec<(String, TargetStatus)> {
        self.lock()
            .iter()
            .map(|(url, status)| (url.clone(), status.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, TargetStatus>> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
