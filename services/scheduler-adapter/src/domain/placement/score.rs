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
    /// Whether the gang fits now and nothing is against the queue.
    pub(super) starts_at_once: bool,
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
pub(super) fn of_queue(gang: &Amount, queue: &Queue, capacity: &Limit, stale: bool) -> Score {
    let mut reasons = Vec::new();
    let missing = missing_resource(gang, capacity);
    let fits_now = queue.headroom.holds(gang) && missing.is_none();
    let mut value = if fits_now {
        let free = smallest_ratio(&queue.headroom.without(gang), &queue.maximum.min(capacity));
        reasons.push(format!("fits now, {:.0} % stay free", free * 100.0));
        0.5 + 0.5 * free
    } else {
        let dimensions = queue.headroom.dimensions(gang).into_iter();
        let held = dimensions.filter_map(|dimension| {
            let free = dimension.limit.filter(|free| *free < dimension.asked)?;
            Some(ratio(free, dimension.asked))
        });
        let start = if missing.is_some() { 0.0 } else { 1.0 };
        let share = held.fold(start, f64::min);
        reasons.push(format!(
            "must wait, {:.0} % of the gang fit now",
            share * 100.0
        ));
        0.5 * share
    };
    if let Some(name) = missing {
        value *= BEYOND_CAPACITY_FACTOR;
        reasons.push(format!("the cluster has no node with {name} now"));
    } else if !capacity.holds(gang) {
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
        // Each thing against it has added a reason.
        starts_at_once: fits_now && reasons.len() == 1,
        reasons,
    }
}

/// An extended resource that no node of the cluster has now. Unlike the limits of a queue, what a
/// cluster's size leaves out is not there.
fn missing_resource<'a>(gang: &'a Amount, capacity: &Limit) -> Option<&'a str> {
    let mut names = gang.extended.keys();
    let missing = names.find(|name| !capacity.extended.contains_key(*name))?;
    Some(missing)
}

/// The smallest share of `whole` that `part` has in any dimension where both are limited; 1 without
/// one.
fn smallest_ratio(part: &Limit, whole: &Limit) -> f64 {
    let mut dimensions = vec![
        part.cpu_millicores.zip(whole.cpu_millicores),
        part.memory_bytes.zip(whole.memory_bytes),
        part.pods.zip(whole.pods),
    ];
    let extended = part.extended.iter();
    dimensions.extend(extended.map(|(name, part)| Some((*part, *whole.extended.get(name)?))));
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
