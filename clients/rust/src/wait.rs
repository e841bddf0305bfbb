//! Waiting for the end.

use moka_core::PublicError;
use moka_proto::submission::v1::{
    Application, ApplicationState, SubmitApplicationRequest, WatchApplicationsRequest,
};

use crate::{Client, WatchItem, client::empty};

impl Client {
    /// Waits until an application has ended, for as long as that takes, over restarts of the
    /// service. Drop it to stop waiting; it may be asked again.
    ///
    /// # Errors
    ///
    /// `APPLICATION_NOT_FOUND` when there is none.
    pub async fn wait_until_final(&self, application_id: &str) -> Result<Application, PublicError> {
        let mut watch = self.watch(WatchApplicationsRequest {
            application_id: application_id.to_owned(),
            ..WatchApplicationsRequest::default()
        });
        loop {
            let application = match watch.next().await?.item {
                WatchItem::Snapshot(application) => *application,
                WatchItem::Change(change) => match change.application {
                    Some(application) => application,
                    None => continue,
                },
                WatchItem::SnapshotBegin
                | WatchItem::SnapshotEnd
                | WatchItem::Heartbeat
                | WatchItem::Interrupted(_) => continue,
            };
            if is_final(application.state()) {
                return Ok(application);
            }
        }
    }

    /// Submits an application and waits for its end.
    ///
    /// # Errors
    ///
    /// What [`Self::submit`] fails with.
    pub async fn submit_and_wait(
        &self,
        request: SubmitApplicationRequest,
    ) -> Result<Application, PublicError> {
        let accepted = self.submit(request).await?;
        let application = accepted.application.ok_or_else(empty)?;
        if is_final(application.state()) {
            return Ok(application);
        }
        self.wait_until_final(&application.application_id).await
    }
}

fn is_final(state: ApplicationState) -> bool {
    matches!(
        state,
        ApplicationState::Succeeded | ApplicationState::Failed | ApplicationState::Cancelled
    )
}
