//! The gRPC service.

mod get_sink;
mod list_targets;

use moka_core::PublicError;
use moka_proto::metrics::v1::{
    GetSinkRequest, GetSinkResponse, ListTargetsRequest, ListTargetsResponse,
    metrics_service_server::MetricsService,
};
use moka_rpc::status_of;
use tonic::{Request, Response, Status};

use crate::{
    metrics::Metrics,
    scrape::Targets,
    sink::{Sink, SinkAddress},
};

/// Tells what the exporter does.
#[derive(Debug)]
pub struct Api {
    /// What is scraped.
    pub targets: Targets,
    /// Where it goes.
    pub sink: Sink,
    /// The agent's address.
    pub sink_address: SinkAddress,
    /// What was counted.
    pub metrics: Metrics,
}

#[tonic::async_trait]
impl MetricsService for Api {
    async fn list_targets(
        &self,
        request: Request<ListTargetsRequest>,
    ) -> Result<Response<ListTargetsResponse>, Status> {
        respond(self.page_of_targets(&request.into_inner()))
    }

    async fn get_sink(
        &self,
        _request: Request<GetSinkRequest>,
    ) -> Result<Response<GetSinkResponse>, Status> {
        Ok(Response::new(self.sink()))
    }
}

fn respond<T>(result: Result<T, PublicError>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|error| status_of(&error))
}
