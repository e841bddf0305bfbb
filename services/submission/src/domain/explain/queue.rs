//! Waiting for resources: what the scheduler says, and whether the queue is full.

use moka_core::PodSize;

use super::{Evidence, Finding, QueueFacts, SchedulingFacts, Source};
use crate::domain::sizing;

/// An attempt that was placed and whose pods wait.
pub(super) fn findings(evidence: &Evidence) -> Vec<Finding> {
    let Some(facts) = &evidence.scheduling else {
        return Vec::new();
    };
    let SchedulingFacts {
        state,
        queue,
        rejected_message,
        allocated_pods,
        pending_pods,
    } = facts;
    if !rejected_message.is_empty() {
        let message = format!("the scheduler rejected it: {rejected_message}");
        return vec![Finding::now(Source::Scheduler, "REJECTED", message).decisive()];
    }
    if state.is_empty() || *pending_pods == 0 {
        return Vec::new();
    }
    let mut findings = full(evidence);
    let message = format!(
        "{pending_pods} pods wait for resources in queue {queue}, {allocated_pods} have theirs (YuniKorn says {state})"
    );
    findings.push(Finding::now(Source::Scheduler, "WAITING_FOR_RESOURCES", message).decisive());
    findings
}

/// Queues that cannot take one more pod of the application.
pub(super) fn full(evidence: &Evidence) -> Vec<Finding> {
    let launch = evidence
        .application
        .attempt()
        .and_then(|attempt| attempt.launch.as_ref());
    let pod = launch.map_or(
        PodSize {
            cpu_millicores: 1,
            memory_bytes: 1,
        },
        sizing::executor_pod,
    );
    let queues = evidence.queues.iter().flatten();
    let full: Vec<_> = queues
        .clone()
        .filter_map(|queue| queue.full_for(pod))
        .collect();
    // A place elsewhere is a place.
    if full.len() == queues.count() {
        full.into_iter().map(Finding::decisive).collect()
    } else {
        full
    }
}

impl QueueFacts {
    fn full_for(&self, pod: PodSize) -> Option<Finding> {
        let Self { cluster, path, .. } = self;
        let most = self.maximum_running_applications;
        if most > 0 && self.running_applications >= most {
            let message = format!(
                "queue {path} of cluster {cluster} runs {} applications and may run {most}",
                self.running_applications
            );
            return Some(Finding::now(Source::Scheduler, "QUEUE_FULL", message));
        }
        let maximum = self.maximum?;
        let used = self.allocated.unwrap_or(PodSize {
            cpu_millicores: 0,
            memory_bytes: 0,
        });
        let lacks =
            |most: i64, used: i64, wanted: i64| most > 0 && used.saturating_add(wanted) > most;
        let (most, had) = if lacks(
            maximum.cpu_millicores,
            used.cpu_millicores,
            pod.cpu_millicores,
        ) {
            let unit = "millicores of CPU";
            (
                format!("{} {unit}", maximum.cpu_millicores),
                used.cpu_millicores,
            )
        } else if lacks(maximum.memory_bytes, used.memory_bytes, pod.memory_bytes) {
            let mib = |bytes: i64| bytes / (1024 * 1024);
            (
                format!("{} MiB of memory", mib(maximum.memory_bytes)),
                mib(used.memory_bytes),
            )
        } else {
            return None;
        };
        let message =
            format!("queue {path} of cluster {cluster} is full: it has {had} of its {most}");
        Some(Finding::now(Source::Scheduler, "QUEUE_FULL", message))
    }
}
