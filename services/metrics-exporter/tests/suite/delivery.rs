use std::time::Duration;

use moka_process::Tasks;

use crate::{
    endpoint::Endpoint,
    opentsdb::OpenTsdb,
    service::{Service, free_address},
};

const GRACE: Duration = Duration::from_secs(20);

macro_rules! corpus {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/corpora/spark-metrics/",
            $name
        ))
    };
}

#[tokio::test]
async fn sparks_endpoints_arrive_whole_at_a_strict_receiver() {
    let tasks = Tasks::default();
    let mut receiver = OpenTsdb::start(&tasks).await;
    let servlet = Endpoint::start(&tasks, corpus!("spark-servlet.prom")).await;
    let executors = Endpoint::start(&tasks, corpus!("spark-executors.prom")).await;
    let targets = format!("{},{}", servlet.url(), executors.url());
    let tags = "--tags=application=m01hf7yat00v2t9d4h5w8k3e6qz,cluster=local";
    let _service = Service::start(&targets, receiver.address, &[tags]).await;
    let received = receiver
        .until(|received| received.stored.len() >= 356)
        .await;
    assert!(received.refused.is_empty(), "{:?}", received.refused);
    let named = |name: &str| {
        received
            .stored
            .iter()
            .find(|line| line.contains(name))
            .unwrap()
    };
    let heap = named("put spark_driver_jvm_heap_used_Value ");
    assert!(heap.ends_with(" application=m01hf7yat00v2t9d4h5w8k3e6qz cluster=local type=gauges\n"));
    let executor = named("put spark_executor_completedTasks_total ");
    assert!(executor.ends_with(
        " 3 executor_id=driver application=m01hf7yat00v2t9d4h5w8k3e6qz cluster=local\n"
    ));
    let version = named("put spark_info ");
    assert!(version.contains("revision=29434ea766b0fc3c3bf6eaadb43a8f931133649e"));
}

#[tokio::test]
async fn lines_wait_for_an_agent_that_starts_later() {
    let tasks = Tasks::default();
    let endpoint = Endpoint::start(&tasks, "a 1\n").await;
    let address = free_address();
    let mut service = Service::start(&endpoint.url(), address, &[]).await;
    let sink = service
        .until_sink(|sink| sink.buffered_lines > 0 && !sink.last_error.is_empty())
        .await;
    assert!(!sink.connected);
    let mut receiver = OpenTsdb::start_at(&tasks, address).await;
    let received = receiver.until(|received| !received.stored.is_empty()).await;
    assert!(received.stored[0].starts_with("put a "));
}

#[tokio::test]
async fn a_broken_connection_is_opened_again() {
    let tasks = Tasks::default();
    let mut receiver = OpenTsdb::start(&tasks).await;
    let endpoint = Endpoint::start(&tasks, "a 1\nb 2\n").await;
    receiver.hang_up(true);
    let mut service = Service::start(&endpoint.url(), receiver.address, &[]).await;
    receiver.until(|received| received.connections >= 2).await;
    receiver.hang_up(false);
    let second = |line: &String| line.starts_with("put b ");
    receiver
        .until(|received| received.stored.iter().any(second))
        .await;
    assert!(service.sink().await.dropped.is_empty());
}

#[tokio::test]
async fn complaints_of_the_agent_are_told() {
    let tasks = Tasks::default();
    let endpoint = Endpoint::start(&tasks, "a 1\n").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn("complaining agent", async move {
        let (mut connection, _) = listener.accept().await?;
        tokio::io::AsyncWriteExt::write_all(&mut connection, b"put: no space left\n").await?;
        std::future::pending::<std::io::Result<()>>().await
    });
    let mut service = Service::start(&endpoint.url(), address, &[]).await;
    service
        .until_sink(|sink| sink.last_error == "put: no space left")
        .await;
    let metrics = service.context.metrics_text().unwrap();
    assert!(
        metrics.contains("moka_metrics_exporter_error_replies_total 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn the_last_values_leave_before_the_process_does() {
    let tasks = Tasks::default();
    let mut receiver = OpenTsdb::start(&tasks).await;
    let endpoint = Endpoint::start(&tasks, "a 1\n").await;
    let hour = "--scrape-interval-seconds=3600";
    let service = Service::start(&endpoint.url(), receiver.address, &[hour]).await;
    receiver.until(|received| !received.stored.is_empty()).await;
    endpoint.change(|answer| answer.body = "a 2\n".to_owned());
    service.context.tasks.drain(GRACE).await.unwrap();
    let received = receiver.until(|received| received.stored.len() >= 2).await;
    assert!(received.stored.last().unwrap().contains(" 2 source=moka"));
    assert!(received.refused.is_empty(), "{:?}", received.refused);
}

#[tokio::test]
async fn an_agent_that_is_away_does_not_keep_the_process() {
    let tasks = Tasks::default();
    let endpoint = Endpoint::start(&tasks, "a 1\n").await;
    let flush = "--flush-timeout-seconds=1";
    let service = Service::start(&endpoint.url(), free_address(), &[flush]).await;
    service.context.tasks.drain(GRACE).await.unwrap();
    let metrics = service.context.metrics_text().unwrap();
    let counted = r#"moka_metrics_exporter_dropped_samples_total{reason="unsent"} "#;
    assert!(metrics.contains(counted), "{metrics}");
}
