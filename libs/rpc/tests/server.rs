//! What the server does around its handlers, seen by a client over a real socket.
#![expect(clippy::unwrap_used, reason = "test support")]

use std::time::Duration;

use moka_core::ErrorReason;
use moka_proto::{
    Codec,
    logs::v1::{GetEventLogRequest, ListLogStreamsRequest},
};
use moka_rpc::{
    ClientOptions, ServerOptions,
    client::{self, without_deadline},
    error_of,
};
use tokio::{task::JoinSet, time::timeout};
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

#[path = "support/fake.rs"]
mod fake;

use fake::{Mesh, follow, read, rich_error};

const SERVICE: &str = "moka.logs.v1.LogService";
const SOON: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(50);

/// Without a deadline of the client's, so that the server's is what ends a call.
fn patient() -> ClientOptions {
    ClientOptions {
        default_deadline: Duration::from_mins(1),
        ..ClientOptions::default()
    }
}

#[tokio::test]
async fn error_details_reach_the_client() {
    let mut mesh = Mesh::start(ServerOptions::default());
    let status = mesh
        .client
        .list_log_streams(ListLogStreamsRequest::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(error_of(&status), rich_error());
}

#[tokio::test]
async fn maximum_deadline_ends_a_slow_handler() {
    let options = ServerOptions {
        maximum_deadline: SHORT,
        ..ServerOptions::default()
    };
    let mut mesh = Mesh::start_with(options, &patient());
    let status = mesh.client.read_log(read("never")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(error_of(&status).reason, ErrorReason::DeadlineExceeded);
}

#[tokio::test]
async fn default_deadline_holds_for_callers_without_one() {
    let options = ServerOptions {
        default_deadline: SHORT,
        ..ServerOptions::default()
    };
    let mut mesh = Mesh::start(options);
    let status = mesh
        .client
        .read_log(without_deadline(read("never")))
        .await
        .unwrap_err();
    assert_eq!(error_of(&status).reason, ErrorReason::DeadlineExceeded);
}

#[tokio::test]
async fn client_default_deadline_ends_a_call() {
    let options = ClientOptions {
        default_deadline: SHORT,
        ..ClientOptions::default()
    };
    let mut mesh = Mesh::start_with(ServerOptions::default(), &options);
    let status = mesh.client.read_log(read("never")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(error_of(&status).reason, ErrorReason::DeadlineExceeded);
}

#[tokio::test]
async fn caller_deadline_cuts_a_stream() {
    let mut mesh = Mesh::start(ServerOptions::default());
    let mut request = Request::new(follow(""));
    // Long enough for a busy machine to send the first entry.
    request.set_timeout(Duration::from_secs(2));
    let mut stream = mesh.client.follow_log(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = timeout(SOON, stream.message()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn server_deadlines_do_not_cut_a_stream() {
    let options = ServerOptions {
        default_deadline: SHORT,
        maximum_deadline: SHORT,
        ..ServerOptions::default()
    };
    let mut mesh = Mesh::start(options);
    let answer = mesh.client.follow_log(without_deadline(follow(""))).await;
    let mut stream = answer.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    assert!(timeout(SHORT * 4, stream.message()).await.is_err());
}

#[tokio::test]
async fn calls_over_the_limit_are_refused_and_health_still_answers() {
    let options = ServerOptions {
        concurrency_limit: 1,
        ..ServerOptions::default()
    };
    let mut mesh = Mesh::start(options);
    let answer = mesh.client.follow_log(without_deadline(follow(""))).await;
    let first = answer.unwrap().into_inner();

    let status = mesh.client.read_log(read("")).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let error = error_of(&status);
    assert_eq!(error.reason, ErrorReason::Overloaded);
    assert!(error.retry_after.is_some());
    assert_eq!(health(&mesh, SERVICE).await, Ok(ServingStatus::Serving));

    drop(first);
    timeout(SOON, async {
        while mesh.client.read_log(read("")).await.is_err() {}
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn drain_ends_streams_and_the_server() {
    let mut mesh = Mesh::start(ServerOptions::default());
    let bare = mesh.client.follow_log(without_deadline(follow(""))).await;
    let wrapped = mesh
        .client
        .follow_log(without_deadline(follow("wrapped")))
        .await;
    let (mut bare, mut wrapped) = (bare.unwrap().into_inner(), wrapped.unwrap().into_inner());
    assert!(bare.message().await.unwrap().is_some());
    assert!(wrapped.message().await.unwrap().is_some());

    timeout(SOON, mesh.drain()).await.unwrap();
    let status = bare.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(error_of(&status).reason, ErrorReason::PeerUnavailable);
    assert_eq!(wrapped.message().await.unwrap(), None);

    let status = mesh.client.read_log(read("")).await.unwrap_err();
    assert_eq!(error_of(&status).reason, ErrorReason::PeerUnavailable);
}

#[tokio::test]
async fn unary_call_in_flight_is_answered_during_the_drain() {
    let options = ServerOptions {
        maximum_deadline: SHORT * 4,
        ..ServerOptions::default()
    };
    let mut mesh = Mesh::start(options);
    let mut client = mesh.client.clone();
    let mut calls = JoinSet::new();
    calls.spawn(async move { client.read_log(read("never")).await });
    let in_flight = format!("rpc_in_flight{{service=\"{SERVICE}\"}} 1");
    timeout(SOON, mesh.wait_for_metric(&in_flight))
        .await
        .unwrap();
    timeout(SOON, mesh.drain()).await.unwrap();
    let status = calls.join_next().await.unwrap().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn calls_are_counted_by_code_at_their_end() {
    let mut mesh = Mesh::start(ServerOptions::default());
    mesh.client.read_log(read("")).await.unwrap();
    mesh.client
        .list_log_streams(ListLogStreamsRequest::default())
        .await
        .unwrap_err();
    mesh.client
        .get_event_log(GetEventLogRequest::default())
        .await
        .unwrap_err();
    let answer = mesh.client.follow_log(without_deadline(follow(""))).await;
    let mut stream = answer.unwrap().into_inner();
    stream.message().await.unwrap();
    assert!(mesh.has_metric(&format!("rpc_in_flight{{service=\"{SERVICE}\"}} 1")));
    assert!(
        !mesh.metrics().contains("FollowLog"),
        "a stream counts when it has ended"
    );
    timeout(SOON, mesh.drain()).await.unwrap();

    for (method, code) in [
        ("ReadLog", "OK"),
        ("ListLogStreams", "INVALID_ARGUMENT"),
        ("GetEventLog", "UNKNOWN"),
        ("FollowLog", "UNAVAILABLE"),
    ] {
        let labels = format!("service=\"{SERVICE}\",method=\"{method}\"");
        let counted = format!("rpc_requests_total{{{labels},code=\"{code}\"}} 1");
        assert!(mesh.has_metric(&counted), "{counted} in {}", mesh.metrics());
        let timed = format!("rpc_duration_seconds_bucket{{le=\"3600.0\",{labels}}} 1");
        assert!(mesh.has_metric(&timed), "{timed} in {}", mesh.metrics());
    }
    assert!(mesh.has_metric(&format!("rpc_in_flight{{service=\"{SERVICE}\"}} 0")));
}

#[tokio::test]
async fn caller_that_goes_away_counts_as_cancelled() {
    let mut mesh = Mesh::start(ServerOptions::default());
    assert!(
        timeout(SHORT, mesh.client.read_log(read("never")))
            .await
            .is_err()
    );
    let counted = format!(
        "rpc_requests_total{{service=\"{SERVICE}\",method=\"ReadLog\",code=\"CANCELLED\"}} 1"
    );
    timeout(SOON, mesh.wait_for_metric(&counted)).await.unwrap();
}

#[tokio::test]
async fn invented_methods_share_one_label() {
    let mesh = Mesh::start(ServerOptions::default());
    for path in [
        "/moka.logs.v1.LogService/Invented",
        "/moka.made.up.Service/Invented",
    ] {
        let mut client = tonic::client::Grpc::new(mesh.channel.clone());
        client.ready().await.unwrap();
        let codec = Codec::<(), ()>::default();
        let path = http::uri::PathAndQuery::from_static(path);
        let status = client
            .unary(Request::new(()), path, codec)
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
    }
    let metrics = mesh.metrics();
    assert!(!metrics.contains("Invented"), "{metrics}");
    assert!(!metrics.contains("made.up"), "{metrics}");
}

#[tokio::test]
async fn damaged_message_is_refused() {
    let mesh = Mesh::start(ServerOptions::default());
    let mut client = tonic::client::Grpc::new(mesh.channel.clone());
    client.ready().await.unwrap();
    let path = "/moka.logs.v1.LogService/GetEventLog";
    let path = http::uri::PathAndQuery::from_static(path);
    // A number where the application's id belongs, which is a text.
    let call = client.unary(Request::new(7_u64), path, Codec::<u64, ()>::default());
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("application_id"), "{status}");
}

#[tokio::test]
async fn health_is_told_per_service() {
    let mesh = Mesh::start(ServerOptions::default());
    assert_eq!(health(&mesh, SERVICE).await, Ok(ServingStatus::Serving));
    assert_eq!(health(&mesh, "").await, Ok(ServingStatus::Serving));
    assert_eq!(
        health(&mesh, "moka.other.v1.OtherService").await,
        Err(Code::NotFound)
    );
}

#[tokio::test]
async fn reflection_lists_the_services_and_describes_them() {
    let mesh = Mesh::start(ServerOptions::default());
    let list = reflect(&mesh, MessageRequest::ListServices(String::new())).await;
    let MessageResponse::ListServicesResponse(list) = list else {
        unreachable!("{list:?}")
    };
    let mut names: Vec<_> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "moka.logs.v1.LogService"
        ]
    );
    let file = reflect(
        &mesh,
        MessageRequest::FileContainingSymbol(SERVICE.to_owned()),
    )
    .await;
    assert!(
        matches!(file, MessageResponse::FileDescriptorResponse(_)),
        "{file:?}"
    );
}

#[tokio::test]
async fn nobody_listening_is_an_unavailable_peer() {
    let channel = client::connect("http://127.0.0.1:9", &ClientOptions::default()).unwrap();
    let status = fake::Client::new(channel)
        .read_log(read(""))
        .await
        .unwrap_err();
    assert_eq!(error_of(&status).reason, ErrorReason::PeerUnavailable);
}

#[tokio::test]
async fn only_urls_of_http_are_taken() {
    for url in ["ftp://127.0.0.1:1", "127.0.0.1:1", ""] {
        assert!(
            client::connect(url, &ClientOptions::default()).is_err(),
            "{url}"
        );
    }
}

async fn health(mesh: &Mesh, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(mesh.channel.clone()).check(request).await;
    answer
        .map(|answer| answer.into_inner().status())
        .map_err(|status| status.code())
}

async fn reflect(mesh: &Mesh, message: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(message),
    };
    let mut client = ServerReflectionClient::new(mesh.channel.clone());
    let answer = client
        .server_reflection_info(tokio_stream::iter([request]))
        .await;
    answer
        .unwrap()
        .into_inner()
        .message()
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap()
}
