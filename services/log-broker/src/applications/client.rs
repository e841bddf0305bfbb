//! Calls to submission.

use std::time::Duration;

use async_trait::async_trait;
use moka_core::{ApplicationId, ErrorReason, PublicError};
use moka_proto::submission::v1::{
    GetApplicationRequest, WatchApplicationsRequest, WatchApplicationsResponse,
    submission_service_client::SubmissionServiceClient,
};
use moka_rpc::{Channel, client::without_deadline, error_of};
use tonic::Streaming;

use super::{ApplicationView, Applications};

const DEADLINE: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Asks submission.
#[derive(Debug, Clone)]
pub struct SubmissionClient {
    client: SubmissionServiceClient<Channel>,
}

impl SubmissionClient {
    /// A client on a channel.
    pub fn new(channel: Channel) -> Self {
        Self {
            client: SubmissionServiceClient::new(channel),
        }
    }

    /// Opens a watch: from a snapshot on, or after a cursor.
    ///
    /// # Errors
    ///
    /// What submission answers, or that it does not.
    pub(super) async fn watch(
        &self,
        cursor: String,
    ) -> Result<Streaming<WatchApplicationsResponse>, PublicError> {
        let request = WatchApplicationsRequest {
            cursor,
            ..Default::default()
        };
        let opening = self.client.clone();
        let answer = async move {
            { opening }
                .watch_applications(without_deadline(request))
                .await
        };
        match tokio::time::timeout(DEADLINE, answer).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(error_of(&status)),
            Err(_elapsed) => Err(unavailable()),
        }
    }
}

#[async_trait]
impl Applications for SubmissionClient {
    async fn get(&self, id: ApplicationId) -> Result<Option<ApplicationView>, PublicError> {
        let mut request = tonic::Request::new(GetApplicationRequest {
            application_id: id.to_string(),
        });
        request.set_timeout(DEADLINE);
        match self.client.clone().get_application(request).await {
            Ok(response) => {
                let application = response.into_inner().application;
                Ok(application.as_ref().and_then(ApplicationView::of_proto))
            }
            Err(status) => match error_of(&status) {
                error if error.reason == ErrorReason::ApplicationNotFound => Ok(None),
                error => {
                    tracing::warn!(reason = error.reason.as_str(), %error, "submission does not tell");
                    Err(unavailable())
                }
            },
        }
    }
}

fn unavailable() -> PublicError {
    PublicError::new(
        ErrorReason::PeerUnavailable,
        "submission does not answer; try again",
    )
    .retry_after(RETRY_AFTER)
}
