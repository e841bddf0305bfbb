use moka_core::ErrorReason;
use moka_process::Tasks;
use moka_proto::scheduling::v1::ListQueuesRequest;
use moka_rpc::error_of;

use crate::{service::Service, yunikorn_stub::YuniKornStub};

#[tokio::test]
async fn pages_hold_every_queue_once_in_order() {
    let tasks = Tasks::default();
    let stub = YuniKornStub::start(&tasks).await;
    let mut service = Service::start(&[("east", &stub), ("west", &stub)]);
    service.until_read("east").await;
    service.until_read("west").await;
    let mut request = ListQueuesRequest {
        page_size: 3,
        ..ListQueuesRequest::default()
    };
    let mut listed = Vec::new();
    loop {
        let page = service
            .client
            .list_queues(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert!(page.queues.len() <= 3);
        listed.extend(
            page.queues
                .into_iter()
                .map(|queue| (queue.cluster, queue.path)),
        );
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(listed.len(), 10);
    assert!(listed.is_sorted() && listed.windows(2).all(|pair| pair[0] != pair[1]));
}

#[tokio::test]
async fn a_queue_tells_its_inherited_limits_and_its_age() {
    let tasks = Tasks::default();
    let stub = YuniKornStub::start(&tasks).await;
    let mut service = Service::start(&[("local", &stub)]);
    service.until_read("local").await;
    stub.fail(true);
    service
        .until(|fleet| fleet.get("local").unwrap().failing)
        .await;
    let request = ListQueuesRequest {
        cluster: "local".to_owned(),
        ..ListQueuesRequest::default()
    };
    let page = service
        .client
        .list_queues(request)
        .await
        .unwrap()
        .into_inner();
    let etl = page
        .queues
        .iter()
        .find(|queue| queue.path == "root.ads.etl")
        .unwrap();
    assert_eq!(etl.maximum.unwrap().cpu_millicores, 6000);
    assert_eq!(etl.guaranteed, None);
    assert_eq!(etl.allocated.unwrap().memory_bytes, 2_818_572_288);
    assert_eq!(
        (etl.maximum_running_applications, etl.running_applications),
        (10, 1)
    );
    assert!(etl.leaf && etl.stale && etl.observe_time.is_some());
    assert_eq!(
        page.queues[0].maximum, None,
        "the cluster's size is no limit of the root"
    );
}

#[tokio::test]
async fn queues_that_were_never_read_are_not_an_empty_list() {
    let tasks = Tasks::default();
    let (silent, good) = (
        YuniKornStub::start(&tasks).await,
        YuniKornStub::start(&tasks).await,
    );
    silent.fail(true);
    let mut service = Service::start(&[("east", &silent), ("west", &good)]);
    service.until_read("west").await;
    service
        .until(|fleet| fleet.get("east").unwrap().failing)
        .await;
    let all = service
        .client
        .list_queues(ListQueuesRequest::default())
        .await
        .unwrap();
    assert!(
        all.into_inner()
            .queues
            .iter()
            .all(|queue| queue.cluster == "west")
    );
    let east = ListQueuesRequest {
        cluster: "east".to_owned(),
        ..ListQueuesRequest::default()
    };
    let error = error_of(&service.client.list_queues(east).await.unwrap_err());
    assert_eq!(error.reason, ErrorReason::SchedulerUnavailable);
    assert!(error.retry_after.is_some());
}

#[tokio::test]
async fn clusters_that_are_not_ours_and_foreign_tokens_are_refused() {
    let tasks = Tasks::default();
    let stub = YuniKornStub::start(&tasks).await;
    let mut service = Service::start(&[("local", &stub)]);
    let request = ListQueuesRequest {
        cluster: "other".to_owned(),
        ..ListQueuesRequest::default()
    };
    let error = error_of(&service.client.list_queues(request).await.unwrap_err());
    assert_eq!(error.reason, ErrorReason::InvalidField);
    assert_eq!(error.violations[0].field, "cluster");
    let request = ListQueuesRequest {
        page_token: "x".to_owned(),
        ..ListQueuesRequest::default()
    };
    let error = error_of(&service.client.list_queues(request).await.unwrap_err());
    assert_eq!(error.reason, ErrorReason::InvalidPageToken);
}
