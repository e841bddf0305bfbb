//! What the shipper knows without touching a disk, a clock or a network: names, keys, records and
//! the decision what to do with a file next.

mod backoff;
mod batch;
mod cluster_name;
mod decision;
mod event_log;
mod generation;
mod lines;
mod object_key;
mod pod_log;
mod progress;
mod record;
mod source;

pub use backoff::backoff;
pub use batch::{Batch, BatchHeader, DamagedBatch, Origin};
pub use cluster_name::{ClusterName, InvalidClusterName};
pub use decision::{Decision, Limits, Observation, decide};
pub use event_log::EventLogName;
pub use generation::Generation;
pub use lines::{MAX_LINE_BYTES, complete_length, lines};
pub use object_key::object_key;
pub use pod_log::PodLogName;
pub use progress::{FINGERPRINT_BYTES, Progress, StreamId};
pub use record::RecordWriter;
pub use source::{Source, SourceKind};
