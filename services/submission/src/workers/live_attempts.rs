//! What this process remembers of the live attempts in the clusters that it watches: a few hundred
//! bytes for each, so that a change of which nothing follows costs neither the database nor the API
//! server anything.

mod cluster;
mod entry;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cluster::Memory;
pub(super) use cluster::{ClusterMemory, Known};
pub(super) use entry::Record;
use jiff::Timestamp;

use super::inbox::Sender;
use crate::domain::{application::Application, verdict::Patience};

/// The memory of all clusters that this process watches. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LiveAttempts {
    clusters: Arc<Mutex<BTreeMap<String, ClusterMemory>>>,
}

/// Objects that the back end of a cluster has not looked at yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many there are.
    pub objects: usize,
    /// When the oldest was created, by the cluster's clock.
    pub oldest_create_time: Option<Timestamp>,
}

impl Backlog {
    /// How old the oldest is, in whole seconds.
    pub fn lag_seconds(&self, now: Timestamp) -> u32 {
        let age = self
            .oldest_create_time
            .map(|oldest| now.duration_since(oldest));
        u32::try_from(age.map_or(0, |age| age.as_secs().max(0))).unwrap_or(u32::MAX)
    }
}

impl LiveAttempts {
    /// How far a cluster's back end is behind; `None` while this process does not watch it.
    pub fn backlog(&self, cluster: &str) -> Option<Backlog> {
        let memory = self.lock().get(cluster).cloned()?;
        memory.lock().backlog()
    }

    /// How many attempts are remembered.
    pub fn count(&self) -> usize {
        let all: Vec<_> = self.lock().values().cloned().collect();
        all.iter().map(|memory| memory.lock().count()).sum()
    }

    /// What was just written down of an application.
    pub(crate) fn wrote(&self, application: &Application) {
        let Some(attempt) = application.attempt() else {
            return;
        };
        let memory = self.lock().get(&attempt.placement.cluster).cloned();
        if let Some(memory) = memory {
            memory.lock().wrote(application, attempt);
        }
    }

    /// The memory of a cluster, which names attempts to look at.
    pub(super) fn of(
        &self,
        cluster: &str,
        patience: Patience,
        to_examine: Sender,
        to_end: Sender,
    ) -> ClusterMemory {
        let memory = ClusterMemory::new(Memory::new(patience, to_examine, to_end));
        self.lock().insert(cluster.to_owned(), memory.clone());
        memory
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ClusterMemory>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
