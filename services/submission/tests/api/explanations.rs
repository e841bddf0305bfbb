//! Asking why, and where to look.

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    ApplicationState, ExplainApplicationRequest, Explanation, GetApplicationLinksRequest, LinkKind,
};
use moka_rpc::error_of;
use moka_submission::domain::{
    application::Placement,
    explain::{PodView, Reason, SchedulingFacts, Sight},
    lifecycle::Happening,
    resolve::{Rules, resolve},
    rules::ClusterState,
};

use crate::harness::{Harness, start};

async fn explain(harness: &Harness, id: &str) -> Result<Explanation, PublicError> {
    let request = ExplainApplicationRequest {
        application_id: id.to_owned(),
    };
    let answer = harness.client.clone().explain_application(request).await;
    answer
        .map(|answer| answer.into_inner().explanation.unwrap())
        .map_err(|status| error_of(&status))
}

fn reasons(explanation: &Explanation) -> Vec<&str> {
    let findings = explanation.findings.iter();
    findings.map(|finding| finding.reason.as_str()).collect()
}

async fn record(harness: &Harness, id: &str, happenings: Vec<Happening>) {
    for happening in happenings {
        let id = id.parse().unwrap();
        harness
            .store
            .record(id, None, &happening, "test")
            .await
            .unwrap();
    }
}

/// Accepted, placed in cluster `west` and created there.
async fn submitted(harness: &Harness) -> String {
    let id = harness.accepted("key").await;
    let application = harness.store.get(id.parse().unwrap()).await.unwrap();
    let spec = application.unwrap().submission.spec;
    let placement = Placement {
        cluster: "west".to_owned(),
        queue: "root.demo".to_owned(),
        namespace: "spark-jobs".to_owned(),
        ..Placement::default()
    };
    let placed = Happening::Placed {
        attempt_number: 1,
        placement,
        launch: Box::new(resolve(&spec, Rules::default()).unwrap()),
    };
    let uid = "5d2f".to_owned();
    record(harness, &id, vec![placed, Happening::Created { uid }]).await;
    id
}

#[tokio::test]
async fn an_application_in_line_says_so() {
    let harness = start().await;
    let id = harness.accepted("key").await;
    let explanation = explain(&harness, &id).await.unwrap();
    assert_eq!(explanation.application_id, id);
    assert_eq!(explanation.state(), ApplicationState::Queued);
    assert_eq!(reasons(&explanation), ["IN_LINE"]);
    assert_eq!(explanation.summary, explanation.findings[0].message);
    assert_eq!(explanation.unanswered, Vec::<String>::new());
}

#[tokio::test]
async fn a_fleet_that_takes_nothing_is_the_reason() {
    let harness = start().await;
    let id = harness.accepted("key").await;
    let fleet = &harness.fleet;
    fleet
        .set_cluster_state("west", ClusterState::Draining, "upgrade", "test")
        .await
        .unwrap();
    let explanation = explain(&harness, &id).await.unwrap();
    // Nothing is in it, so that it may be drained already.
    let decisive = &explanation.findings[0];
    assert!(decisive.decisive, "{decisive:?}");
    assert!(decisive.reason.starts_with("CLUSTER_DRAIN"), "{decisive:?}");
}

#[tokio::test]
async fn a_place_that_is_not_there_is_the_reason() {
    let harness = start().await;
    let id = harness.accepted("key").await;
    let none = PublicError::new(ErrorReason::NoClusterAvailable, "no cluster has root.demo");
    *harness.scheduler.refuses.lock().unwrap() = Some(none);
    let explanation = explain(&harness, &id).await.unwrap();
    assert_eq!(reasons(&explanation), ["NO_CLUSTER_AVAILABLE"]);
    assert!(explanation.findings[0].decisive);
    assert_eq!(explanation.summary, "No cluster has root.demo.");
}

#[tokio::test]
async fn what_the_cluster_shows_decides() {
    let harness = start().await;
    let id = submitted(&harness).await;
    let waiting = Reason {
        word: "ImagePullBackOff".to_owned(),
        message: "not found".to_owned(),
    };
    let driver = PodView {
        name: format!("{id}-1-driver"),
        is_driver: true,
        waiting: Some(waiting),
        ..PodView::default()
    };
    let sight = Sight {
        pods: vec![driver],
        ..Sight::default()
    };
    *harness.inspector.sight.lock().unwrap() = Some(sight);
    let explanation = explain(&harness, &id).await.unwrap();
    let pull = explanation
        .findings
        .iter()
        .find(|finding| finding.reason == "IMAGE_PULL")
        .unwrap();
    assert!(pull.decisive);
    assert_eq!(explanation.unanswered, Vec::<String>::new());
}

#[tokio::test]
async fn a_replica_without_access_to_the_cluster_tells_what_it_knows() {
    let harness = start().await;
    let id = submitted(&harness).await;
    let facts = SchedulingFacts {
        state: "Accepted".to_owned(),
        queue: "root.demo".to_owned(),
        pending_pods: 3,
        ..SchedulingFacts::default()
    };
    *harness.insight.state.lock().unwrap() = facts;
    let explanation = explain(&harness, &id).await.unwrap();
    assert_eq!(reasons(&explanation)[0], "WAITING_FOR_RESOURCES");
    assert_eq!(
        explanation.unanswered,
        ["cluster west: this replica has no access to cluster west"]
    );
}

#[tokio::test]
async fn a_source_that_is_silent_is_named_and_not_waited_for() {
    let harness = start().await;
    let id = submitted(&harness).await;
    *harness.insight.hangs.lock().unwrap() = true;
    let explanation = explain(&harness, &id).await.unwrap();
    assert_eq!(reasons(&explanation), ["PLACED"]);
    assert_eq!(
        explanation.unanswered,
        [
            "scheduler-adapter: no answer within 1s",
            "scheduler-adapter: no answer within 1s",
            "cluster west: this replica has no access to cluster west",
        ]
    );
}

#[tokio::test]
async fn links_follow_the_state() {
    let harness = start().await;
    let id = submitted(&harness).await;
    let links = async || {
        let request = GetApplicationLinksRequest {
            application_id: id.clone(),
        };
        let answer = harness.client.clone().get_application_links(request).await;
        let answer = answer.unwrap().into_inner();
        let kinds: Vec<_> = answer
            .links
            .iter()
            .map(moka_proto::submission::v1::Link::kind)
            .collect();
        (answer.state(), kinds)
    };
    assert_eq!(links().await, (ApplicationState::Submitted, vec![]));
    let spark_application_id = "spark-1".to_owned();
    let seen = Happening::DriverSeen {
        spark_application_id,
    };
    record(&harness, &id, vec![seen]).await;
    let (_, kinds) = links().await;
    let logs = [LinkKind::LogStream, LinkKind::LogStream];
    assert_eq!(kinds[kinds.len() - 2..], logs);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_explained() {
    let harness = start().await;
    for (id, reason) in [
        (
            "m01hf7yat00v2t9d4h5w8k3e6qz",
            ErrorReason::ApplicationNotFound,
        ),
        ("nonsense", ErrorReason::InvalidField),
    ] {
        assert_eq!(explain(&harness, id).await.unwrap_err().reason, reason);
        let request = GetApplicationLinksRequest {
            application_id: id.to_owned(),
        };
        let answer = harness.client.clone().get_application_links(request).await;
        assert_eq!(error_of(&answer.unwrap_err()).reason, reason);
    }
}
