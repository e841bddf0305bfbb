//! How long logs are kept, and the record of what was deleted. Pure.

mod record;
mod rules;

use moka_core::ApplicationId;
pub use record::{
    Batch, DELETED_BY_POLICY, Deletion, DeletionState, HoldChange, MAX_HOLD_CHANGES, ProvenObject,
    REQUEST, Request, RetentionRecord,
};
pub use rules::{Keep, ParseRetentionRuleError, RetentionRule, RetentionRules};
use serde::{Deserialize, Serialize};

use super::stream::StreamKind;

/// A kind of logs that is kept and deleted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// Raw records of containers' outputs.
    Containers,
    /// Raw records of drivers' event logs.
    RawEvents,
    /// Assembled event logs and the checkpoints of their assembly.
    EventLogs,
}

impl LogKind {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Containers, Self::RawEvents, Self::EventLogs];

    /// The kind of raw logs that a stream is read from.
    pub fn of_stream(kind: StreamKind) -> Self {
        match kind {
            StreamKind::Container => Self::Containers,
            StreamKind::EventLog => Self::RawEvents,
        }
    }

    /// The kind of the streams that are read from it; `None` when it is no raw logs.
    pub fn stream_kind(self) -> Option<StreamKind> {
        match self {
            Self::Containers => Some(StreamKind::Container),
            Self::RawEvents => Some(StreamKind::EventLog),
            Self::EventLogs => None,
        }
    }

    /// Its name in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Containers => "containers",
            Self::RawEvents => "raw_events",
            Self::EventLogs => "event_logs",
        }
    }

    /// Its name in sentences.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Containers => "the containers' logs",
            Self::RawEvents => "the raw event records",
            Self::EventLogs => "the assembled event logs",
        }
    }
}

/// Names of unfinished deletions, so that any replica finds them with one listing.
pub const OPEN_PREFIX: &str = "retention/open/";
/// Marks of the shards that were looked at, put when somebody began to.
pub const SWEPT_PREFIX: &str = "retention/swept/";
/// Rewritten to learn what time the store's clock shows.
pub const CLOCK_KEY: &str = "retention/clock";

/// Where the record of an application and its proofs are.
fn prefix(id: ApplicationId) -> String {
    format!("retention/{}/{id}/", shard(id))
}

/// The last two characters of an id, which spread the load over the store's partitions.
pub fn shard(id: ApplicationId) -> String {
    let id = id.to_string();
    id[id.len() - 2..].to_owned()
}

/// Key of the record of an application.
pub fn record_key(id: ApplicationId) -> String {
    format!("{}record.json", prefix(id))
}

/// Prefix of the keys of the proofs of an application's deletions.
pub fn proof_prefix(id: ApplicationId) -> String {
    format!("{}proof/", prefix(id))
}

/// Key of the proof of a batch.
pub fn proof_key(id: ApplicationId, kind: LogKind, number: u32) -> String {
    format!("{}{}-{number:08}.json", proof_prefix(id), kind.as_str())
}

/// Key of the mark of an application whose deletion is not finished.
pub fn open_key(id: ApplicationId) -> String {
    format!("{OPEN_PREFIX}{id}")
}
