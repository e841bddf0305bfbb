//! A log service that does what the request's cursor says, behind a real server.

use std::{future, io, pin::Pin};

use futures::{Stream, StreamExt, stream};
use moka_core::{ErrorReason, PublicError};
use moka_proto::logs::v1::{
    DeleteLogsRequest, DeleteLogsResponse, DownloadLogRequest, DownloadLogResponse,
    FollowLogRequest, FollowLogResponse, GetEventLogRequest, GetEventLogResponse,
    GetRetentionRequest, GetRetentionResponse, ListDeletedObjectsRequest,
    ListDeletedObjectsResponse, ListLogStreamsRequest, ListLogStreamsResponse, ReadLogRequest,
    ReadLogResponse, SearchLogRequest, SearchLogResponse, SetLegalHoldRequest,
    SetLegalHoldResponse,
    log_service_client::LogServiceClient,
    log_service_server::{LogService, LogServiceServer},
};
use moka_rpc::{
    Channel, ClientOptions, ServeError, Server, ServerOptions, client, status_of, trace,
    until_stopped,
};
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

pub(crate) type Client = LogServiceClient<Channel>;

/// A running server and its client over a real socket.
pub(crate) struct Mesh {
    pub(crate) client: Client,
    pub(crate) channel: Channel,
    pub(crate) stop: CancellationToken,
    registry: Registry,
    serving: JoinSet<Result<(), ServeError>>,
}

impl Mesh {
    pub(crate) fn start(options: ServerOptions) -> Self {
        Self::start_with(options, &ClientOptions::default())
    }

    pub(crate) fn start_with(options: ServerOptions, client_options: &ClientOptions) -> Self {
        let mut registry = Registry::default();
        let stop = CancellationToken::new();
        let server = server(options, &mut registry, stop.clone());
        let server = server.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://{}", server.local_address());
        let channel = client::connect(&url, client_options).unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(server.serve(stop.clone()));
        let client = LogServiceClient::new(channel.clone());
        Self {
            client,
            channel,
            stop,
            registry,
            serving,
        }
    }

    /// Stops the server and waits until it has drained.
    pub(crate) async fn drain(&mut self) {
        self.stop.cancel();
        self.serving.join_next().await.unwrap().unwrap().unwrap();
    }

    /// Whether the metrics have this line.
    pub(crate) fn has_metric(&self, line: &str) -> bool {
        self.metrics().lines().any(|found| found == line)
    }

    /// Waits for the line: the server may count a call just after its client has the answer.
    pub(crate) async fn wait_for_metric(&self, line: &str) {
        while !self.has_metric(line) {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

pub(crate) fn server(
    options: ServerOptions,
    registry: &mut Registry,
    stop: CancellationToken,
) -> Server {
    Server::new(options, registry)
        .add_service(LogServiceServer::new(Fake { stop }))
        .with_reflection(moka_proto::DESCRIPTORS)
}

pub(crate) fn read(cursor: &str) -> ReadLogRequest {
    ReadLogRequest {
        cursor: cursor.to_owned(),
        ..Default::default()
    }
}

pub(crate) fn follow(cursor: &str) -> FollowLogRequest {
    FollowLogRequest {
        cursor: cursor.to_owned(),
        ..Default::default()
    }
}

struct Fake {
    stop: CancellationToken,
}

#[tonic::async_trait]
impl LogService for Fake {
    /// Always fails, with everything that an error can carry.
    async fn list_log_streams(
        &self,
        _request: Request<ListLogStreamsRequest>,
    ) -> Result<Response<ListLogStreamsResponse>, Status> {
        Err(status_of(&rich_error()))
    }

    /// Never answers `never`; answers others with the trace that the call came with.
    async fn read_log(
        &self,
        request: Request<ReadLogRequest>,
    ) -> Result<Response<ReadLogResponse>, Status> {
        if request.get_ref().cursor == "never" {
            future::pending::<()>().await;
        }
        let next_cursor = trace::current_traceparent().unwrap_or_default();
        Ok(Response::new(ReadLogResponse {
            next_cursor,
            ..Default::default()
        }))
    }

    type FollowLogStream = Pin<Box<dyn Stream<Item = Result<FollowLogResponse, Status>> + Send>>;

    /// Sends one entry and then waits; `wrapped` ends well when the server stops.
    async fn follow_log(
        &self,
        request: Request<FollowLogRequest>,
    ) -> Result<Response<Self::FollowLogStream>, Status> {
        let entries = stream::iter([Ok(FollowLogResponse::default())]).chain(stream::pending());
        if request.get_ref().cursor == "wrapped" {
            return Ok(Response::new(Box::pin(until_stopped(
                entries,
                self.stop.clone(),
            ))));
        }
        Ok(Response::new(Box::pin(entries)))
    }

    async fn search_log(
        &self,
        _request: Request<SearchLogRequest>,
    ) -> Result<Response<SearchLogResponse>, Status> {
        Err(Status::unimplemented("not under test"))
    }

    type DownloadLogStream =
        Pin<Box<dyn Stream<Item = Result<DownloadLogResponse, Status>> + Send>>;

    async fn download_log(
        &self,
        _request: Request<DownloadLogRequest>,
    ) -> Result<Response<Self::DownloadLogStream>, Status> {
        Err(Status::unimplemented("not under test"))
    }

    /// Fails with a status that is not one of ours.
    async fn get_event_log(
        &self,
        _request: Request<GetEventLogRequest>,
    ) -> Result<Response<GetEventLogResponse>, Status> {
        Err(io::Error::other("not under test").into())
    }

    async fn get_retention(
        &self,
        _request: Request<GetRetentionRequest>,
    ) -> Result<Response<GetRetentionResponse>, Status> {
        Err(Status::unimplemented("not under test"))
    }

    async fn set_legal_hold(
        &self,
        _request: Request<SetLegalHoldRequest>,
    ) -> Result<Response<SetLegalHoldResponse>, Status> {
        Err(Status::unimplemented("not under test"))
    }

    async fn delete_logs(
        &self,
        _request: Request<DeleteLogsRequest>,
    ) -> Result<Response<DeleteLogsResponse>, Status> {
        Err(Status::unimplemented("not under test"))
    }

    async fn list_deleted_objects(
        &self,
        _request: Request<ListDeletedObjectsRequest>,
    ) -> Result<Response<ListDeletedObjectsResponse>, Status> {
        Err(Status::unimplemented("not under test"))
    }
}

pub(crate) fn rich_error() -> PublicError {
    PublicError::new(
        ErrorReason::InvalidField,
        "the request has invalid fields: page_size",
    )
    .with_field("page_size", "must be 0 to 1000")
    .retry_after(std::time::Duration::from_millis(1500))
}
