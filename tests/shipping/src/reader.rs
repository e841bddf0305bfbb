//! Reads back, as `ReadLog` does, over the same store.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use moka_core::{
    ApplicationId, AttemptName, PublicError,
    clock::{Clock, ManualClock, SystemClock},
};
use moka_log_broker::{
    applications::{ApplicationView, Applications, AttemptView},
    archive::{Limits, RawObjects},
    domain::{
        completeness::Completeness,
        cursor::Cursor,
        keys::KeyGrammar,
        retention::RetentionRules,
        stream::{Source, StreamName},
    },
    metrics::Metrics,
    retention::Retention,
    serving::{
        Indexes, Pages, ReaderLimits, Readers, Serving, ServingSettings, SharedTails, Target,
    },
};
use moka_objects::S3Store;

use crate::node::Written;

const LIMITS: Limits = Limits {
    lines: 500,
    text_bytes: 1 << 20,
    until: None,
};

/// Knows nothing: streams are named by what the test knows.
#[derive(Debug)]
struct NoApplications;

#[async_trait]
impl Applications for NoApplications {
    async fn get(&self, _id: ApplicationId) -> Result<Option<ApplicationView>, PublicError> {
        Ok(None)
    }
}

/// A reader of one attempt that has ended.
#[derive(Debug)]
pub(crate) struct Reader {
    serving: Serving,
    attempt: AttemptView,
}

impl Reader {
    pub(crate) fn new(store: Arc<S3Store>, attempt: AttemptName) -> Self {
        let metrics = Metrics::default();
        let now = SystemClock.now();
        // Everything has settled.
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now + SignedDuration::from_hours(1)));
        let objects = RawObjects::new(store, 16 << 20, metrics.clone());
        let grammar = Arc::new(grammar());
        let serving = Serving {
            applications: Arc::new(NoApplications),
            retention: Retention::new(
                objects.clone(),
                Arc::clone(&grammar),
                RetentionRules::default(),
                Arc::clone(&clock),
                metrics.clone(),
            ),
            objects,
            grammar,
            live: None,
            tails: SharedTails::new(metrics.readers.clone()),
            pages: Pages::new(metrics.readers.clone()),
            indexes: Indexes::new(1 << 20),
            clock,
            settings: ServingSettings {
                settle: Duration::from_secs(10),
                gap_wait: Duration::from_mins(1),
                poll_interval: Duration::from_secs(1),
                relist_after: Duration::ZERO,
                search_bytes: 1 << 20,
                search_time: Duration::from_secs(1),
            },
            readers: Readers::new(ReaderLimits {
                followers: 1,
                downloads: 1,
                searches: 1,
            }),
            metrics,
            answer_by: None,
        };
        let attempt = AttemptView {
            name: attempt,
            cluster: "local".to_owned(),
            namespace: "spark-jobs".to_owned(),
            ended: Some(now),
        };
        Self { serving, attempt }
    }

    /// All lines of a stream, and what is missing, or why nobody knows; no lines while there is
    /// nothing of it.
    pub(crate) async fn read(
        &self,
        source: Source,
    ) -> (Vec<Written>, Result<Completeness, String>) {
        let stream = StreamName {
            attempt: self.attempt.name,
            source,
        };
        let target = Target {
            stream,
            attempt: self.attempt.clone(),
        };
        let mut lines = Vec::new();
        let mut cursor = Cursor::Begin;
        loop {
            let answer = match self.serving.read(&target, cursor, LIMITS).await {
                Ok(answer) => answer,
                Err(error) => return (lines, Err(format!("{error:?}"))),
            };
            lines.extend(answer.lines.into_iter().map(|line| Written {
                time: line.time,
                text: line.text.to_vec(),
            }));
            cursor = answer.next;
            if answer.at_end {
                return (lines, Ok(answer.completeness));
            }
        }
    }

    /// The pieces of a container's log as they were shipped, in the order of their offsets: where
    /// each begins, how long it is, and the only byte in it, if it is only one.
    pub(crate) async fn pieces(&self, pod: &str) -> Vec<(u64, u64, Option<u8>)> {
        let prefix = format!("{}{pod}/", grammar().containers_prefix(self.attempt.name));
        let mut pieces = Vec::new();
        for object in self.serving.objects.list(&prefix).await.unwrap() {
            let raw = self.serving.objects.load(&object.key).await.unwrap();
            for piece in &raw.pieces {
                let first = piece.bytes[0];
                let only = piece.bytes.iter().all(|byte| *byte == first);
                let length_bytes = piece.bytes.len() as u64;
                pieces.push((piece.run.start_bytes, length_bytes, only.then_some(first)));
            }
        }
        pieces.sort_unstable();
        pieces
    }

    /// How many raw objects the attempt has, and records in them.
    pub(crate) async fn raw_counts(&self) -> (u64, u64) {
        let grammar = grammar();
        let mut counts = (0, 0);
        for prefix in [
            grammar.containers_prefix(self.attempt.name),
            grammar.events_prefix(self.attempt.name),
        ] {
            for object in self.serving.objects.list(&prefix).await.unwrap() {
                let raw = self.serving.objects.load(&object.key).await.unwrap();
                counts.0 += 1;
                counts.1 += raw.record_count;
            }
        }
        counts
    }
}

fn grammar() -> KeyGrammar {
    let attempt = "logs/{shard}/{application}/{attempt}";
    KeyGrammar {
        containers: format!("{attempt}/containers/{{pod}}/{{container}}/")
            .parse()
            .unwrap(),
        events: format!("{attempt}/events/{{file}}/").parse().unwrap(),
    }
}

/// When it is now.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}
