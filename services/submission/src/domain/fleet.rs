//! The clusters and the projects' rules, as every replica has them in memory.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rules::{Cluster, Project};

/// All clusters and all projects' rules at one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Rises with every change.
    pub revision: i64,
    /// Clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// Projects by name.
    pub projects: BTreeMap<String, Project>,
}

/// What a cluster's workers see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterHealth {
    /// Whether its API server answers.
    pub reachable: bool,
    /// Why not; empty otherwise.
    pub problem: String,
    /// Since when it does not answer.
    pub unreachable_since: Option<Timestamp>,
    /// Whether creates are held back after too many failures in a row.
    pub circuit_open: bool,
    /// Attempts in it that are not final.
    pub live_attempts: u32,
    /// Attempts whose object the operator has not looked at yet.
    pub operator_backlog: u32,
    /// How long the oldest of those waits.
    pub operator_lag_seconds: u32,
    /// When this was written down.
    pub observe_time: Timestamp,
    /// The replica that watches it.
    pub holder: String,
}
