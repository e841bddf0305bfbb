//! What the exporter counts about itself, as `moka_metrics_exporter_…`.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::domain::drop_reason::DropReason;

/// The exporter's metrics. Clones share them. `GetSink` answers from the same numbers.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    scrapes: Family<OutcomeLabels, Counter>,
    /// Samples in the answers of endpoints.
    pub samples: Counter,
    /// Labels that did not become tags.
    pub labels_over_budget: Counter,
    dropped: Family<ReasonLabels, Counter>,
    /// Lines that were handed to a connection.
    pub written_lines: Counter,
    /// Lines that wait.
    pub buffered_lines: Gauge,
    /// 1 while a connection is open.
    pub connected: Gauge,
    /// Connections that were opened.
    pub connections: Counter,
    /// Lines that the agent sent back, each of which is a complaint.
    pub error_replies: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl Metrics {
    /// Registers every metric.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let counters = [
            (
                "samples",
                "Samples in the answers of endpoints",
                &metrics.samples,
            ),
            (
                "labels_over_budget",
                "Labels that did not become tags because a line may have eight",
                &metrics.labels_over_budget,
            ),
            (
                "written_lines",
                "Lines that were handed to the agent's connection",
                &metrics.written_lines,
            ),
            (
                "connections",
                "Connections to the agent that were opened",
                &metrics.connections,
            ),
            (
                "error_replies",
                "Lines that the agent sent back",
                &metrics.error_replies,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register(
            "scrapes",
            "Scrapes of endpoints, by outcome",
            metrics.scrapes.clone(),
        );
        registry.register(
            "dropped_samples",
            "Samples that did not reach the agent, by reason",
            metrics.dropped.clone(),
        );
        registry.register(
            "buffered_lines",
            "Lines that wait for the agent",
            metrics.buffered_lines.clone(),
        );
        registry.register(
            "connected",
            "Whether a connection to the agent is open",
            metrics.connected.clone(),
        );
        metrics
    }

    /// Counts a scrape.
    pub fn scrape(&self, succeeded: bool) {
        let outcome = if succeeded { "ok" } else { "failed" };
        self.scrapes.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    /// Counts samples that are dropped.
    pub fn drop_samples(&self, reason: DropReason, count: u64) {
        if count > 0 {
            self.dropped_counter(reason).inc_by(count);
        }
    }

    /// How many samples were dropped for this reason.
    pub fn dropped_samples(&self, reason: DropReason) -> u64 {
        self.dropped_counter(reason).get()
    }

    fn dropped_counter(&self, reason: DropReason) -> Counter {
        self.dropped.get_or_create_owned(&ReasonLabels {
            reason: reason.as_str(),
        })
    }
}
