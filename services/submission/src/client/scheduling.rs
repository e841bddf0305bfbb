//! scheduler-adapter, the only speaker of `YuniKorn`.

mod insight;

use std::collections::BTreeMap;

use async_trait::async_trait;
pub use insight::SchedulerInsight;
use moka_core::{AttemptName, ErrorReason, PodSize, PublicError};
use moka_proto::{
    common::v1::PodSize as WirePodSize,
    scheduling::v1::{
        Candidate as WireCandidate, GetSchedulingStateRequest, ListQueuesRequest,
        PlaceApplicationRequest, PlaceApplicationResponse,
        PlacementRequest as WirePlacementRequest, PodMetadata as WirePodMetadata,
        scheduling_service_client::SchedulingServiceClient,
    },
};
use moka_rpc::{Channel, error_of};

use crate::domain::{
    application::{Placement, PodMetadata},
    launch_spec::LaunchSpec,
    queue_tree::QueueTree,
    sizing,
    verdict::Rejection,
};

/// Pages of queues that are read at most: 100,000 queues.
const MOST_PAGES: usize = 100;
const PAGE_SIZE: i32 = 1000;

/// What submission asks a scheduler.
#[async_trait]
pub trait Scheduler: std::fmt::Debug + Send + Sync {
    /// Chooses a place for an attempt. Its namespace is left empty.
    async fn place(&self, request: &PlacementRequest) -> Result<Placed, PublicError>;

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
    /// The most executors that there may be at a time.
    pub executor_count_maximum: u32,
    /// The only clusters that are to be considered; empty means any.
    pub clusters: Vec<String>,
    /// Clusters to be taken before all others, best first.
    pub preferred_clusters: Vec<String>,
    /// Node labels that every pod asks for.
    pub node_selector: BTreeMap<String, String>,
    /// `PriorityClass` of the pods.
    pub priority_class: Option<String>,
    /// Extended resources of the driver's pod, by name.
    pub driver_extended_resources: BTreeMap<String, u32>,
    /// Extended resources of each executor's pod, by name.
    pub executor_extended_resources: BTreeMap<String, u32>,
}

impl PlacementRequest {
    /// The request for an attempt whose pods come from `spec`, in any cluster.
    pub fn new(attempt: AttemptName, spec: &LaunchSpec, with_sidecar: bool) -> Self {
        Self {
            attempt,
            queue: spec.queue.clone(),
            driver: sizing::driver_pod(spec, with_sidecar),
            executor: sizing::executor_pod(spec),
            executor_count: sizing::initial_executors(spec),
            executor_count_maximum: sizing::most_executors(spec),
            clusters: Vec::new(),
            preferred_clusters: Vec::new(),
            node_selector: spec.node_selector(),
            priority_class: spec.priority_class.clone(),
            driver_extended_resources: spec.driver.extended_resources.clone(),
            executor_extended_resources: spec.executor.pod.extended_resources.clone(),
        }
    }
}

/// A place, and what else was considered.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The best place.
    pub placement: Placement,
    /// Every cluster that was considered, best first.
    pub considered: Vec<Candidate>,
}

/// One cluster that was considered.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The cluster.
    pub cluster: String,
    /// From 0 to 1, higher is better; 0 when it is not eligible.
    pub score: f64,
    /// Whether the attempt could go there.
    pub eligible: bool,
    /// Why this score, one sentence each.
    pub reasons: Vec<String>,
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
    async fn place(&self, request: &PlacementRequest) -> Result<Placed, PublicError> {
        let request = PlaceApplicationRequest {
            request: Some(to_wire(request)),
        };
        let answer = self.client.clone().place_application(request).await;
        let PlaceApplicationResponse {
            placement,
            candidates,
        } = answer.map_err(|status| error_of(&status))?.into_inner();
        let placement = placement.ok_or_else(|| {
            PublicError::new(
                ErrorReason::Internal,
                "the scheduler answered without a place",
            )
        })?;
        Ok(Placed {
            placement: Placement {
                cluster: placement.cluster,
                queue: placement.queue,
                namespace: String::new(),
                scheduler_name: placement.scheduler_name,
                driver: metadata(placement.driver),
                executor: metadata(placement.executor),
            },
            considered: candidates.into_iter().map(candidate).collect(),
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

fn to_wire(request: &PlacementRequest) -> WirePlacementRequest {
    let PlacementRequest {
        attempt,
        queue,
        driver,
        executor,
        executor_count,
        executor_count_maximum,
        clusters,
        preferred_clusters,
        node_selector,
        priority_class,
        driver_extended_resources,
        executor_extended_resources,
    } = request.clone();
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let quantities = |resources: BTreeMap<String, u32>| {
        let wide = |(name, quantity): (String, u32)| (name, i64::from(quantity));
        resources.into_iter().map(wide).collect()
    };
    WirePlacementRequest {
        attempt_name: attempt.to_string(),
        queue,
        driver: Some(pod_size(driver)),
        executor: Some(pod_size(executor)),
        executor_count: count(executor_count),
        executor_count_maximum: count(executor_count_maximum),
        clusters,
        preferred_clusters,
        node_selector,
        priority_class_name: priority_class.unwrap_or_default(),
        driver_extended_resources: quantities(driver_extended_resources),
        executor_extended_resources: quantities(executor_extended_resources),
    }
}

fn candidate(candidate: WireCandidate) -> Candidate {
    let WireCandidate {
        cluster,
        score,
        eligible,
        reasons,
    } = candidate;
    Candidate {
        cluster,
        score,
        eligible,
        reasons,
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
