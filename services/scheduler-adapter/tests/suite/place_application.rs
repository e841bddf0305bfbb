use std::collections::BTreeMap;

use moka_core::ErrorReason;
use moka_process::Tasks;
use moka_proto::{
    common::v1::PodSize,
    scheduling::v1::{PlaceApplicationRequest, PlacementRequest},
};
use moka_rpc::error_of;

use crate::{service::Service, yunikorn_stub::YuniKornStub};

type Change = Box<dyn Fn(&mut PlacementRequest)>;

fn request(queue: &str, executor_count: i32) -> PlacementRequest {
    let size = PodSize {
        cpu_millicores: 100,
        memory_bytes: 939_524_096,
    };
    PlacementRequest {
        attempt_name: "m01hf7yat00v2t9d4h5w8k3e6qz-1".to_owned(),
        queue: queue.to_owned(),
        driver: Some(size),
        executor: Some(size),
        executor_count,
        clusters: Vec::new(),
        ..PlacementRequest::default()
    }
}

async fn error(service: &Service, request: Option<PlacementRequest>) -> moka_core::PublicError {
    let request = PlaceApplicationRequest { request };
    error_of(
        &service
            .client
            .clone()
            .place_application(request)
            .await
            .unwrap_err(),
    )
}

#[tokio::test]
async fn gang_that_fits_is_placed_with_its_metadata() {
    let tasks = Tasks::default();
    let mut service = Service::start(&[("local", &YuniKornStub::start(&tasks).await)]);
    service.until_read("local").await;
    let request = PlaceApplicationRequest {
        request: Some(request("root.ads.etl", 2)),
    };
    let answer = service
        .client
        .place_application(request)
        .await
        .unwrap()
        .into_inner();
    let placement = answer.placement.unwrap();
    assert_eq!(
        (placement.cluster.as_str(), placement.queue.as_str()),
        ("local", "root.ads.etl")
    );
    assert_eq!(placement.scheduler_name, "yunikorn");
    let groups = &placement.driver.unwrap().annotations["yunikorn.apache.org/task-groups"];
    assert!(
        groups.contains(r#""name":"spark-executor","minMember":2"#),
        "{groups}"
    );
    assert_eq!(
        placement.executor.unwrap().labels["yunikorn.apache.org/queue"],
        "root.ads.etl"
    );
    assert_eq!(answer.candidates.len(), 1);
    assert!(answer.candidates[0].eligible);
    let metrics = service.context.metrics_text().unwrap();
    let counted = r#"moka_scheduler_adapter_placements_total{outcome="placed"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn refusals_name_their_reason() {
    let tasks = Tasks::default();
    let mut service = Service::start(&[("local", &YuniKornStub::start(&tasks).await)]);
    service.until_read("local").await;
    let unknown = error(&service, Some(request("root.nothing", 1))).await;
    assert_eq!(unknown.reason, ErrorReason::UnknownQueue);
    assert_eq!(unknown.violations[0].field, "request.queue");
    let parent = error(&service, Some(request("root.ads", 1))).await;
    assert_eq!(parent.reason, ErrorReason::UnknownQueue);
    // The same gang that YuniKorn itself rejected when it was recorded.
    let large = error(&service, Some(request("root.ads.etl", 40))).await;
    assert_eq!(large.reason, ErrorReason::GangExceedsQueue);
    assert!(
        large
            .message
            .contains("38520487936 bytes of memory of at most 12884901888")
    );
    assert_eq!(large.retry_after, None);
}

#[tokio::test]
async fn every_invalid_field_is_named() {
    let tasks = Tasks::default();
    let service = Service::start(&[("local", &YuniKornStub::start(&tasks).await)]);
    let invalid = PlacementRequest {
        attempt_name: "etl".to_owned(),
        queue: String::new(),
        driver: None,
        executor: Some(PodSize {
            cpu_millicores: 0,
            memory_bytes: -1,
        }),
        executor_count: 100_001,
        clusters: vec!["elsewhere".to_owned()],
        ..PlacementRequest::default()
    };
    let error_of_all = error(&service, Some(invalid)).await;
    assert_eq!(error_of_all.reason, ErrorReason::InvalidField);
    let mut fields: Vec<_> = error_of_all
        .violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    fields.sort_unstable();
    let expected = [
        "request.attempt_name",
        "request.clusters",
        "request.driver",
        "request.executor.cpu_millicores",
        "request.executor.memory_bytes",
        "request.executor_count",
        "request.queue",
    ];
    assert_eq!(fields, expected);
    let empty = error(&service, None).await;
    assert_eq!(empty.violations[0].field, "request");
}

#[tokio::test]
async fn limits_hold_to_the_unit() {
    let tasks = Tasks::default();
    let mut service = Service::start(&[("local", &YuniKornStub::start(&tasks).await)]);
    service.until_read("local").await;
    let devices = |count: usize, quantity: i64| -> BTreeMap<String, i64> {
        let device = |index| (format!("example.com/d{index}"), quantity);
        (0..count).map(device).collect()
    };
    let labels = |count: usize, value_bytes: usize| -> BTreeMap<String, String> {
        let label = |index| (format!("label{index}"), "x".repeat(value_bytes));
        (0..count).map(label).collect()
    };

    let cases: Vec<(&str, Change, Change)> = vec![
        (
            "request.executor_count_maximum",
            Box::new(|request| request.executor_count_maximum = 2),
            Box::new(|request| request.executor_count_maximum = 1),
        ),
        (
            "request.preferred_clusters",
            Box::new(|request| request.preferred_clusters = vec!["gone".to_owned(); 1000]),
            Box::new(|request| request.preferred_clusters = vec!["gone".to_owned(); 1001]),
        ),
        (
            "request.driver_extended_resources",
            Box::new(move |request| request.driver_extended_resources = devices(16, 1)),
            Box::new(move |request| request.driver_extended_resources = devices(17, 1)),
        ),
        (
            "request.executor_extended_resources",
            Box::new(move |request| request.executor_extended_resources = devices(1, 1_000_000)),
            Box::new(move |request| request.executor_extended_resources = devices(1, 1_000_001)),
        ),
        (
            "request.node_selector",
            Box::new(move |request| request.node_selector = labels(32, 63)),
            Box::new(move |request| request.node_selector = labels(33, 63)),
        ),
        (
            "request.node_selector",
            Box::new(move |request| request.node_selector = labels(1, 63)),
            Box::new(move |request| request.node_selector = labels(1, 64)),
        ),
        (
            "request.priority_class_name",
            Box::new(|request| request.priority_class_name = "p".repeat(317)),
            Box::new(|request| request.priority_class_name = "p".repeat(318)),
        ),
    ];
    for (field, at, past) in cases {
        let changed = |change: &Change| {
            let mut changed = request("root.ads.etl", 2);
            change(&mut changed);
            PlaceApplicationRequest {
                request: Some(changed),
            }
        };
        let mut client = service.client.clone();
        let placed = client.place_application(changed(&at)).await;
        assert!(placed.is_ok(), "{field} at its limit: {placed:?}");
        let refused = client.place_application(changed(&past)).await.unwrap_err();
        let error = error_of(&refused);
        assert_eq!(error.reason, ErrorReason::InvalidField, "{field}");
        assert_eq!(error.violations[0].field, field);
    }
}

#[tokio::test]
async fn silent_scheduler_is_unavailable_until_it_answers_and_then_stale() {
    let tasks = Tasks::default();
    let stub = YuniKornStub::start(&tasks).await;
    stub.fail(true);
    let mut service = Service::start(&[("local", &stub)]);
    service
        .until(|fleet| fleet.get("local").unwrap().failing)
        .await;
    let silent = error(&service, Some(request("root.search", 1))).await;
    assert_eq!(silent.reason, ErrorReason::SchedulerUnavailable);
    assert!(silent.retry_after.is_some());
    assert_eq!(
        service.context.readiness.missing(),
        ["queue tree of a cluster"]
    );

    stub.fail(false);
    service.until_read("local").await;
    stub.fail(true);
    service
        .until(|fleet| fleet.get("local").unwrap().failing)
        .await;
    assert!(
        service.context.readiness.missing().is_empty(),
        "one answer is enough to be ready"
    );
    let request = PlaceApplicationRequest {
        request: Some(request("root.search", 1)),
    };
    let answer = service
        .client
        .place_application(request)
        .await
        .unwrap()
        .into_inner();
    let reasons = &answer.candidates[0].reasons;
    assert!(reasons.contains(&"its scheduler did not answer the last question".to_owned()));
}
