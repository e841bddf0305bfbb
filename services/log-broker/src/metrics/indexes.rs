//! Indexes that are saved in the store.

use prometheus_client::{metrics::counter::Counter, registry::Registry};

/// The metrics of saved indexes. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct IndexMetrics {
    /// Saved indexes that were taken in.
    pub loaded: Counter,
    /// Saved indexes that could not be used, or not wholly.
    pub refused: Counter,
    /// Indexes that were saved.
    pub saved: Counter,
    /// Indexes that could not be saved.
    pub save_failures: Counter,
}

impl IndexMetrics {
    pub(super) fn register(self, registry: &mut Registry) {
        let Self {
            loaded,
            refused,
            saved,
            save_failures,
        } = self;
        registry.register("indexes_loaded", "Saved indexes that were taken in", loaded);
        registry.register(
            "indexes_refused",
            "Saved indexes that could not be used, or not wholly",
            refused,
        );
        registry.register("indexes_saved", "Indexes that were saved", saved);
        registry.register(
            "index_save_failures",
            "Indexes that could not be saved",
            save_failures,
        );
    }
}
