//! From the wire's rules to checked ones. The limits are those that the protos state; what a rule
//! has in common with a request is checked by the same functions.

mod cluster;
mod defaults;
mod policy;
mod strategy;

use defaults::{Owner, defaults};
use moka_proto::submission::v1 as wire;
use moka_rpc::Violations;
use policy::policy;

use super::{ClusterSettings, Defaults, OverridePolicy, StrategySettings};

impl ClusterSettings {
    /// Checks what is configured of a cluster, whose field is `path`. The name, the state, the
    /// revision and the times are not read. The result counts only when nothing is wrong.
    pub fn parse(violations: &mut Violations, path: &str, cluster: &wire::Cluster) -> Self {
        cluster::parse(violations, path, cluster)
    }
}

impl StrategySettings {
    /// Checks what a strategy says, whose field is `path`. The names, the revision and the times
    /// are not read. The result counts only when nothing is wrong.
    pub fn parse(violations: &mut Violations, path: &str, strategy: &wire::Strategy) -> Self {
        strategy::parse(violations, path, strategy)
    }
}

/// Checks a project's defaults and policy, whose field is `path`. The name, the revision and the
/// times are not read. The result counts only when nothing is wrong.
pub fn project(
    violations: &mut Violations,
    path: &str,
    project: &wire::Project,
) -> (Defaults, OverridePolicy) {
    let defaults = defaults(
        violations,
        &format!("{path}.defaults"),
        project.defaults.as_ref(),
        Owner::Project,
    );
    let policy = policy(
        violations,
        &format!("{path}.policy"),
        project.policy.as_ref(),
    );
    (defaults, policy)
}

/// Checks the names that tell one strategy from another: a project, and a workflow as a request
/// names it. An empty path means that they are fields of the request itself.
pub fn strategy_names(violations: &mut Violations, path: &str, project: &str, workflow: &str) {
    strategy::names(violations, path, project, workflow);
}

#[cfg(test)]
mod tests;
