//! The gRPC face of [`Serving`]: parse, call, convert.

mod convert;
mod parse;

use std::pin::Pin;

use futures::Stream;
use moka_core::PublicError;
use moka_proto::logs::v1::{
    DeleteLogsRequest, DeleteLogsResponse, DownloadLogRequest, DownloadLogResponse,
    FollowLogRequest, FollowLogResponse, GetEventLogRequest, GetEventLogResponse,
    GetRetentionRequest, GetRetentionResponse, ListDeletedObjectsRequest,
    ListDeletedObjectsResponse, ListLogStreamsRequest, ListLogStreamsResponse, ReadLogRequest,
    ReadLogResponse, SearchLogRequest, SearchLogResponse, SetLegalHoldRequest,
    SetLegalHoldResponse, log_service_server::LogService,
};
use moka_rpc::{AnswerBy, Fingerprint, Page, server::until_stopped, status_of};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{
    applications::ApplicationView,
    domain::cursor::Cursor,
    error::Error,
    serving::{Download, Follower, Serving, Target},
};

/// Answers `moka.logs.v1.LogService`.
#[derive(Debug, Clone)]
pub struct LogApi {
    serving: Serving,
    stop: CancellationToken,
}

impl LogApi {
    /// The service on `serving`; followers end well at the stop.
    pub fn new(serving: Serving, stop: CancellationToken) -> Self {
        Self { serving, stop }
    }

    async fn application(&self, id: &str) -> Result<ApplicationView, Status> {
        let id = parse::application_id("application_id", id).map_err(status)?;
        self.serving.application(id).await.map_err(status)
    }

    /// Serves a call until its deadline.
    fn serving_for<T>(&self, request: &Request<T>) -> Serving {
        let answer_by = request.extensions().get::<AnswerBy>();
        self.serving.clone().answering_by(answer_by.map(|by| by.0))
    }
}

/// The cursor at which a call begins.
async fn begin(serving: &Serving, target: &Target, start: &parse::Start) -> Result<Cursor, Error> {
    match start {
        parse::Start::Tail(line_count) => serving.tail(target, *line_count).await,
        parse::Start::Since(time) => Ok(Cursor::Time(*time)),
        parse::Start::Cursor(token) => Ok(Cursor::decode(token, &target.stream)?),
    }
}

fn status(error: impl Into<PublicError>) -> Status {
    status_of(&error.into())
}

#[tonic::async_trait]
impl LogService for LogApi {
    type FollowLogStream = Pin<Box<dyn Stream<Item = Result<FollowLogResponse, Status>> + Send>>;

    type DownloadLogStream =
        Pin<Box<dyn Stream<Item = Result<DownloadLogResponse, Status>> + Send>>;

    async fn list_log_streams(
        &self,
        request: Request<ListLogStreamsRequest>,
    ) -> Result<Response<ListLogStreamsResponse>, Status> {
        let request = request.into_inner();
        let id =
            parse::application_id("application_id", &request.application_id).map_err(status)?;
        let bare = ListLogStreamsRequest {
            application_id: request.application_id,
            ..Default::default()
        };
        let page = Page::parse(
            request.page_size,
            &request.page_token,
            Fingerprint::of(&bare),
        )
        .map_err(status)?;
        let application = self.serving.application(id).await.map_err(status)?;
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        let streams = self
            .serving
            .streams(&application, page.after.as_deref(), size);
        let (streams, more) = streams.await.map_err(status)?;
        Ok(Response::new(convert::stream_list(&streams, more, &page)))
    }

    async fn read_log(
        &self,
        request: Request<ReadLogRequest>,
    ) -> Result<Response<ReadLogResponse>, Status> {
        let serving = self.serving_for(&request);
        let read = parse::read(request.into_inner()).map_err(status)?;
        let target = serving.resolve(read.stream).await.map_err(status)?;
        let cursor = begin(&serving, &target, &read.start).await;
        let cursor = cursor.map_err(status)?;
        let answer = serving.read(&target, cursor, read.limits).await;
        let answer = answer.map_err(status)?;
        Ok(Response::new(convert::read_answer(answer, &target.stream)))
    }

    async fn follow_log(
        &self,
        request: Request<FollowLogRequest>,
    ) -> Result<Response<Self::FollowLogStream>, Status> {
        let serving = self.serving_for(&request);
        let follow = parse::follow(request.into_inner()).map_err(status)?;
        let admission = serving.readers.follower().map_err(status)?;
        let target = serving.resolve(follow.stream).await.map_err(status)?;
        let cursor = begin(&serving, &target, &follow.start).await;
        let follower = Follower::new(serving, target, cursor.map_err(status)?);
        let state = (follower, admission);
        let answers = futures::stream::try_unfold(state, async |(mut follower, admission)| {
            let answer = follower.next().await.map_err(status)?;
            let answer =
                answer.map(|answer| convert::follow_answer(answer, &follower.target().stream));
            Ok(answer.map(|answer| (answer, (follower, admission))))
        });
        Ok(Response::new(Box::pin(until_stopped(
            answers,
            self.stop.clone(),
        ))))
    }

    async fn download_log(
        &self,
        request: Request<DownloadLogRequest>,
    ) -> Result<Response<Self::DownloadLogStream>, Status> {
        let serving = self.serving_for(&request);
        let fetch = parse::download(request.into_inner()).map_err(status)?;
        let admission = serving.readers.download().map_err(status)?;
        let target = serving.resolve(fetch.stream).await.map_err(status)?;
        let cursor = begin(&serving, &target, &fetch.start).await;
        let cursor = cursor.map_err(status)?;
        let download = Download::start(serving, target, cursor, fetch.encoding);
        let download = download.await.map_err(status)?;
        let state = (download, admission);
        let parts = futures::stream::try_unfold(state, async |(mut download, admission)| {
            let part = download.next().await.map_err(status)?;
            let part = part.map(|part| convert::download_part(part, &download.target().stream));
            Ok(part.map(|part| (part, (download, admission))))
        });
        Ok(Response::new(Box::pin(until_stopped(
            parts,
            self.stop.clone(),
        ))))
    }

    async fn search_log(
        &self,
        request: Request<SearchLogRequest>,
    ) -> Result<Response<SearchLogResponse>, Status> {
        let serving = self.serving_for(&request);
        let parse::Search { request, page } =
            parse::search(request.into_inner()).map_err(status)?;
        let _admission = serving.readers.search().map_err(status)?;
        let answer = serving.search(&request, page.after.as_deref());
        let answer = answer.await.map_err(status)?;
        Ok(Response::new(convert::search_answer(answer, &page)))
    }

    async fn get_event_log(
        &self,
        request: Request<GetEventLogRequest>,
    ) -> Result<Response<GetEventLogResponse>, Status> {
        let request = request.into_inner();
        let id =
            parse::application_id("application_id", &request.application_id).map_err(status)?;
        let number =
            parse::attempt_number("attempt_number", request.attempt_number).map_err(status)?;
        let event_log = self.serving.event_log(id, number).await.map_err(status)?;
        Ok(Response::new(GetEventLogResponse {
            event_log: Some(convert::event_log(event_log)),
        }))
    }

    async fn get_retention(
        &self,
        request: Request<GetRetentionRequest>,
    ) -> Result<Response<GetRetentionResponse>, Status> {
        let application = self.application(&request.get_ref().application_id).await?;
        let view = self.serving.retention.view(&application);
        let retention = Some(convert::retention(view.await.map_err(status)?));
        Ok(Response::new(GetRetentionResponse { retention }))
    }

    async fn set_legal_hold(
        &self,
        request: Request<SetLegalHoldRequest>,
    ) -> Result<Response<SetLegalHoldResponse>, Status> {
        let hold = parse::hold(request.into_inner()).map_err(status)?;
        let application = self.serving.application(hold.application_id).await;
        let application = application.map_err(status)?;
        let view = self.serving.retention.set_hold(
            &application,
            hold.held,
            &hold.changed_by,
            &hold.reason,
        );
        let retention = Some(convert::retention(view.await.map_err(status)?));
        Ok(Response::new(SetLegalHoldResponse { retention }))
    }

    async fn delete_logs(
        &self,
        request: Request<DeleteLogsRequest>,
    ) -> Result<Response<DeleteLogsResponse>, Status> {
        let deletion = parse::deletion(request.into_inner()).map_err(status)?;
        let application = self.serving.application(deletion.application_id).await;
        let application = application.map_err(status)?;
        let view = self.serving.retention.delete_logs(
            &application,
            &deletion.kinds,
            &deletion.requested_by,
            &deletion.reason,
        );
        let retention = Some(convert::retention(view.await.map_err(status)?));
        Ok(Response::new(DeleteLogsResponse { retention }))
    }

    async fn list_deleted_objects(
        &self,
        request: Request<ListDeletedObjectsRequest>,
    ) -> Result<Response<ListDeletedObjectsResponse>, Status> {
        let request = request.into_inner();
        let bare = ListDeletedObjectsRequest {
            application_id: request.application_id.clone(),
            ..Default::default()
        };
        let page = Page::parse(
            request.page_size,
            &request.page_token,
            Fingerprint::of(&bare),
        )
        .map_err(status)?;
        let application = self.application(&request.application_id).await?;
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        let proven = self
            .serving
            .retention
            .proven(application.id, page.after.as_deref(), size);
        let (entries, more) = proven.await.map_err(status)?;
        Ok(Response::new(convert::deleted_objects(
            entries, more, &page,
        )))
    }
}
