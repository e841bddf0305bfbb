//! Domain values as messages.

use moka_core::PodSize;
use moka_proto::{common, scheduling::v1};
use moka_rpc::timestamp;

use crate::domain::{
    fleet::{Observation, Snapshot},
    placement::Candidate,
    pod_metadata::PodMetadata,
    queue_tree::Queue,
    resources::{Amount, Limit},
};

pub(super) fn pod_size(size: common::v1::PodSize) -> PodSize {
    let common::v1::PodSize {
        cpu_millicores,
        memory_bytes,
    } = size;
    PodSize {
        cpu_millicores,
        memory_bytes,
    }
}

pub(super) fn queue(
    cluster: &str,
    observation: &Observation,
    snapshot: &Snapshot,
    queue: &Queue,
) -> v1::Queue {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    v1::Queue {
        cluster: cluster.to_owned(),
        path: queue.path.clone(),
        leaf: queue.leaf,
        guaranteed: limit(&queue.guaranteed),
        maximum: limit(&queue.maximum),
        allocated: Some(amount(&queue.allocated)),
        maximum_running_applications: count(queue.maximum_running_applications),
        running_applications: count(queue.running_applications),
        observe_time: Some(timestamp::to_proto(snapshot.observe_time)),
        stale: observation.failing,
    }
}

pub(super) fn candidate(candidate: Candidate) -> v1::Candidate {
    let Candidate {
        cluster,
        score,
        eligible,
        reasons,
    } = candidate;
    v1::Candidate {
        cluster,
        score,
        eligible,
        reasons,
    }
}

pub(super) fn pod_metadata(metadata: PodMetadata) -> v1::PodMetadata {
    let PodMetadata {
        labels,
        annotations,
    } = metadata;
    v1::PodMetadata {
        labels: labels.into_iter().collect(),
        annotations: annotations.into_iter().collect(),
    }
}

fn amount(amount: &Amount) -> common::v1::PodSize {
    let Amount {
        cpu_millicores,
        memory_bytes,
        pods: _,
        extended: _,
    } = *amount;
    common::v1::PodSize {
        cpu_millicores,
        memory_bytes,
    }
}

/// Unset when neither CPU nor memory is limited.
fn limit(limit: &Limit) -> Option<common::v1::PodSize> {
    let Limit {
        cpu_millicores,
        memory_bytes,
        pods: _,
        extended: _,
    } = *limit;
    if cpu_millicores.is_none() && memory_bytes.is_none() {
        return None;
    }
    Some(common::v1::PodSize {
        cpu_millicores: cpu_millicores.unwrap_or_default(),
        memory_bytes: memory_bytes.unwrap_or_default(),
    })
}
