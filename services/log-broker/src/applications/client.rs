//! Calls to submission.

use std::time::Duration;

use async_trait::async_trait;
use moka_client::{Client, Options, Patience};
use moka_core::{ApplicationId, ErrorReason, PublicError};
use moka_rpc::Channel;

use super::{ApplicationView, Applications};

const DEADLINE: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A caller of ours waits: one more try, and not much later. Watches pause for longer.
const PATIENCE: Patience = Patience {
    total: DEADLINE,
    first_pause: Duration::from_millis(500),
    longest_pause: Duration::from_secs(30),
};

/// Asks submission.
#[derive(Debug, Clone)]
pub struct SubmissionClient {
    pub(super) client: Client,
}

impl SubmissionClient {
    /// A client on a channel.
    pub fn new(channel: Channel) -> Self {
        let options = Options {
            deadline: DEADLINE,
            patience: PATIENCE,
            ..Options::default()
        };
        Self {
            client: Client::new(channel, options),
        }
    }
}

#[async_trait]
impl Applications for SubmissionClient {
    async fn get(&self, id: ApplicationId) -> Result<Option<ApplicationView>, PublicError> {
        match self.client.get(&id.to_string()).await {
            Ok(application) => Ok(application.as_ref().and_then(ApplicationView::of_proto)),
            Err(error) => {
                tracing::warn!(reason = error.reason.as_str(), %error, "submission does not tell");
                Err(unavailable())
            }
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
