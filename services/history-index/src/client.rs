//! Submission as seen from here: which attempts exist, and when they end.

use std::time::Duration;

use moka_core::PublicError;
use moka_proto::submission::v1::{
    Application, WatchApplicationsRequest, submission_service_client::SubmissionServiceClient,
    watch_applications_response::Step,
};
use moka_rpc::{Channel, client::without_deadline, error_of, timestamp};
use tokio::time::timeout;
use tonic::Streaming;

use crate::store::{AttemptKey, SeenAttempt};

/// How long the answer to a watch may take to begin.
const OPEN_DEADLINE: Duration = Duration::from_secs(15);
/// How long a watch may be silent: submission sends a sign of life far more often.
const SILENCE_DEADLINE: Duration = Duration::from_mins(2);

/// A client of submission. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Submission {
    client: SubmissionServiceClient<Channel>,
}

/// A running watch.
#[derive(Debug)]
pub struct Watch {
    stream: Streaming<moka_proto::submission::v1::WatchApplicationsResponse>,
}

/// One answer of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchStep {
    /// Attempts that it tells of.
    pub attempts: Vec<SeenAttempt>,
    /// Where to go on after it; `None` inside a snapshot.
    pub cursor: Option<String>,
}

/// Why a watch ended.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// Submission says why.
    #[error("submission ended the watch: {0}")]
    Refused(PublicError),
    /// Nothing came for too long.
    #[error("submission has been silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// The server ended the stream.
    #[error("submission closed the watch")]
    Closed,
}

impl Submission {
    /// A client on a channel.
    pub fn new(channel: Channel) -> Self {
        Self {
            client: SubmissionServiceClient::new(channel),
        }
    }

    /// Begins to watch: from `cursor`, or with a snapshot.
    ///
    /// # Errors
    /// When submission does not answer or refuses the cursor.
    pub async fn watch(&self, cursor: Option<String>) -> Result<Watch, WatchError> {
        let request = WatchApplicationsRequest {
            cursor: cursor.unwrap_or_default(),
            ..WatchApplicationsRequest::default()
        };
        let mut client = self.client.clone();
        let answer = timeout(
            OPEN_DEADLINE,
            client.watch_applications(without_deadline(request)),
        );
        match answer.await {
            Ok(Ok(answer)) => Ok(Watch {
                stream: answer.into_inner(),
            }),
            Ok(Err(status)) => Err(WatchError::Refused(error_of(&status))),
            Err(_elapsed) => Err(WatchError::Silent(OPEN_DEADLINE)),
        }
    }
}

impl Watch {
    /// The next answer.
    ///
    /// # Errors
    /// When the watch is over.
    pub async fn next(&mut self) -> Result<WatchStep, WatchError> {
        let answer = match timeout(SILENCE_DEADLINE, self.stream.message()).await {
            Ok(Ok(Some(answer))) => answer,
            Ok(Ok(None)) => return Err(WatchError::Closed),
            Ok(Err(status)) => return Err(WatchError::Refused(error_of(&status))),
            Err(_elapsed) => return Err(WatchError::Silent(SILENCE_DEADLINE)),
        };
        let application = match answer.step {
            Some(Step::Snapshot(application)) => Some(application),
            Some(Step::Change(change)) => change.application,
            Some(Step::SnapshotEnd(_) | Step::Heartbeat(_)) | None => None,
        };
        Ok(WatchStep {
            attempts: application.as_ref().map(attempts).unwrap_or_default(),
            cursor: Some(answer.cursor).filter(|cursor| !cursor.is_empty()),
        })
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
