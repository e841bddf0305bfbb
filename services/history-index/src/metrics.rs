//! What the service counts, as `moka_history_index_…`.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::domain::log_reader::Tally;

/// From a chunk that is read at once to one that waited for an outage.
const LAG_BUCKETS: [f64; 11] = [
    0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 300.0, 900.0, 3600.0, 86_400.0,
];

/// Counters of indexing. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    events: Counter,
    bytes: Counter,
    unknown_events: Counter,
    parse_errors: Counter,
    damaged_chunks: Counter,
    /// Attempts whose log is not settled.
    pub open_logs: Gauge,
    /// Logs that were read to their end.
    pub settled_logs: Counter,
    /// Logs that cannot be read.
    pub refused_logs: Counter,
    /// Logs whose chunks changed after they were read.
    pub rebuilt_logs: Counter,
    /// Rounds of reading one log that failed and will be tried again.
    pub failed_reads: Counter,
    /// Times that the watch of submission broke.
    pub watch_interruptions: Counter,
    lag: Histogram,
}

impl Metrics {
    /// Registers all of them.
    pub fn register(registry: &mut Registry) -> Self {
        let counter = |registry: &mut Registry, name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let bytes = Counter::default();
        registry.register_with_unit(
            "indexed",
            "Bytes of event logs that were read, after decompression",
            Unit::Bytes,
            bytes.clone(),
        );
        let open_logs = Gauge::default();
        registry.register(
            "open_logs",
            "Attempts whose log is read as it grows",
            open_logs.clone(),
        );
        let lag = Histogram::new(LAG_BUCKETS);
        registry.register_with_unit(
            "lag",
            "Time from the writing of a chunk to its rows",
            Unit::Seconds,
            lag.clone(),
        );
        Self {
            events: counter(registry, "indexed_events", "Events that were read"),
            bytes,
            unknown_events: counter(registry, "unknown_events", "Events of unknown types"),
            parse_errors: counter(registry, "parse_errors", "Lines that are no event"),
            damaged_chunks: counter(registry, "damaged_chunks", "Chunks that end too early"),
            open_logs,
            settled_logs: counter(registry, "settled_logs", "Logs that were read to their end"),
            refused_logs: counter(registry, "refused_logs", "Logs that cannot be read"),
            rebuilt_logs: counter(
                registry,
                "rebuilt_logs",
                "Logs that changed after they were read",
            ),
            failed_reads: counter(
                registry,
                "failed_reads",
                "Readings that failed and are repeated",
            ),
            watch_interruptions: counter(
                registry,
                "watch_interruptions",
                "Times that the watch of submission broke",
            ),
            lag,
        }
    }

    /// Counts what was read between two tallies of one log.
    pub fn record_reading(&self, before: Tally, after: Tally) {
        for (counter, before, after) in [
            (&self.events, before.event_count, after.event_count),
            (&self.bytes, before.event_bytes, after.event_bytes),
            (
                &self.unknown_events,
                before.unknown_event_count,
                after.unknown_event_count,
            ),
            (
                &self.parse_errors,
                before.parse_error_count,
                after.parse_error_count,
            ),
            (
                &self.damaged_chunks,
                before.damaged_chunk_count,
                after.damaged_chunk_count,
            ),
        ] {
            counter.inc_by(after.saturating_sub(before));
        }
    }

    /// Counts the time from a chunk's writing to its rows.
    pub fn record_lag(&self, lag: Duration) {
        self.lag.observe(lag.as_secs_f64());
    }
}
