//! The gRPC service.

mod convert;
mod get_scheduling_state;
mod list_queues;
mod place_application;

use std::collections::BTreeMap;

use moka_core::PublicError;
use moka_proto::scheduling::v1::{
    GetSchedulingStateRequest, GetSchedulingStateResponse, ListQueuesRequest, ListQueuesResponse,
    PlaceApplicationRequest, PlaceApplicationResponse,
    scheduling_service_server::SchedulingService,
};
use moka_rpc::status_of;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::{
    domain::{fleet::Fleet, pod_metadata::GangPolicy},
    metrics::Metrics,
    yunikorn::YuniKorn,
};

/// Answers from the newest queue trees, and asks YuniKorn itself about single applications.
#[derive(Debug)]
pub struct Api {
    /// The newest queue trees.
    pub fleet: watch::Receiver<Fleet>,
    /// Every cluster's YuniKorn.
    pub yunikorns: BTreeMap<String, YuniKorn>,
    /// How gangs are asked for.
    pub gang_policy: GangPolicy,
    /// What is counted.
    pub metrics: Metrics,
}

impl Api {
    fn fleet(&self) -> Fleet {
        self.fleet.borrow().clone()
    }

    /// What to say of a cluster that is not ours.
    fn unknown_cluster(&self, cluster: &str) -> String {
        let known: Vec<_> = self.yunikorns.keys().map(String::as_str).collect();
        format!(
            "there is no cluster {cluster:?}; there are {}",
            known.join(", ")
        )
    }
}

#[tonic::async_trait]
impl SchedulingService for Api {
    async fn place_application(
        &self,
        request: Request<PlaceApplicationRequest>,
    ) -> Result<Response<PlaceApplicationResponse>, Status> {
        respond(self.place(request.into_inner()))
    }

    async fn list_queues(
        &self,
        request: Request<ListQueuesRequest>,
    ) -> Result<Response<ListQueuesResponse>, Status> {
        respond(self.queues(&request.into_inner()))
    }

    async fn get_scheduling_state(
        &self,
        request: Request<GetSchedulingStateRequest>,
    ) -> Result<Response<GetSchedulingStateResponse>, Status> {
        respond(self.scheduling_state(request.into_inner()).await)
    }
}

fn respond<T>(result: Result<T, PublicError>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|error| status_of(&error))
}
