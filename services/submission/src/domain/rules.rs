//! What clusters, projects and workflows say about applications.

mod cluster;
mod defaults;
pub mod parse;
mod project;
mod strategy;

pub use cluster::{Cluster, ClusterLimits, ClusterSettings, ClusterState};
pub use defaults::{Defaults, OverridePolicy};
pub use parse::{project as parse_project, strategy_names};
pub use project::Project;
pub use strategy::{Strategy, StrategySettings};
