//! The agent that lines are written to: one connection, a bounded buffer in front of it.

mod address;
mod connection;
mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub use self::{
    address::{ParseSinkAddressError, SinkAddress},
    writer::{Writer, WriterOptions},
};
use crate::{
    domain::{batch::Batch, buffer::Buffer, drop_reason::DropReason},
    metrics::Metrics,
};

/// Where scrapes leave their lines. Clones share the buffer.
#[derive(Debug, Clone)]
pub struct Sink {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Notify,
    metrics: Metrics,
}

#[derive(Debug)]
struct State {
    buffer: Buffer,
    /// Lines that are being written. They count as buffered until they are.
    in_flight: Vec<String>,
    connected: bool,
    last_error: String,
}

/// What can be told about the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkStatus {
    /// Whether the connection is up.
    pub connected: bool,
    /// Lines that wait for the connection or are being written.
    pub buffered_lines: usize,
    /// The last thing that went wrong, or that the agent complained of; empty when nothing did.
    pub last_error: String,
}

impl Sink {
    /// An empty buffer.
    pub fn new(buffer_limit_bytes: usize, metrics: Metrics) -> Self {
        let state = State {
            buffer: Buffer::new(buffer_limit_bytes),
            in_flight: Vec::new(),
            connected: false,
            last_error: String::new(),
        };
        let shared = Shared {
            state: Mutex::new(state),
            arrived: Notify::new(),
            metrics,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Takes the lines of a scrape; the oldest lines of the buffer make room.
    pub fn send(&self, batch: Batch) {
        let Batch {
            lines,
            samples,
            dropped,
            labels_over_budget,
        } = batch;
        let metrics = &self.shared.metrics;
        metrics.samples.inc_by(samples);
        metrics.labels_over_budget.inc_by(labels_over_budget);
        for (reason, count) in dropped {
            metrics.drop_samples(reason, count);
        }
        let mut state = self.lock();
        let overflow = lines.into_iter().map(|line| state.buffer.push(line)).sum();
        metrics.drop_samples(DropReason::BufferFull, overflow);
        self.tell_buffered(&state);
        drop(state);
        self.shared.arrived.notify_one();
    }

    /// What can be told now.
    pub fn status(&self) -> SinkStatus {
        let state = self.lock();
        SinkStatus {
            connected: state.connected,
            buffered_lines: state.buffered_lines(),
            last_error: state.last_error.clone(),
        }
    }

    /// Waits for lines that were not there yet.
    async fn arrived(&self) {
        self.shared.arrived.notified().await;
    }

    /// The next portion as it goes over the wire; empty when no line waits.
    fn take(&self, maximum_bytes: usize) -> String {
        let mut state = self.lock();
        state.in_flight = state.buffer.take(maximum_bytes);
        state.in_flight.concat()
    }

    /// The portion was written.
    fn written(&self) {
        let mut state = self.lock();
        let lines = std::mem::take(&mut state.in_flight).len();
        self.shared.metrics.written_lines.inc_by(lines as u64);
        self.tell_buffered(&state);
    }

    fn opened(&self) {
        self.lock().connected = true;
        self.shared.metrics.connections.inc();
        self.shared.metrics.connected.set(1);
    }

    /// The connection is gone, and with it perhaps a part of the portion: all of it goes back.
    /// OpenTSDB takes the same value twice for the same.
    fn closed(&self) {
        let mut state = self.lock();
        state.connected = false;
        let in_flight = std::mem::take(&mut state.in_flight);
        let overflow = state.buffer.put_back(in_flight);
        self.shared
            .metrics
            .drop_samples(DropReason::BufferFull, overflow);
        self.shared.metrics.connected.set(0);
        self.tell_buffered(&state);
    }

    fn failed(&self, error: String) {
        self.lock().last_error = error;
    }

    fn is_empty(&self) -> bool {
        self.lock().buffered_lines() == 0
    }

    /// Gives up what is left, at the very end. Returns how many lines that were.
    fn abandon(&self) -> u64 {
        let mut state = self.lock();
        let left = state.buffer.take(usize::MAX).len() + std::mem::take(&mut state.in_flight).len();
        self.shared
            .metrics
            .drop_samples(DropReason::Unsent, left as u64);
        self.tell_buffered(&state);
        left as u64
    }

    fn tell_buffered(&self, state: &State) {
        let lines = i64::try_from(state.buffered_lines()).unwrap_or(i64::MAX);
        self.shared.metrics.buffered_lines.set(lines);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn buffered_lines(&self) -> usize {
        self.buffer.len() + self.in_flight.len()
    }
}
