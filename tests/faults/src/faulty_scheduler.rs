//! A scheduler that puts attempts anywhere, when it answers.

use async_trait::async_trait;
use moka_core::{AttemptName, ErrorReason, PublicError};
use moka_submission::{
    client::scheduling::{Placed, PlacementRequest, Scheduler},
    domain::{application::Placement, queue_tree::QueueTree, verdict::Rejection},
};
use tokio::time::sleep;

use crate::dice::Dice;

#[derive(Debug)]
pub(crate) struct FaultyScheduler {
    pub(crate) dice: Dice,
}

#[async_trait]
impl Scheduler for FaultyScheduler {
    async fn place(&self, request: &PlacementRequest) -> Result<Placed, PublicError> {
        sleep(self.dice.pause(200)).await;
        if self.dice.breaks("no answer of the scheduler", 150) {
            return Err(away());
        }
        let count = u64::try_from(request.clusters.len()).unwrap();
        if count == 0 {
            return Err(away());
        }
        let index = usize::try_from(self.dice.below(count)).unwrap();
        let placement = Placement {
            cluster: request.clusters[index].clone(),
            queue: request.queue.clone(),
            scheduler_name: "yunikorn".to_owned(),
            ..Placement::default()
        };
        Ok(Placed {
            placement,
            considered: Vec::new(),
        })
    }

    async fn queues(&self) -> Result<QueueTree, PublicError> {
        Err(away())
    }

    async fn rejection(
        &self,
        _cluster: &str,
        _attempt: AttemptName,
    ) -> Result<Option<Rejection>, PublicError> {
        Ok(None)
    }
}

fn away() -> PublicError {
    PublicError::new(ErrorReason::StoreUnavailable, "the scheduler is away")
}
