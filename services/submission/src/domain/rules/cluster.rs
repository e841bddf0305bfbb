//! A cluster of the fleet.

use std::{collections::BTreeMap, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Defaults, OverridePolicy};
use crate::domain::{
    launch_spec::LiveUi,
    spec::{Architecture, Tier},
};

/// A cluster of the fleet, as far as people decide about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name, which never changes.
    pub name: String,
    /// Whether it takes new attempts.
    pub state: ClusterState,
    /// What is configured.
    pub settings: ClusterSettings,
    /// Changes with every write.
    pub revision: i64,
    /// When it was registered.
    pub create_time: Timestamp,
    /// When it was last written.
    pub update_time: Timestamp,
}

/// What is configured of a cluster. The default is that of one that nobody described.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterSettings {
    /// For people.
    pub description: String,
    /// Namespace of its applications; empty means the platform's.
    pub namespace: String,
    /// What its nodes offer; empty means amd64.
    pub architectures: Vec<Architecture>,
    /// What its applications get that leave something out.
    pub defaults: Defaults,
    /// What its applications may not do.
    pub policy: OverridePolicy,
    /// Settings of Spark by the name of a shuffle profile.
    pub shuffle_profiles: BTreeMap<String, BTreeMap<String, String>>,
    /// `PriorityClass`es by tier.
    pub priority_class_by_tier: BTreeMap<Tier, String>,
    /// How fast it may be asked for things.
    pub limits: ClusterLimits,
    /// Where a running application's web interface is; `None` means port 4040 and no address.
    pub live_ui: Option<LiveUi>,
}

/// Whether a cluster takes new attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClusterState {
    /// It does.
    Active,
    /// It does not, and is being emptied.
    Draining,
    /// It does not, and is empty.
    Drained,
}

impl ClusterState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Active, Self::Draining, Self::Drained];

    /// The name, as the database writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Drained => "DRAINED",
        }
    }
}

/// The text names no state of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no state of a cluster")]
pub struct ParseClusterStateError(String);

impl FromStr for ClusterState {
    type Err = ParseClusterStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| ParseClusterStateError(text.to_owned()))
    }
}

/// How fast a cluster may be asked for things; 0 and `None` for "the default".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterLimits {
    /// Creates per second; 0 means no limit.
    pub launches_per_second: u32,
    /// Creates that may follow one another without a pause; 0 means `launches_per_second`.
    pub launch_burst: u32,
    /// Attempts that may be live in it; 0 means no limit.
    pub max_live_attempts: u32,
    /// Attempts that the operator may not have looked at yet; 0 means 1,000.
    pub max_operator_backlog: u32,
    /// How long it may be unreachable before attempts move; `None` means 10 minutes.
    pub unreachable_patience_seconds: Option<u32>,
}
