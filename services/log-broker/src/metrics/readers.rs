//! Readers and what they are given.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// The metrics of readers. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct ReaderMetrics {
    /// `FollowLog` calls that are open.
    pub followers: Gauge,
    /// Connections to logs of running containers, which their followers share.
    pub live_connections: Gauge,
    /// Bytes of log that followers were given.
    pub followed_bytes: Counter,
    /// Pages that were asked for when they were made already, or being made.
    pub pages_ahead: Counter,
    /// Bytes of log that searches looked at.
    pub searched_bytes: Counter,
    /// Bytes of log that downloads read, before they are compressed.
    pub downloaded_bytes: Counter,
}

impl ReaderMetrics {
    pub(super) fn register(self, registry: &mut Registry) {
        let Self {
            followers,
            live_connections,
            followed_bytes,
            pages_ahead,
            searched_bytes,
            downloaded_bytes,
        } = self;
        registry.register("followers", "FollowLog calls that are open", followers);
        registry.register(
            "live_connections",
            "Connections to logs of running containers",
            live_connections,
        );
        registry.register(
            "followed_bytes",
            "Bytes of log that followers were given",
            followed_bytes,
        );
        registry.register(
            "pages_ahead",
            "Pages that were asked for when they were made already",
            pages_ahead,
        );
        registry.register(
            "searched_bytes",
            "Bytes of log that searches looked at",
            searched_bytes,
        );
        registry.register(
            "downloaded_bytes",
            "Bytes of log that downloads read",
            downloaded_bytes,
        );
    }
}
