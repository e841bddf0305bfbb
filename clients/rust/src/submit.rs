//! Submitting one and many.

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    SubmitApplicationRequest, SubmitApplicationResponse, SubmitApplicationsRequest, SubmitOutcome,
};

use crate::{Client, retry::repeatedly};

/// How many requests go into one call.
pub const MOST_AT_ONCE: usize = 500;

impl Client {
    /// Submits an application. Repeated with the same project, key and try number it gives the same
    /// application, so that whoever is not sure whether it was accepted can just ask again.
    ///
    /// # Errors
    ///
    /// When the request is refused, or the service does not answer for as long as patience lasts.
    pub async fn submit(
        &self,
        request: SubmitApplicationRequest,
    ) -> Result<SubmitApplicationResponse, PublicError> {
        let answer = repeatedly(&self.options, || {
            let (mut stub, request) = (self.stub(), request.clone());
            async move { stub.submit_application(request).await }
        });
        answer.await
    }

    /// Submits any number of applications, [`MOST_AT_ONCE`] in a call, and gives an outcome for
    /// each, in their order.
    ///
    /// # Errors
    ///
    /// When a call fails for as long as patience lasts. Those before it were accepted; submitting
    /// everything again is safe.
    pub async fn submit_many(
        &self,
        requests: Vec<SubmitApplicationRequest>,
    ) -> Result<Vec<SubmitOutcome>, PublicError> {
        let mut outcomes = Vec::with_capacity(requests.len());
        for chunk in requests.chunks(MOST_AT_ONCE) {
            let request = SubmitApplicationsRequest {
                requests: chunk.to_vec(),
            };
            let answer = repeatedly(&self.options, || {
                let (mut stub, request) = (self.stub(), request.clone());
                async move { stub.submit_applications(request).await }
            });
            let answered = answer.await?.outcomes;
            if answered.len() != chunk.len() {
                let message = format!("{} outcomes for {} requests", answered.len(), chunk.len());
                return Err(PublicError::new(ErrorReason::Internal, message));
            }
            outcomes.extend(answered);
        }
        Ok(outcomes)
    }
}
