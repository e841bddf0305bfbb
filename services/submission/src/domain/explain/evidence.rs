//! Everything that an explanation is made from.

use jiff::Timestamp;
use moka_core::PodSize;

use super::Sight;
use crate::domain::{application::Application, rules::ClusterState};

/// What all who know something say. What is `None` was not asked or did not answer; of the latter
/// there is a sentence in `unanswered`.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// submission's own record.
    pub application: Application,
    /// When it was read.
    pub now: Timestamp,
    /// The cluster of the current attempt, or, before one is placed, every cluster of the fleet.
    pub clusters: Option<Vec<ClusterFacts>>,
    /// What scheduler-adapter answers when it is asked for a place now.
    pub placement: Option<PlacementFacts>,
    /// The application's queue, in each cluster that has it.
    pub queues: Option<Vec<QueueFacts>>,
    /// What the scheduler knows of the current attempt.
    pub scheduling: Option<SchedulingFacts>,
    /// What the cluster shows of the current attempt.
    pub sight: Option<Sight>,
    /// Sources that did not answer, a sentence each.
    pub unanswered: Vec<String>,
}

/// A cluster of the fleet, as its workers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterFacts {
    /// Its name.
    pub name: String,
    /// Whether it takes new attempts.
    pub state: ClusterState,
    /// Why its API server cannot be reached; `None` while it can, or while nobody has told.
    pub problem: Option<String>,
    /// Whether creates are held back after too many failures in a row.
    pub circuit_open: bool,
    /// Attempts in it that are not final, and how many there may be; 0 means no limit.
    pub live_attempts: (u32, u32),
    /// Attempts that the operator has not looked at, and how many there may be.
    pub operator_backlog: (u32, u32),
    /// How long the oldest of those waits.
    pub operator_lag_seconds: u32,
}

/// Whether there is a place now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlacementFacts {
    /// There is.
    Place {
        /// The cluster.
        cluster: String,
        /// The queue.
        queue: String,
    },
    /// There is none.
    NoPlace {
        /// A stable word.
        reason: String,
        /// A sentence.
        message: String,
    },
}

/// A queue in one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueFacts {
    /// The cluster.
    pub cluster: String,
    /// Its path.
    pub path: String,
    /// What it can have at most; a dimension of 0 has no limit.
    pub maximum: Option<PodSize>,
    /// What it has.
    pub allocated: Option<PodSize>,
    /// How many applications it may run at once; 0 means no limit.
    pub maximum_running_applications: i64,
    /// How many it runs.
    pub running_applications: i64,
}

/// What a scheduler knows of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchedulingFacts {
    /// Its own word; empty when it does not know the attempt.
    pub state: String,
    /// The queue that the attempt is in.
    pub queue: String,
    /// Why it was rejected; empty otherwise.
    pub rejected_message: String,
    /// Pods that hold resources, placeholders included.
    pub allocated_pods: u32,
    /// Pods that wait for resources.
    pub pending_pods: u32,
}
