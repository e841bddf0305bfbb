//! Submission as seen from here: which attempts exist, and when they end.

use std::time::Duration;

use moka_client::{Client, Options, Patience, Watch, WatchItem};
use moka_proto::submission::v1::{Application, WatchApplicationsRequest};
use moka_rpc::{Channel, timestamp};

use crate::store::{AttemptKey, SeenAttempt};

/// Nobody waits for an answer here.
const PATIENCE: Patience = Patience {
    total: Duration::from_mins(1),
    first_pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(30),
};

/// A client of submission. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Submission {
    client: Client,
}

impl Submission {
    /// A client on a channel.
    pub fn new(channel: Channel) -> Self {
        let options = Options {
            patience: PATIENCE,
            ..Options::default()
        };
        Self {
            client: Client::new(channel, options),
        }
    }

    /// Begins to watch: from `cursor`, or with a snapshot.
    pub fn watch(&self, cursor: Option<String>) -> Watch {
        self.client.watch(WatchApplicationsRequest {
            cursor: cursor.unwrap_or_default(),
            ..WatchApplicationsRequest::default()
        })
    }
}

/// The attempts that a step tells of.
pub fn attempts_of(item: &WatchItem) -> Vec<SeenAttempt> {
    match item {
        WatchItem::Snapshot(application) => attempts(application),
        WatchItem::Change(change) => change
            .application
            .as_ref()
            .map(attempts)
            .unwrap_or_default(),
        WatchItem::SnapshotBegin
        | WatchItem::SnapshotEnd
        | WatchItem::Heartbeat
        | WatchItem::Interrupted(_) => Vec::new(),
    }
}

/// What is not ours to judge (an id or a number out of range) is passed over.
fn attempts(application: &Application) -> Vec<SeenAttempt> {
    let Ok(application_id) = application.application_id.parse() else {
        tracing::warn!(
            application.id = application.application_id,
            "submission told a strange id"
        );
        return Vec::new();
    };
    let seen = |attempt: &moka_proto::submission::v1::Attempt| {
        let end = attempt
            .end_time
            .as_ref()
            .and_then(|time| timestamp::from_proto(time).ok());
        Some(SeenAttempt {
            key: AttemptKey {
                application_id,
                attempt_number: u32::try_from(attempt.number)
                    .ok()
                    .filter(|number| *number > 0)?,
            },
            spark_application_id: attempt.spark_application_id.clone(),
            submission_version: application.version,
            ended_at: end.map(jiff::Timestamp::as_microsecond),
        })
    };
    application.attempts.iter().filter_map(seen).collect()
}
