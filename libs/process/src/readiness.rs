//! Whether the service should get traffic, and what is missing if not.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Named conditions; the process is ready when all of them hold. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    conditions: Arc<Mutex<BTreeMap<String, bool>>>,
}

impl Readiness {
    /// Adds a condition, which does not hold yet. The same name gives the same condition.
    pub fn condition(&self, name: impl Into<String>) -> Condition {
        let name = name.into();
        self.lock().entry(name.clone()).or_insert(false);
        Condition {
            readiness: self.clone(),
            name,
        }
    }

    /// Names of the conditions that do not hold, in alphabetical order; empty means ready.
    pub fn missing(&self) -> Vec<String> {
        let conditions = self.lock();
        conditions
            .iter()
            .filter(|(_, holds)| !**holds)
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        self.conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle on one condition. It keeps its last state when all handles are gone.
#[derive(Debug, Clone)]
pub struct Condition {
    readiness: Readiness,
    name: String,
}

impl Condition {
    /// The condition holds from now on.
    pub fn ready(&self) {
        self.set(true);
    }

    /// The condition does not hold any more.
    pub fn not_ready(&self) {
        self.set(false);
    }

    /// Says whether the condition holds.
    pub fn set(&self, holds: bool) {
        let before = self.readiness.lock().insert(self.name.clone(), holds);
        if before != Some(holds) {
            tracing::info!(condition.name = %self.name, condition.holds = holds, "readiness changed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_must_hold() {
        let readiness = Readiness::default();
        assert!(readiness.missing().is_empty());
        let store = readiness.condition("store");
        let cluster = readiness.condition("cluster");
        assert_eq!(readiness.missing(), ["cluster", "store"]);
        store.ready();
        cluster.ready();
        assert!(readiness.missing().is_empty());
        store.not_ready();
        assert_eq!(readiness.missing(), ["store"]);
    }

    #[test]
    fn asking_again_keeps_the_state() {
        let readiness = Readiness::default();
        readiness.condition("store").ready();
        let _again = readiness.condition("store");
        assert!(readiness.missing().is_empty());
    }
}
