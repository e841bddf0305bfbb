//! What scheduler-adapter knows about an attempt that waits.

use async_trait::async_trait;
use moka_core::{AttemptName, PodSize, PublicError};
use moka_proto::{
    common::v1::PodSize as WirePodSize,
    scheduling::v1::{GetSchedulingStateRequest, ListQueuesRequest, Queue},
};
use moka_rpc::error_of;

use super::{MOST_PAGES, PAGE_SIZE, SchedulerClient};
use crate::domain::explain::{QueueFacts, SchedulingFacts};

/// Who knows why an attempt waits.
#[async_trait]
pub trait SchedulerInsight: std::fmt::Debug + Send + Sync {
    /// What the scheduler of a cluster knows of an attempt.
    async fn state(
        &self,
        cluster: &str,
        attempt: AttemptName,
    ) -> Result<SchedulingFacts, PublicError>;

    /// One queue, in each cluster that has it; in one cluster only, when that is not empty.
    async fn queue(&self, cluster: &str, path: &str) -> Result<Vec<QueueFacts>, PublicError>;
}

#[async_trait]
impl SchedulerInsight for SchedulerClient {
    async fn state(
        &self,
        cluster: &str,
        attempt: AttemptName,
    ) -> Result<SchedulingFacts, PublicError> {
        let request = GetSchedulingStateRequest {
            cluster: cluster.to_owned(),
            attempt_name: attempt.to_string(),
        };
        let answer = self.client.clone().get_scheduling_state(request).await;
        let state = answer.map_err(|status| error_of(&status))?.into_inner();
        Ok(SchedulingFacts {
            state: state.state,
            queue: state.queue,
            rejected_message: state.rejected_message,
            allocated_pods: u32::try_from(state.allocated_pods).unwrap_or_default(),
            pending_pods: u32::try_from(state.pending_pods).unwrap_or_default(),
        })
    }

    async fn queue(&self, cluster: &str, path: &str) -> Result<Vec<QueueFacts>, PublicError> {
        let mut found = Vec::new();
        let mut page_token = String::new();
        for _ in 0..MOST_PAGES {
            let request = ListQueuesRequest {
                page_size: PAGE_SIZE,
                page_token,
                cluster: cluster.to_owned(),
            };
            let answer = self.client.clone().list_queues(request).await;
            let page = answer.map_err(|status| error_of(&status))?.into_inner();
            let ours = page.queues.into_iter().filter(|queue| queue.path == path);
            found.extend(ours.map(facts));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(found)
    }
}

fn facts(queue: Queue) -> QueueFacts {
    let size = |size: WirePodSize| PodSize {
        cpu_millicores: size.cpu_millicores,
        memory_bytes: size.memory_bytes,
    };
    QueueFacts {
        cluster: queue.cluster,
        path: queue.path,
        maximum: queue.maximum.map(size),
        allocated: queue.allocated.map(size),
        maximum_running_applications: queue.maximum_running_applications,
        running_applications: queue.running_applications,
    }
}
