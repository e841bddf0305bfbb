//! scheduler-adapter, the only speaker of `YuniKorn`.

use async_trait::async_trait;
use moka_core::{AttemptName, ErrorReason, PodSize, PublicError};
use moka_proto::{
    common::v1::PodSize as WirePodSize,
    scheduling::v1::{
        GetSchedulingStateRequest, ListQueuesRequest, PlaceApplicationRequest,
        PlacementRequest as WirePlacementRequest, PodMetadata as WirePodMetadata,
        scheduling_service_client::SchedulingServiceClient,
    },
};
use moka_rpc::{Channel, error_of};

use crate::domain::{
    application::{Placement, PodMetadata},
    queue_tree::QueueTree,
    verdict::Rejection,
};

/// Pages of queues that are read at most: 100,000 queues.
const MOST_PAGES: usize = 100;
const PAGE_SIZE: i32 = 1000;

/// What submission asks a scheduler.
#[async_trait]
pub trait Scheduler: std::fmt::Debug + Send + Sync {
    /// Chooses a place for an attempt. The namespace is left empty.
    async fn place(&self, request: &PlacementRequest) -> Result<Placement, PublicError>;

    /// The queues of all clusters.
    async fn queues(&self) -> Result<QueueTree, PublicError>;

    /// What the scheduler said when it rejected an attempt; `None` when it did not.
    async fn rejection(
        &self,
        cluster: &str,
        attempt: AttemptName,
    ) -> Result<Option<Rejection>, PublicError>;
}

/// What is to be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacementRequest {
    /// The attempt.
    pub attempt: AttemptName,
    /// The queue that was asked for.
    pub queue: String,
    /// The driver's whole pod.
    pub driver: PodSize,
    /// One executor's whole pod.
    pub executor: PodSize,
    /// How many executors start with the driver.
    pub executor_count: u32,
    /// The clusters that this process can launch in.
    pub clusters: Vec<String>,
}

/// A scheduler behind gRPC.
#[derive(Debug, Clone)]
pub struct SchedulerClient {
    client: SchedulingServiceClient<Channel>,
}

impl SchedulerClient {
    /// A client over a channel, whose default deadline holds for every call.
    pub fn new(channel: Channel) -> Self {
        Self {
            client: SchedulingServiceClient::new(channel),
        }
    }
}

#[async_trait]
impl Scheduler for SchedulerClient {
    async fn place(&self, request: &PlacementRequest) -> Result<Placement, PublicError> {
        let request = WirePlacementRequest {
            attempt_name: request.attempt.to_string(),
            queue: request.queue.clone(),
            driver: Some(pod_size(request.driver)),
            executor: Some(pod_size(request.executor)),
            executor_count: i32::try_from(request.executor_count).unwrap_or(i32::MAX),
            clusters: request.clusters.clone(),
            ..WirePlacementRequest::default()
        };
        let request = PlaceApplicationRequest {
            request: Some(request),
        };
        let answer = self.client.clone().place_application(request).await;
        let placement = answer
            .map_err(|status| error_of(&status))?
            .into_inner()
            .placement;
        let placement = placement.ok_or_else(|| {
            PublicError::new(
                ErrorReason::Internal,
                "the scheduler answered without a place",
            )
        })?;
        Ok(Placement {
            cluster: placement.cluster,
            queue: placement.queue,
            namespace: String::new(),
            scheduler_name: placement.scheduler_name,
            driver: metadata(placement.driver),
            executor: metadata(placement.executor),
        })
    }

    async fn queues(&self) -> Result<QueueTree, PublicError> {
        let mut queues = Vec::new();
        let mut page_token = String::new();
        for _ in 0..MOST_PAGES {
            let request = ListQueuesRequest {
                page_size: PAGE_SIZE,
                page_token,
                cluster: String::new(),
            };
            let answer = self.client.clone().list_queues(request).await;
            let page = answer.map_err(|status| error_of(&status))?.into_inner();
            queues.extend(
                page.queues
                    .into_iter()
                    .map(|queue| (queue.path, queue.leaf)),
            );
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(QueueTree::new(queues))
    }

    async fn rejection(
        &self,
        cluster: &str,
        attempt: AttemptName,
    ) -> Result<Option<Rejection>, PublicError> {
        let request = GetSchedulingStateRequest {
            cluster: cluster.to_owned(),
            attempt_name: attempt.to_string(),
        };
        let answer = self.client.clone().get_scheduling_state(request).await;
        let message = answer
            .map_err(|status| error_of(&status))?
            .into_inner()
            .rejected_message;
        Ok((!message.is_empty()).then_some(Rejection { message }))
    }
}

fn pod_size(size: PodSize) -> WirePodSize {
    WirePodSize {
        cpu_millicores: size.cpu_millicores,
        memory_bytes: size.memory_bytes,
    }
}

fn metadata(metadata: Option<WirePodMetadata>) -> PodMetadata {
    let WirePodMetadata {
        labels,
        annotations,
    } = metadata.unwrap_or_default();
    PodMetadata {
        labels,
        annotations,
    }
}
