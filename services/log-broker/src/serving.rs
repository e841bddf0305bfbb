//! Serves logs: the archive first, then what only the cluster has, under one cursor.

mod download;
mod event_logs;
mod follow;
mod indexes;
mod listing;
mod live_tail;
mod pages;
mod read;
mod readers;
mod resolve;
mod search;
mod shared_tails;
mod streams;

use std::{sync::Arc, time::Duration};

pub use download::{Download, Encoding, Part};
pub use event_logs::EventLogView;
pub use follow::Follower;
pub use indexes::Indexes;
use jiff::Timestamp;
use moka_core::clock::Clock;
pub use pages::Pages;
pub use read::Answer;
pub use readers::{Admission, ReaderLimits, Readers};
pub use resolve::{SourceRequest, StreamRequest, Target};
pub use search::{SearchAnswer, SearchRequest, SearchScope};
pub use shared_tails::SharedTails;
pub use streams::StreamView;
pub(crate) use streams::page_key;
use tokio::time::Instant;

use crate::{
    applications::Applications, archive::RawObjects, cluster::LiveLogs, domain::keys::KeyGrammar,
    metrics::Metrics, retention::Retention,
};

/// How logs are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServingSettings {
    /// How long nothing new may have come before an ended attempt's stream counts as whole.
    pub settle: Duration,
    /// How long a reader waits at a gap before it counts as lost.
    pub gap_wait: Duration,
    /// How old what is known of the archive may be: for pages within it, and for streams that have
    /// ended.
    pub relist_after: Duration,
    /// How often a follower looks for more.
    pub poll_interval: Duration,
    /// How many bytes of log one search looks at before it ends its page.
    pub search_bytes: u64,
    /// How long one search looks before it ends its page.
    pub search_time: Duration,
}

/// Everything that serving needs. Clones share it.
#[derive(Debug, Clone)]
pub struct Serving {
    /// Who knows applications.
    pub applications: Arc<dyn Applications>,
    /// The archive.
    pub objects: RawObjects,
    /// Where raw objects are.
    pub grammar: Arc<KeyGrammar>,
    /// The clusters; `None` without any.
    pub live: Option<Arc<dyn LiveLogs>>,
    /// Connections to logs that are followed.
    pub tails: SharedTails,
    /// Streams that were read before.
    pub indexes: Indexes,
    /// Pages that are likely to be asked for next.
    pub pages: Pages,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// How to serve.
    pub settings: ServingSettings,
    /// Calls in hand.
    pub readers: Readers,
    /// What is deleted and what is kept.
    pub retention: Retention,
    /// What operators see.
    pub metrics: Metrics,
    /// When the call in hand has to be answered; `None` when nothing limits it.
    pub answer_by: Option<Instant>,
}

/// What is left for an answer when an index took all the time it may.
const ANSWER_TIME: Duration = Duration::from_secs(1);

impl Serving {
    /// The same for a call that has to be answered by then.
    #[must_use]
    pub fn answering_by(self, answer_by: Option<Instant>) -> Self {
        Self { answer_by, ..self }
    }

    /// When to give up what has to be done before an answer can be made.
    fn prepare_until(&self) -> Option<Instant> {
        let answer_by = self.answer_by?;
        let left = answer_by.saturating_duration_since(Instant::now());
        Some(answer_by - ANSWER_TIME.min(left / 4))
    }
}

/// A time so much earlier, or the earliest one.
fn before(time: Timestamp, duration: Duration) -> Timestamp {
    time.checked_sub(duration).unwrap_or(Timestamp::MIN)
}
