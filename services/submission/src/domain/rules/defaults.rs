//! Defaults, and what callers may not do about them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::spec::{Deadlines, RetryRequest, Tier};

/// What applications get that leave something out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Defaults {
    /// Container image.
    pub image: String,
    /// Version of Spark.
    pub spark_version: String,
    /// Spark's settings, each for itself.
    pub spark_conf: BTreeMap<String, String>,
    /// Environment, each variable for itself.
    pub environment: BTreeMap<String, String>,
    /// Queue; never of a cluster.
    pub queue: String,
    /// Service account of drivers.
    pub service_account: String,
    /// Tier; never of a cluster.
    pub tier: Option<Tier>,
    /// Shuffle profile; never of a cluster.
    pub shuffle_profile: String,
    /// What happens after a failure; never of a cluster.
    pub retry: Option<RetryRequest>,
    /// When to give up, each for itself; never of a cluster.
    pub deadlines: Deadlines,
    /// Labels of the pods, each for itself.
    pub labels: BTreeMap<String, String>,
}

/// What callers may not do. The default allows everything that the platform's limits allow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OverridePolicy {
    /// Settings, by name or by a prefix that ends in `*`, that a request may not have.
    pub locked_spark_conf: Vec<String>,
    /// Variables that a request may not have.
    pub locked_environment: Vec<String>,
    /// Images must begin with one of these; empty means any.
    pub image_prefixes: Vec<String>,
    /// Service accounts that a request may name; empty means any.
    pub service_accounts: Vec<String>,
    /// Directories of the node below which volumes may be; empty means none.
    pub host_path_prefixes: Vec<String>,
    /// Queues must be one of these or below one; empty means any.
    pub queues: Vec<String>,
    /// The most executors; 0 means the platform's limit.
    pub max_executors: u32,
    /// The most memory of one pod; 0 means the platform's limit.
    pub max_pod_memory_bytes: u64,
    /// The most attempts; 0 means the platform's limit.
    pub max_attempts: u32,
    /// The best tier that a request may name.
    pub best_tier: Option<Tier>,
}
