//! How good an eligible queue is.

use crate::domain::{
    queue_tree::Queue,
    resources::{Amount, Limit},
};

/// A number and what made it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Score {
    /// Above 0, at most 1.
    pub(super) value: f64,
    pub(super) reasons: Vec<String>,
}

/// Least score of a queue that could take the application at all.
const LEAST: f64 = 0.01;
/// What is left of the score when YuniKorn did not answer the last time.
const STALE_FACTOR: f64 = 0.25;
/// What is left when the queue runs as many applications as it may.
const FULL_FACTOR: f64 = 0.5;
/// What is left when the nodes of today are too few for the gang.
const BEYOND_CAPACITY_FACTOR: f64 = 0.25;

/// The upper half of the range is for queues where the gang starts at once: more of the queue free
/// afterwards is better. The lower half is for those where it waits: less missing is better.
pub(super) fn of_queue(gang: Amount, queue: &Queue, capacity: Limit, stale: bool) -> Score {
    let mut reasons = Vec::new();
    let mut value = if queue.headroom.holds(gang) {
        let free = smallest_ratio(queue.headroom.without(gang), queue.maximum.min(capacity));
        reasons.push(format!("fits now, {:.0} % stay free", free * 100.0));
        0.5 + 0.5 * free
    } else {
        let held = queue
            .headroom
            .pairs(gang)
            .into_iter()
            .filter_map(|(free, asked)| {
                let free = free.filter(|free| *free < asked)?;
                Some(ratio(free, asked))
            });
        let share = held.fold(1.0, f64::min);
        reasons.push(format!(
            "must wait, {:.0} % of the gang fit now",
            share * 100.0
        ));
        0.5 * share
    };
    if !capacity.holds(gang) {
        value *= BEYOND_CAPACITY_FACTOR;
        reasons.push("the cluster's nodes are too few for the gang".to_owned());
    }
    if queue.free_application_slots == Some(0) {
        value *= FULL_FACTOR;
        reasons.push("the queue runs as many applications as it may".to_owned());
    }
    if stale {
        value *= STALE_FACTOR;
        reasons.push("its scheduler did not answer the last question".to_owned());
    }
    Score {
        value: value.clamp(LEAST, 1.0),
        reasons,
    }
}

/// The smallest share of `whole` that `part` has in any dimension where both are limited; 1 without
/// one.
fn smallest_ratio(part: Limit, whole: Limit) -> f64 {
    let dimensions = [
        part.cpu_millicores.zip(whole.cpu_millicores),
        part.memory_bytes.zip(whole.memory_bytes),
        part.pods.zip(whole.pods),
    ];
    dimensions
        .into_iter()
        .flatten()
        .map(|(part, whole)| ratio(part, whole))
        .fold(1.0, f64::min)
}

/// `part` of `whole`, from 0 to 1.
fn ratio(part: i64, whole: i64) -> f64 {
    if whole <= 0 {
        return 0.0;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a score needs no more than 52 bits"
    )]
    let ratio = part as f64 / whole as f64;
    ratio.clamp(0.0, 1.0)
}
