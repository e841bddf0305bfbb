//! Keeps logs as long as the policy says, or a legal hold, and deletes them with a proof.
//!
//! Everything is decided in the record of the application, which changes by conditional puts: a
//! process may be killed at any time, and any number of replicas may work at once.

mod clock;
mod contents;
mod deletion;
mod proof;
mod records;
mod requests;
mod shards;
mod sweep;

use std::sync::Arc;

use moka_core::clock::Clock;
use moka_objects::ObjectStore;
pub use proof::ProofEntry;
pub use requests::RetentionView;
pub use shards::SHARD_COUNT;
pub use sweep::{SweepSettings, Sweeper};
use tokio::sync::Notify;

use crate::{
    archive::RawObjects,
    domain::{
        keys::KeyGrammar,
        retention::{RetentionRecord, RetentionRules},
    },
    metrics::Metrics,
    recent::Recent,
};

/// The retention of all applications. Clones share it.
#[derive(Debug, Clone)]
pub struct Retention {
    objects: RawObjects,
    grammar: Arc<KeyGrammar>,
    rules: Arc<RetentionRules>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    /// Records as readers saw them.
    recent: Arc<Recent<RetentionRecord>>,
    /// Tells the sweeper of this process that a deletion was asked for.
    requested: Arc<Notify>,
}

impl Retention {
    /// The retention of what is in a store.
    pub fn new(
        objects: RawObjects,
        grammar: Arc<KeyGrammar>,
        rules: RetentionRules,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> Self {
        Self {
            objects,
            grammar,
            rules: Arc::new(rules),
            clock,
            metrics,
            recent: Arc::default(),
            requested: Arc::default(),
        }
    }

    fn store(&self) -> &Arc<dyn ObjectStore> {
        self.objects.store()
    }
}
