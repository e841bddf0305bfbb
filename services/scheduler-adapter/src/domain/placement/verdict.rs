//! What is said of one cluster.

use super::{
    Candidate, PlacementRequest,
    score::{self, Score},
};
use crate::domain::{
    fleet::Observation,
    queue_tree::Queue,
    resources::{Amount, Dimension, Limit},
};

/// The only order of applications in a queue that YuniKorn combines with gangs.
const GANG_SORTING_POLICY: &str = "fifo";

/// Whether an application could go to a cluster, and why.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    Eligible(Score),
    NotYetRead,
    Unanswered,
    UnknownQueue { reason: String },
    GangTooLarge { reason: String },
    Closed { reason: String },
}

impl Verdict {
    pub(super) fn of(request: &PlacementRequest, observation: &Observation) -> Self {
        let Some(snapshot) = &observation.snapshot else {
            return if observation.failing {
                Self::Unanswered
            } else {
                Self::NotYetRead
            };
        };
        let Some(queue) = snapshot.tree.get(&request.queue) else {
            return Self::UnknownQueue {
                reason: format!("there is no queue {}", request.queue),
            };
        };
        if !queue.leaf {
            return Self::UnknownQueue {
                reason: format!("queue {} is not a leaf", queue.path),
            };
        }
        let largest = request.largest_gang();
        if !queue.maximum.holds(&largest) {
            return Self::GangTooLarge {
                reason: too_large(&largest, &queue.maximum),
            };
        }
        if let Some(reason) = why_closed(queue) {
            return Self::Closed { reason };
        }
        let capacity = snapshot.tree.capacity();
        let gang = request.gang();
        Self::Eligible(score::of_queue(&gang, queue, capacity, observation.failing))
    }

    pub(super) fn is_eligible(&self) -> bool {
        matches!(self, Self::Eligible(_))
    }

    /// Whether the gang would start at once, with nothing against the queue.
    pub(super) fn starts_at_once(&self) -> bool {
        matches!(self, Self::Eligible(score) if score.starts_at_once)
    }

    /// Higher is better. Verdicts that are not eligible are below every one that is.
    pub(super) fn score(&self) -> f64 {
        match self {
            Self::Eligible(score) => score.value,
            _ => 0.0,
        }
    }

    pub(super) fn reasons(&self) -> Vec<String> {
        match self {
            Self::Eligible(score) => score.reasons.clone(),
            Self::NotYetRead => vec!["its queues have not been read yet".to_owned()],
            Self::Unanswered => vec!["its scheduler has not answered yet".to_owned()],
            Self::UnknownQueue { reason }
            | Self::GangTooLarge { reason }
            | Self::Closed { reason } => vec![reason.clone()],
        }
    }

    pub(super) fn into_candidate(self, cluster: &str, is_preferred: bool) -> Candidate {
        let mut reasons = self.reasons();
        if is_preferred {
            reasons.push("the request prefers it".to_owned());
        }
        Candidate {
            cluster: cluster.to_owned(),
            score: self.score(),
            eligible: self.is_eligible(),
            reasons,
        }
    }
}

fn why_closed(queue: &Queue) -> Option<String> {
    let Queue {
        path,
        open,
        sorting_policy,
        ..
    } = queue;
    if !open {
        return Some(format!("queue {path} takes no new applications"));
    }
    let takes_gangs = sorting_policy.is_empty() || sorting_policy == GANG_SORTING_POLICY;
    (!takes_gangs).then(|| {
        format!("queue {path} sorts its applications by {sorting_policy}, which takes no gangs")
    })
}

fn too_large(gang: &Amount, maximum: &Limit) -> String {
    let over: Vec<_> = maximum
        .dimensions(gang)
        .into_iter()
        .filter_map(|Dimension { unit, limit, asked }| {
            let limit = limit.filter(|limit| asked > *limit)?;
            Some(format!("asks for {asked} {unit} of at most {limit}"))
        })
        .collect();
    over.join(" and ")
}
