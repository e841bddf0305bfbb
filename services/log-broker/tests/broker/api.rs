//! The gRPC face: answers and refusals.

use moka_core::{ErrorReason, PublicError};
use moka_log_broker::{api::LogApi, serving::Serving};
use moka_proto::logs::v1::{
    CompletenessVerdict, ContainerSource, EventLogSource, FollowLogRequest, GetEventLogRequest,
    ListLogStreamsRequest, LogStreamName, ReadLogRequest, log_service_client::LogServiceClient,
    log_service_server::LogServiceServer, log_stream_name,
};
use moka_rpc::{ClientOptions, Server, ServerOptions, error_of, memory};
use tokio_util::sync::CancellationToken;

use crate::{
    raw::{FILE, attempt, grammar, object},
    world::{PATH, World},
};

pub(crate) fn client(world: &World) -> LogServiceClient<moka_rpc::Channel> {
    client_of(world.serving())
}

pub(crate) fn client_of(serving: Serving) -> LogServiceClient<moka_rpc::Channel> {
    let (channel, incoming) = memory::channel(&ClientOptions::default()).unwrap();
    let stop = CancellationToken::new();
    let api = LogApi::new(serving, stop.clone());
    let server = Server::new(
        ServerOptions::default(),
        &mut prometheus_client::registry::Registry::default(),
    )
    .add_service(LogServiceServer::new(api));
    let tasks = moka_process::Tasks::default();
    tasks.spawn("server", server.serve_incoming(incoming, stop));
    LogServiceClient::new(channel)
}

fn name(source: log_stream_name::Source) -> LogStreamName {
    LogStreamName {
        application_id: attempt().application_id.to_string(),
        attempt_number: 0,
        source: Some(source),
    }
}

fn driver_name() -> LogStreamName {
    name(log_stream_name::Source::Container(
        ContainerSource::default(),
    ))
}

fn event_log_name() -> LogStreamName {
    name(log_stream_name::Source::EventLog(EventLogSource::default()))
}

pub(crate) fn reason<T: std::fmt::Debug>(result: Result<T, tonic::Status>) -> ErrorReason {
    let error: PublicError = error_of(&result.unwrap_err());
    error.reason
}

#[tokio::test]
async fn event_log_is_read_by_the_byte_and_listed() {
    let world = World::new();
    let lines = ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"];
    let prefix = format!("{}{FILE}/", grammar().events_prefix(attempt()));
    let path = format!("/var/lib/moka/events/{}/{FILE}.inprogress", attempt());
    world
        .store
        .put(&format!("{prefix}1.jsonl"), object(&path, None, 0, &lines))
        .await;
    world
        .ship(
            "1",
            object(PATH, None, 0, &["2026-11-21T02:00:00Z stderr F hello"]),
        )
        .await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let mut client = client(&world);

    let request = ReadLogRequest {
        stream: Some(event_log_name()),
        maximum_lines: 2,
        ..Default::default()
    };
    let first = client.read_log(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.lines.len(), 2);
    assert!(!first.at_end);
    let rest = ReadLogRequest {
        cursor: first.next_cursor,
        ..request
    };
    let rest = client.read_log(rest).await.unwrap().into_inner();
    assert_eq!(&rest.lines[0].text[..], b"{\"c\":3}");
    assert!(rest.at_end);
    assert_eq!(
        rest.completeness.unwrap().verdict(),
        CompletenessVerdict::Complete
    );
    let tail = ReadLogRequest {
        stream: Some(event_log_name()),
        tail_lines: 1,
        ..Default::default()
    };
    assert_eq!(
        client.read_log(tail).await.unwrap().into_inner().lines,
        rest.lines
    );

    let application_id = attempt().application_id.to_string();
    let list = ListLogStreamsRequest {
        application_id,
        page_size: 1,
        page_token: String::new(),
    };
    let page = client
        .list_log_streams(list.clone())
        .await
        .unwrap()
        .into_inner();
    let driver = &page.streams[0];
    assert_eq!(driver.first_time.unwrap().seconds, 1_795_226_400);
    assert!(!driver.live);
    let list = ListLogStreamsRequest {
        page_token: page.next_page_token,
        ..list
    };
    let page = client.list_log_streams(list).await.unwrap().into_inner();
    let Some(log_stream_name::Source::EventLog(source)) =
        page.streams[0].name.clone().unwrap().source
    else {
        panic!("an event log comes after the containers")
    };
    assert_eq!(source.file, FILE);
    assert_eq!(page.next_page_token, "");
}

#[tokio::test]
async fn follow_streams_and_ends() {
    let world = World::new();
    world
        .ship(
            "1",
            object(PATH, None, 0, &["2026-11-21T02:00:00Z stderr F hello"]),
        )
        .await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let mut client = client(&world);
    let request = FollowLogRequest {
        stream: Some(driver_name()),
        ..Default::default()
    };
    let mut answers = client.follow_log(request).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    assert_eq!(&answer.lines[0].text[..], b"hello");
    assert_eq!(
        answer.completeness.unwrap().verdict(),
        CompletenessVerdict::Complete
    );
    assert_eq!(answers.message().await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_be_answered_has_its_reason() {
    let world = World::new();
    let mut client = client(&world);
    let read = |stream, cursor: &str| ReadLogRequest {
        stream,
        cursor: cursor.to_owned(),
        ..Default::default()
    };

    assert_eq!(
        reason(client.read_log(read(Some(driver_name()), "")).await),
        ErrorReason::LogStreamNotFound
    );
    assert_eq!(
        reason(client.read_log(read(Some(event_log_name()), "")).await),
        ErrorReason::LogStreamNotFound
    );
    let foreign = ContainerSource {
        pod: "coredns".to_owned(),
        container: String::new(),
    };
    let foreign = name(log_stream_name::Source::Container(foreign));
    assert_eq!(
        reason(client.read_log(read(Some(foreign), "")).await),
        ErrorReason::LogStreamNotFound
    );
    assert_eq!(
        reason(client.read_log(read(Some(driver_name()), "bad")).await),
        ErrorReason::InvalidCursor
    );
    assert_eq!(
        reason(client.read_log(read(None, "")).await),
        ErrorReason::InvalidField
    );
    let unknown = Some(LogStreamName {
        application_id: "m01hf7yat00v2t9d4h5w8k3e6qy".to_owned(),
        ..driver_name()
    });
    assert_eq!(
        reason(client.read_log(read(unknown, "")).await),
        ErrorReason::ApplicationNotFound
    );
    let application_id = attempt().application_id.to_string();
    let event_log = GetEventLogRequest {
        application_id: application_id.clone(),
        attempt_number: 0,
    };
    assert_eq!(
        reason(client.get_event_log(event_log).await),
        ErrorReason::LogStreamNotFound
    );
    let list = ListLogStreamsRequest {
        application_id,
        page_token: "x".to_owned(),
        page_size: 0,
    };
    assert_eq!(
        reason(client.list_log_streams(list).await),
        ErrorReason::InvalidPageToken
    );
    *world.applications.down.lock().unwrap() = true;
    assert_eq!(
        reason(client.read_log(read(Some(driver_name()), "")).await),
        ErrorReason::PeerUnavailable
    );
}
