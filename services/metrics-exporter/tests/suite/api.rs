use std::time::Duration;

use axum::http::StatusCode;
use moka_core::ErrorReason;
use moka_process::Tasks;
use moka_proto::metrics::v1::{ListTargetsRequest, Target};
use moka_rpc::error_of;
use tokio::time::{sleep, timeout};

use crate::{
    endpoint::Endpoint,
    opentsdb::{OpenTsdb, PATIENCE},
    service::Service,
};

async fn until(service: &mut Service, holds: impl Fn(&Target) -> bool) -> Target {
    let asking = async {
        loop {
            let target = service.targets().await.targets.remove(0);
            if holds(&target) {
                return target;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap()
}

#[tokio::test]
async fn a_target_tells_how_its_scrapes_went() {
    let tasks = Tasks::default();
    let mut receiver = OpenTsdb::start(&tasks).await;
    let endpoint = Endpoint::start(&tasks, "a 1\nb NaN\nc\n").await;
    let mut service = Service::start(&endpoint.url(), receiver.address, &[]).await;
    let target = until(&mut service, |target| target.successes > 0).await;
    assert_eq!(target.url, endpoint.url());
    assert_eq!((target.last_samples, target.failures), (3, 0));
    assert!(target.last_scrape_time.is_some() && target.last_scrape_duration.is_some());

    endpoint.change(|answer| answer.status = StatusCode::SERVICE_UNAVAILABLE);
    let target = until(&mut service, |target| target.failures > 0).await;
    assert_eq!(
        target.last_error,
        "the endpoint answers 503 Service Unavailable"
    );
    assert_eq!(target.last_samples, 3, "of the last good answer");

    receiver.until(|received| !received.stored.is_empty()).await;
    let sink = service.until_sink(|sink| sink.written_lines > 0).await;
    assert_eq!(sink.address, receiver.address.to_string());
    assert_eq!(sink.dropped["not_finite"], sink.dropped["malformed"]);
    assert!(sink.connected);
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_refused() {
    let tasks = Tasks::default();
    let receiver = OpenTsdb::start(&tasks).await;
    let endpoint = Endpoint::start(&tasks, &"a 1\n".repeat(300)).await;
    let limit = "--scrape-limit-bytes=1024";
    let mut service = Service::start(&endpoint.url(), receiver.address, &[limit]).await;
    let target = until(&mut service, |target| target.failures > 0).await;
    assert_eq!(target.last_error, "the answer is larger than 1024 bytes");
    assert_eq!(service.sink().await.written_lines, 0);
}

#[tokio::test]
async fn an_answer_that_is_no_metrics_is_a_failure() {
    let tasks = Tasks::default();
    let receiver = OpenTsdb::start(&tasks).await;
    let endpoint = Endpoint::start(&tasks, "Spark is starting up. Please wait a while.").await;
    // After an answer that counts, nobody would ask again for an hour.
    let hour = "--scrape-interval-seconds=3600";
    let mut service = Service::start(&endpoint.url(), receiver.address, &[hour]).await;
    let target = until(&mut service, |target| target.failures > 0).await;
    assert_eq!(target.last_error, "the answer holds no metrics");
    endpoint.change(|answer| answer.body = "a 1\n".to_owned());
    until(&mut service, |target| target.successes > 0).await;
    assert!(service.sink().await.dropped.is_empty());
}

#[tokio::test]
async fn redirects_are_followed_within_the_target_only() {
    let tasks = Tasks::default();
    let receiver = OpenTsdb::start(&tasks).await;
    let endpoint = Endpoint::start(&tasks, "a 1\n").await;
    let mut moved = Service::start(&endpoint.url_of("moved"), receiver.address, &[]).await;
    until(&mut moved, |target| target.successes > 0).await;
    let mut away = Service::start(&endpoint.url_of("away"), receiver.address, &[]).await;
    let target = until(&mut away, |target| target.failures > 0).await;
    assert_eq!(target.last_error, "the endpoint answers 302 Found");
}

#[tokio::test]
async fn openmetrics_is_read_by_its_content_type() {
    let tasks = Tasks::default();
    let mut receiver = OpenTsdb::start(&tasks).await;
    let endpoint = Endpoint::start(&tasks, "a_total 2 1600000000.5\n# EOF\n").await;
    endpoint.change(|answer| {
        answer.content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    });
    let _service = Service::start(&endpoint.url(), receiver.address, &[]).await;
    let received = receiver.until(|received| !received.stored.is_empty()).await;
    assert_eq!(received.stored[0], "put a_total 1600000000 2 source=moka\n");
}

#[tokio::test]
async fn pages_hold_every_target_once() {
    let tasks = Tasks::default();
    let receiver = OpenTsdb::start(&tasks).await;
    let targets =
        "http://127.0.0.1:1/c,http://127.0.0.1:1/a,http://127.0.0.1:1/b,http://127.0.0.1:1/a";
    let mut service = Service::start(targets, receiver.address, &[]).await;
    let mut request = ListTargetsRequest {
        page_size: 2,
        ..ListTargetsRequest::default()
    };
    let first = service
        .client
        .list_targets(request.clone())
        .await
        .unwrap()
        .into_inner();
    request.page_token = first.next_page_token;
    let second = service
        .client
        .list_targets(request.clone())
        .await
        .unwrap()
        .into_inner();
    let urls: Vec<_> = first
        .targets
        .iter()
        .chain(&second.targets)
        .map(|target| &target.url)
        .collect();
    assert_eq!(
        urls,
        [
            "http://127.0.0.1:1/a",
            "http://127.0.0.1:1/b",
            "http://127.0.0.1:1/c"
        ]
    );
    assert_eq!(second.next_page_token, "");
    request.page_token = "x".to_owned();
    let error = error_of(&service.client.list_targets(request).await.unwrap_err());
    assert_eq!(error.reason, ErrorReason::InvalidPageToken);
}
