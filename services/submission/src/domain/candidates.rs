//! Where an attempt could go, and what it would be launched with there.

use std::collections::BTreeMap;

use moka_core::PublicError;

use super::{
    application::Application,
    fleet::Fleet,
    launch_spec::LaunchSpec,
    policy::check_cluster_policy,
    resolve::{Rules, architectures_to_try, resolve},
    retry::grow,
    rules::{Cluster, ClusterState, Strategy},
    spec::Architecture,
};

/// Where an attempt could go.
#[derive(Debug, Clone, PartialEq)]
pub enum Candidates {
    /// To one of the clusters of the first round that has a place.
    Now(Vec<Round>),
    /// Nowhere now, but some cluster would do if it took something new.
    Later,
    /// Nowhere, as the request and the fleet's rules are.
    Never(PublicError),
}

/// Clusters that are asked together: those that offer one processor.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// What the attempt would be launched with, by cluster.
    pub launch_by_cluster: BTreeMap<String, LaunchSpec>,
}

/// Looks at every cluster of the fleet for the next attempt of an application. `is_open` says
/// whether something new may be launched in a cluster now.
pub fn candidates(
    application: &Application,
    strategy: Option<&Strategy>,
    fleet: &Fleet,
    is_open: impl Fn(&str) -> bool,
) -> Candidates {
    let spec = &application.submission.spec;
    let mut rounds = Vec::new();
    let mut later = fleet.clusters.is_empty();
    let mut refusal = None;
    for architecture in architectures_to_try(spec) {
        let mut launch_by_cluster = BTreeMap::new();
        for cluster in fleet.clusters.values() {
            match launch_in(application, strategy, fleet, cluster, architecture) {
                Ok(launch) if cluster.state == ClusterState::Active && is_open(&cluster.name) => {
                    launch_by_cluster.insert(cluster.name.clone(), launch);
                }
                Ok(_) => later = true,
                Err(error) => {
                    refusal.get_or_insert(error);
                }
            }
        }
        if !launch_by_cluster.is_empty() {
            rounds.push(Round { launch_by_cluster });
        }
    }
    match refusal {
        _ if !rounds.is_empty() => Candidates::Now(rounds),
        Some(refusal) if !later => Candidates::Never(refusal),
        _ => Candidates::Later,
    }
}

/// What the next attempt would be launched with in a cluster.
fn launch_in(
    application: &Application,
    strategy: Option<&Strategy>,
    fleet: &Fleet,
    cluster: &Cluster,
    architecture: Option<Architecture>,
) -> Result<LaunchSpec, PublicError> {
    if let Some(architecture) = architecture
        && !offers(cluster, architecture)
    {
        let message = format!(
            "cluster {} has no nodes of {}",
            cluster.name,
            architecture.as_str()
        );
        return Err(PublicError::new(
            moka_core::ErrorReason::NoClusterAvailable,
            message,
        ));
    }
    let spec = &application.submission.spec;
    let rules = Rules {
        strategy,
        project: fleet.projects.get(&application.submission.project),
        cluster: Some(cluster),
        architecture,
    };
    let launch = grow(application, resolve(spec, rules)?);
    check_cluster_policy(spec, &launch, &cluster.settings.policy)?;
    Ok(launch)
}

/// Whether a cluster has nodes of a processor; one that does not say has amd64.
fn offers(cluster: &Cluster, architecture: Architecture) -> bool {
    match cluster.settings.architectures.as_slice() {
        [] => architecture == Architecture::Amd64,
        offered => offered.contains(&architecture),
    }
}

#[cfg(test)]
mod tests;
