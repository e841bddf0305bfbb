//! Where the applications of a workflow should go and how large they should be.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::spec::{ExecutorSpec, PodSpec, Tier};

/// A workflow's strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategy {
    /// Whose workflow.
    pub project: String,
    /// The workflow.
    pub workflow: String,
    /// What it says.
    pub settings: StrategySettings,
    /// Changes with every write.
    pub revision: i64,
    /// When it was first written.
    pub create_time: Timestamp,
    /// When it was last written.
    pub update_time: Timestamp,
}

/// What a strategy says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StrategySettings {
    /// Clusters, best first.
    pub clusters: Vec<String>,
    /// The queue of requests that name none.
    pub queue: String,
    /// The tier of requests that name none.
    pub tier: Option<Tier>,
    /// The driver of requests that leave it out.
    pub driver: Option<PodSpec>,
    /// The executors of requests that leave them out.
    pub executor: Option<ExecutorSpec>,
    /// How long a run is expected to take.
    pub service_level_seconds: Option<u32>,
    /// Where this comes from.
    pub source: String,
}
