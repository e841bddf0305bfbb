use moka_core::ErrorReason;
use moka_process::Tasks;
use moka_proto::scheduling::v1::{GetSchedulingStateRequest, GetSchedulingStateResponse};
use moka_rpc::error_of;

use crate::{service::Service, yunikorn_stub::YuniKornStub};

fn request(cluster: &str, attempt_name: &str) -> GetSchedulingStateRequest {
    GetSchedulingStateRequest {
        cluster: cluster.to_owned(),
        attempt_name: attempt_name.to_owned(),
    }
}

#[tokio::test]
async fn live_rejected_and_unknown_attempts_are_told_apart() {
    let tasks = Tasks::default();
    let mut service = Service::start(&[("local", &YuniKornStub::start(&tasks).await)]);
    let running = request("local", "m01hf7yat00v2t9d4h5w8k3e6qz-1");
    let running = service
        .client
        .get_scheduling_state(running)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (running.state.as_str(), running.queue.as_str()),
        ("Running", "root.ads.etl")
    );
    assert_eq!((running.allocated_pods, running.pending_pods), (3, 0));
    assert_eq!(running.replaced_placeholders, 3);

    let rejected = request("local", "m01hf7yat00v2t9d4h5w8k3e6qz-2");
    let rejected = service
        .client
        .get_scheduling_state(rejected)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(rejected.state, "Rejected");
    assert!(
        rejected
            .rejected_message
            .contains("larger than max queue allocation")
    );

    let unknown = request("local", "m01hf7yat00v2t9d4h5w8k3e6qz-3");
    let unknown = service
        .client
        .get_scheduling_state(unknown)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(unknown, GetSchedulingStateResponse::default());
}

#[tokio::test]
async fn failures_name_their_reason() {
    let tasks = Tasks::default();
    let stub = YuniKornStub::start(&tasks).await;
    let mut service = Service::start(&[("local", &stub)]);
    let invalid = service
        .client
        .get_scheduling_state(request("other", "etl"))
        .await
        .unwrap_err();
    let invalid = error_of(&invalid);
    assert_eq!(invalid.reason, ErrorReason::InvalidField);
    let fields: Vec<_> = invalid
        .violations
        .iter()
        .map(|each| each.field.as_str())
        .collect();
    assert_eq!(fields, ["cluster", "attempt_name"]);

    stub.fail(true);
    let asked = request("local", "m01hf7yat00v2t9d4h5w8k3e6qz-1");
    let silent = error_of(
        &service
            .client
            .get_scheduling_state(asked)
            .await
            .unwrap_err(),
    );
    assert_eq!(silent.reason, ErrorReason::SchedulerUnavailable);
    assert!(silent.retry_after.is_some());
}
