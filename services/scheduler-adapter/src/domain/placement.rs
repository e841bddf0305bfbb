//! Where an application goes: every cluster is judged, the best one is taken.

mod score;
mod verdict;

use std::collections::BTreeMap;

use moka_core::AttemptName;

use self::verdict::Verdict;
use super::{
    fleet::Fleet,
    resources::{Amount, PodResources},
};

/// What is to be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacementRequest {
    /// The attempt, which is YuniKorn's application too.
    pub attempt: AttemptName,
    /// The leaf queue that was asked for.
    pub queue: String,
    /// The driver's whole pod.
    pub driver: PodResources,
    /// One executor's whole pod.
    pub executor: PodResources,
    /// How many executors start together with the driver.
    pub executor_count: u32,
    /// The most executors that there may be at a time; at least `executor_count`.
    pub executor_count_maximum: u32,
    /// Only these clusters; empty means any. All of them are in the fleet.
    pub clusters: Vec<String>,
    /// Clusters that are taken before all others, best first.
    pub preferred_clusters: Vec<String>,
    /// Node labels that every pod asks for.
    pub node_selector: BTreeMap<String, String>,
}

impl PlacementRequest {
    /// The driver and the executors that start with it.
    pub fn gang(&self) -> Amount {
        Amount::of_gang(&self.driver, &self.executor, self.executor_count)
    }

    /// The driver and as many executors as there may ever be.
    pub fn largest_gang(&self) -> Amount {
        Amount::of_gang(&self.driver, &self.executor, self.executor_count_maximum)
    }

    /// How good a cluster is by the request's own wish; less is better, and `None` is no wish.
    fn preference(&self, cluster: &str) -> Option<usize> {
        self.preferred_clusters
            .iter()
            .position(|one| one == cluster)
    }
}

/// One cluster that was considered.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The cluster.
    pub cluster: String,
    /// From 0 to 1, higher is better; 0 when it is not eligible.
    pub score: f64,
    /// Whether the application could go there.
    pub eligible: bool,
    /// Why, one sentence each.
    pub reasons: Vec<String>,
}

/// Why there is no place. Each carries a sentence for every cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// No cluster has a leaf queue of this name.
    #[error("no cluster has this queue: {0}")]
    UnknownQueue(String),
    /// The queue exists, but can never hold the gang.
    #[error("the gang is larger than the queue may ever hold: {0}")]
    GangTooLarge(String),
    /// The queue exists and could hold the gang, but takes none now.
    #[error("no cluster takes the application now: {0}")]
    Closed(String),
    /// YuniKorn has not answered yet, so the queue may exist.
    #[error("YuniKorn does not answer: {0}")]
    Unanswered(String),
    /// YuniKorn has not been asked yet.
    #[error("the queue trees have not been read yet: {0}")]
    NotYetRead(String),
}

/// Judges every cluster, best first; the first one is eligible.
///
/// It depends on nothing but its arguments, so that a retry gets the same answer as long as the
/// queue trees are the same. Equal scores are told apart by the cluster's name.
///
/// # Errors
///
/// [`NoPlace`] when no cluster is eligible. A cluster whose queues are unknown may have the queue,
/// so it decides before one that certainly cannot take the application: only then does waiting not
/// help.
pub fn place(request: &PlacementRequest, fleet: &Fleet) -> Result<Vec<Candidate>, NoPlace> {
    let asked = |name: &str| {
        request.clusters.is_empty() || request.clusters.iter().any(|cluster| cluster == name)
    };
    let mut judged: Vec<_> = fleet
        .clusters()
        .filter(|(name, _)| asked(name))
        .map(|(name, observation)| (name, Verdict::of(request, observation)))
        .collect();
    judged.sort_by(|(_, a), (_, b)| b.score().total_cmp(&a.score()));
    // Sorting is stable: what the request says nothing of stays in the order of its scores.
    judged.sort_by_key(|(name, verdict)| rank(request, name, verdict));
    if !judged
        .first()
        .is_some_and(|(_, verdict)| verdict.is_eligible())
    {
        return Err(no_place(&judged));
    }
    Ok(judged
        .into_iter()
        .map(|(name, verdict)| verdict.into_candidate(name, request.preference(name).is_some()))
        .collect())
}

/// Eligible clusters that the request prefers come first: those where it starts at once, in its own
/// order, then those where it would wait, likewise.
fn rank(request: &PlacementRequest, cluster: &str, verdict: &Verdict) -> (u8, usize) {
    match request.preference(cluster) {
        Some(position) if verdict.starts_at_once() => (0, position),
        Some(position) if verdict.is_eligible() => (1, position),
        _ => (2, 0),
    }
}

fn no_place(judged: &[(&str, Verdict)]) -> NoPlace {
    let told: Vec<_> = judged
        .iter()
        .map(|(name, verdict)| format!("{name}: {}", verdict.reasons().join(", ")))
        .collect();
    let told = told.join("; ");
    let any = |matches: fn(&Verdict) -> bool| judged.iter().any(|(_, verdict)| matches(verdict));
    if any(|verdict| matches!(verdict, Verdict::NotYetRead)) {
        NoPlace::NotYetRead(told)
    } else if any(|verdict| matches!(verdict, Verdict::Unanswered)) {
        NoPlace::Unanswered(told)
    } else if any(|verdict| matches!(verdict, Verdict::Closed { .. })) {
        NoPlace::Closed(told)
    } else if any(|verdict| matches!(verdict, Verdict::GangTooLarge { .. })) {
        NoPlace::GangTooLarge(told)
    } else {
        NoPlace::UnknownQueue(told)
    }
}

#[cfg(test)]
mod tests;
