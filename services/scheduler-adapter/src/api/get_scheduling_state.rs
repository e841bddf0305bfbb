//! `GetSchedulingState`.

use moka_core::{AttemptName, PublicError};
use moka_proto::scheduling::v1::{GetSchedulingStateRequest, GetSchedulingStateResponse};
use moka_rpc::Violations;

use super::Api;
use crate::{domain::application_state::ApplicationState, error};

impl Api {
    /// Asks YuniKorn itself: a launch wants to know at once why nothing starts.
    pub(super) async fn scheduling_state(
        &self,
        request: GetSchedulingStateRequest,
    ) -> Result<GetSchedulingStateResponse, PublicError> {
        let GetSchedulingStateRequest {
            cluster,
            attempt_name,
        } = request;
        let mut violations = Violations::new();
        let yunikorn = self.yunikorns.get(&cluster);
        if yunikorn.is_none() {
            violations.add("cluster", self.unknown_cluster(&cluster));
        }
        if let Err(error) = attempt_name.parse::<AttemptName>() {
            violations.add("attempt_name", error.to_string());
        }
        violations.into_result()?;
        let yunikorn = yunikorn.expect("an unknown cluster is a violation");
        let state = yunikorn.application_state(&attempt_name).await;
        state
            .map(response)
            .map_err(|error| error::of_yunikorn(&cluster, error))
    }
}

fn response(state: ApplicationState) -> GetSchedulingStateResponse {
    let ApplicationState {
        state,
        queue,
        rejected_message,
        allocated_pods,
        pending_pods,
        replaced_placeholders,
    } = state;
    GetSchedulingStateResponse {
        state,
        queue,
        rejected_message,
        allocated_pods: i32::try_from(allocated_pods).unwrap_or(i32::MAX),
        pending_pods: i32::try_from(pending_pods).unwrap_or(i32::MAX),
        replaced_placeholders: i32::try_from(replaced_placeholders).unwrap_or(i32::MAX),
    }
}
