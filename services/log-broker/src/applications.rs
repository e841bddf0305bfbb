//! What log-broker knows of applications: submission told it.

mod client;
mod live;
mod recent;
mod watch;

use async_trait::async_trait;
pub use client::SubmissionClient;
use jiff::Timestamp;
pub use live::LiveAttempts;
use moka_core::{ApplicationId, AttemptName, PublicError};
use moka_proto::submission::v1::{Application, ApplicationState};
use moka_rpc::timestamp::from_proto;
pub use recent::RecentApplications;

/// An attempt, as far as its logs are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptView {
    /// Its name.
    pub name: AttemptName,
    /// The cluster that it was sent to.
    pub cluster: String,
    /// The namespace of its pods.
    pub namespace: String,
    /// When it ended; `None` while it may still write.
    pub ended: Option<Timestamp>,
}

/// An application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationView {
    /// Its id.
    pub id: ApplicationId,
    /// The project that it belongs to.
    pub project: String,
    /// When it ended for good; `None` while it may run, or run again.
    pub ended: Option<Timestamp>,
    /// Its attempts, in order.
    pub attempts: Vec<AttemptView>,
}

/// Who knows applications.
#[async_trait]
pub trait Applications: Send + Sync + std::fmt::Debug {
    /// One application; `None` when there is none.
    ///
    /// # Errors
    ///
    /// `PEER_UNAVAILABLE` when nobody answers.
    async fn get(&self, id: ApplicationId) -> Result<Option<ApplicationView>, PublicError>;
}

impl ApplicationView {
    /// Reads submission's form; `None` when its id is none.
    pub fn of_proto(application: &Application) -> Option<Self> {
        let id: ApplicationId = application.application_id.parse().ok()?;
        let is_final = matches!(
            application.state(),
            ApplicationState::Succeeded | ApplicationState::Failed | ApplicationState::Cancelled
        );
        let time =
            |time: Option<&prost_types::Timestamp>| time.and_then(|time| from_proto(time).ok());
        let last_change =
            time(application.end_time.as_ref()).or_else(|| time(application.update_time.as_ref()));
        let count = application.attempts.len();
        let attempts = application
            .attempts
            .iter()
            .enumerate()
            .filter_map(|(index, attempt)| {
                // An attempt with a successor has ended, whether or not it was told when.
                let over = is_final || index + 1 < count;
                let ended = time(attempt.end_time.as_ref())
                    .or_else(|| over.then(|| last_change.unwrap_or(Timestamp::UNIX_EPOCH)));
                Some(AttemptView {
                    name: AttemptName::new(id, u32::try_from(attempt.number).ok()?),
                    cluster: attempt.cluster.clone(),
                    namespace: attempt.namespace.clone(),
                    ended,
                })
            });
        Some(Self {
            id,
            project: application.project.clone(),
            ended: is_final.then(|| last_change.unwrap_or(Timestamp::UNIX_EPOCH)),
            attempts: attempts.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use moka_proto::submission::v1::Attempt;

    use super::*;

    fn application(state: ApplicationState, ends: &[Option<i64>]) -> Application {
        let time = |seconds| prost_types::Timestamp { seconds, nanos: 0 };
        Application {
            application_id: "m01hf7yat00v2t9d4h5w8k3e6qz".to_owned(),
            state: state.into(),
            update_time: Some(time(99)),
            attempts: (1..)
                .zip(ends)
                .map(|(number, end)| Attempt {
                    number,
                    end_time: end.map(time),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }
    }

    fn ends(state: ApplicationState, ends: &[Option<i64>]) -> Vec<Option<i64>> {
        let view = ApplicationView::of_proto(&application(state, ends)).unwrap();
        view.attempts
            .iter()
            .map(|attempt| attempt.ended.map(Timestamp::as_second))
            .collect()
    }

    #[test]
    fn only_the_last_attempt_of_a_live_application_is_live() {
        use ApplicationState::{Failed, RetryWait, Running};
        assert_eq!(ends(Running, &[Some(5), None]), [Some(5), None]);
        assert_eq!(ends(Running, &[None, None]), [Some(99), None]);
        assert_eq!(ends(RetryWait, &[Some(5)]), [Some(5)]);
        assert_eq!(ends(Failed, &[Some(5), None]), [Some(5), Some(99)]);
        let ended = |state| {
            let view = ApplicationView::of_proto(&application(state, &[Some(5)]));
            view.unwrap().ended.map(Timestamp::as_second)
        };
        assert_eq!((ended(RetryWait), ended(Failed)), (None, Some(99)));
    }
}
