//! What the API layer asks, as given.

use std::sync::Mutex;

use async_trait::async_trait;
use moka_core::{AttemptName, ErrorReason, PublicError};
use moka_submission::{
    client::scheduling::{Candidate, Placed, PlacementRequest, Scheduler, SchedulerInsight},
    domain::{
        application::Placement,
        explain::{QueueFacts, SchedulingFacts, Sight},
        queue_tree::QueueTree,
        verdict::Rejection,
    },
    inspector::{Inspector, no_access},
    launcher::{Result, Target},
};

/// Places everything in the cluster that comes first, unless it refuses.
#[derive(Debug, Default)]
pub(crate) struct FakeScheduler {
    pub(crate) asked: Mutex<Vec<PlacementRequest>>,
    pub(crate) refuses: Mutex<Option<PublicError>>,
}

#[async_trait]
impl Scheduler for FakeScheduler {
    async fn place(&self, request: &PlacementRequest) -> std::result::Result<Placed, PublicError> {
        self.asked.lock().unwrap().push(request.clone());
        if let Some(error) = self.refuses.lock().unwrap().clone() {
            return Err(error);
        }
        let cluster = request.clusters[0].clone();
        let considered = Candidate {
            cluster: cluster.clone(),
            score: 0.5,
            eligible: true,
            reasons: vec!["half of the queue is free".to_owned()],
        };
        Ok(Placed {
            placement: Placement {
                cluster,
                queue: request.queue.clone(),
                scheduler_name: "yunikorn".to_owned(),
                ..Placement::default()
            },
            considered: vec![considered],
        })
    }

    async fn queues(&self) -> std::result::Result<QueueTree, PublicError> {
        Ok(QueueTree::default())
    }

    async fn rejection(
        &self,
        _cluster: &str,
        _attempt: AttemptName,
    ) -> std::result::Result<Option<Rejection>, PublicError> {
        Ok(None)
    }
}

/// What the scheduler knows; silent for ever when it hangs.
#[derive(Debug, Default)]
pub(crate) struct FakeInsight {
    pub(crate) state: Mutex<SchedulingFacts>,
    pub(crate) hangs: Mutex<bool>,
}

impl FakeInsight {
    async fn answer<T>(&self, value: T) -> std::result::Result<T, PublicError> {
        let hangs = *self.hangs.lock().unwrap();
        if hangs {
            std::future::pending::<()>().await;
        }
        Ok(value)
    }
}

#[async_trait]
impl SchedulerInsight for FakeInsight {
    async fn state(
        &self,
        cluster: &str,
        _attempt: AttemptName,
    ) -> std::result::Result<SchedulingFacts, PublicError> {
        if cluster != "west" {
            let message = format!("there is no cluster {cluster}");
            return Err(PublicError::new(ErrorReason::InvalidField, message));
        }
        let state = self.state.lock().unwrap().clone();
        self.answer(state).await
    }

    async fn queue(
        &self,
        _cluster: &str,
        _path: &str,
    ) -> std::result::Result<Vec<QueueFacts>, PublicError> {
        self.answer(Vec::new()).await
    }
}

/// What the cluster `west` shows; no access when there is nothing.
#[derive(Debug, Default)]
pub(crate) struct FakeInspector {
    pub(crate) sight: Mutex<Option<Sight>>,
}

#[async_trait]
impl Inspector for FakeInspector {
    async fn inspect(&self, cluster: &str, _target: &Target) -> Result<Sight> {
        let sight = self.sight.lock().unwrap().clone();
        sight.ok_or_else(|| no_access(cluster))
    }
}
