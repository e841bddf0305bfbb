//! `moka.history.v1.HistoryService`.

use std::sync::Arc;

use moka_core::{ErrorReason, PublicError, clock::Clock};
use moka_proto::history::v1::{
    GetApplicationRequest, GetApplicationResponse, ListExecutorsRequest, ListExecutorsResponse,
    ListJobsRequest, ListJobsResponse, ListStagesRequest, ListStagesResponse,
    history_service_server::HistoryService,
};
use moka_rpc::{Fingerprint, Page, status_of};
use tonic::{Request, Response, Status};

use super::{convert, lookup};
use crate::store::Store;

/// Answers from the catalogue alone.
#[derive(Debug, Clone)]
pub struct HistoryApi {
    /// The catalogue.
    pub store: Store,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl HistoryService for HistoryApi {
    async fn get_application(
        &self,
        request: Request<GetApplicationRequest>,
    ) -> Result<Response<GetApplicationResponse>, Status> {
        let GetApplicationRequest {
            application_id,
            attempt_number,
        } = request.into_inner();
        let record = lookup::find(&self.store, &application_id, attempt_number).await;
        let record = record.map_err(|error| status_of(&error))?;
        let application = Some(convert::application(&record));
        Ok(Response::new(GetApplicationResponse { application }))
    }

    async fn list_jobs(
        &self,
        request: Request<ListJobsRequest>,
    ) -> Result<Response<ListJobsResponse>, Status> {
        let answer = self.jobs(request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status_of(&error))
    }

    async fn list_stages(
        &self,
        request: Request<ListStagesRequest>,
    ) -> Result<Response<ListStagesResponse>, Status> {
        let answer = self.stages(request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status_of(&error))
    }

    async fn list_executors(
        &self,
        request: Request<ListExecutorsRequest>,
    ) -> Result<Response<ListExecutorsResponse>, Status> {
        let answer = self.executors(request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status_of(&error))
    }
}

impl HistoryApi {
    async fn jobs(&self, request: ListJobsRequest) -> Result<ListJobsResponse, PublicError> {
        let list = ListJobsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        };
        let page = Page::parse(
            request.page_size,
            &request.page_token,
            Fingerprint::of(&list),
        )?;
        let after = page.after.as_deref().map(parse_key).transpose()?;
        let record =
            lookup::find(&self.store, &request.application_id, request.attempt_number).await?;
        let found = self
            .store
            .list_jobs(record.key, after, page.size)
            .await
            .map_err(lookup::failed)?;
        let last = found.items.last().filter(|_| found.goes_on);
        Ok(ListJobsResponse {
            next_page_token: last
                .map(|job| page.token_after(&job.job_id.to_string()))
                .unwrap_or_default(),
            jobs: found.items.into_iter().map(convert::job).collect(),
        })
    }

    async fn stages(&self, request: ListStagesRequest) -> Result<ListStagesResponse, PublicError> {
        let list = ListStagesRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        };
        let page = Page::parse(
            request.page_size,
            &request.page_token,
            Fingerprint::of(&list),
        )?;
        let after = match page.after.as_deref() {
            None => None,
            Some(key) => {
                let (stage_id, attempt) = key.split_once('.').ok_or_else(invalid_token)?;
                Some((parse_key(stage_id)?, parse_key(attempt)?))
            }
        };
        let record =
            lookup::find(&self.store, &request.application_id, request.attempt_number).await?;
        let found = self
            .store
            .list_stages(record.key, after, page.size)
            .await
            .map_err(lookup::failed)?;
        let last = found.items.last().filter(|_| found.goes_on);
        Ok(ListStagesResponse {
            next_page_token: last
                .map(|stage| page.token_after(&format!("{}.{}", stage.stage_id, stage.attempt_id)))
                .unwrap_or_default(),
            stages: found.items.into_iter().map(convert::stage).collect(),
        })
    }

    async fn executors(
        &self,
        request: ListExecutorsRequest,
    ) -> Result<ListExecutorsResponse, PublicError> {
        let list = ListExecutorsRequest {
            page_size: 0,
            page_token: String::new(),
            ..request.clone()
        };
        let page = Page::parse(
            request.page_size,
            &request.page_token,
            Fingerprint::of(&list),
        )?;
        let record =
            lookup::find(&self.store, &request.application_id, request.attempt_number).await?;
        let found = self
            .store
            .list_executors(record.key, page.after.as_deref(), page.size)
            .await
            .map_err(lookup::failed)?;
        let last = found.items.last().filter(|_| found.goes_on);
        let next_page_token = last.map(|executor| page.token_after(&executor.id));
        let now = self.clock.now();
        let executors = found.items.into_iter().map(|executor| {
            convert::executor(convert::at(executor, &record.summary.application, now))
        });
        Ok(ListExecutorsResponse {
            executors: executors.collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        })
    }
}

fn parse_key(text: &str) -> Result<i32, PublicError> {
    text.parse().map_err(|_not_ours| invalid_token())
}

fn invalid_token() -> PublicError {
    PublicError::new(
        ErrorReason::InvalidPageToken,
        "the page token is damaged; start from the first page",
    )
}
