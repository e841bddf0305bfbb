//! Before an attempt is placed: waiting for its time, for a cluster, for a place.

use super::{Evidence, Finding, PlacementFacts, Source, duration, queue};
use crate::domain::state::ApplicationState;

pub(super) fn findings(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(waiting_for_retry(evidence));
    findings.extend(no_cluster(evidence));
    findings.extend(no_place(evidence));
    findings.extend(queue::full(evidence));
    if !findings.iter().any(|finding| finding.decisive) {
        findings.insert(0, in_line(evidence));
    }
    findings.extend(super::ended::earlier_attempts(evidence));
    findings
}

fn waiting_for_retry(evidence: &Evidence) -> Option<Finding> {
    let application = &evidence.application;
    if application.state != ApplicationState::RetryWait {
        return None;
    }
    let begins = application.next_attempt_time?;
    let last = application.attempt()?;
    let why = last.exit.as_ref().map_or_else(String::new, |exit| {
        format!(" ended with {} ({})", exit.category.as_str(), exit.message)
    });
    let (number, next) = (last.number, last.number + 1);
    let wait = begins.duration_since(evidence.now).as_secs();
    let finding = |message| Finding::now(Source::Submission, "WAITING_FOR_RETRY", message);
    Some(if wait > 0 {
        let wait = duration(wait);
        finding(format!(
            "attempt {number}{why}; attempt {next} begins in {wait}"
        ))
        .decisive()
    } else {
        finding(format!("attempt {number}{why}; attempt {next} may begin"))
    })
}

/// What is wrong with each cluster; decisive when no other is left.
fn no_cluster(evidence: &Evidence) -> Vec<Finding> {
    let Some(clusters) = &evidence.clusters else {
        return Vec::new();
    };
    if clusters.is_empty() {
        let message = "no cluster is registered in the fleet";
        return vec![Finding::now(Source::Submission, "NO_CLUSTER", message).decisive()];
    }
    let findings: Vec<_> = clusters
        .iter()
        .filter_map(super::ClusterFacts::takes_nothing)
        .collect();
    if findings.len() == clusters.len() {
        findings.into_iter().map(Finding::decisive).collect()
    } else {
        findings
    }
}

fn no_place(evidence: &Evidence) -> Option<Finding> {
    match evidence.placement.as_ref()? {
        PlacementFacts::NoPlace { reason, message } => {
            Some(Finding::now(Source::Scheduler, reason, message).decisive())
        }
        PlacementFacts::Place { .. } => None,
    }
}

fn in_line(evidence: &Evidence) -> Finding {
    let application = &evidence.application;
    let waited = evidence.now.duration_since(application.update_time);
    let waited = duration(waited.as_secs());
    let place = match &evidence.placement {
        Some(PlacementFacts::Place { cluster, queue }) => {
            format!("; queue {queue} of cluster {cluster} would take it")
        }
        _ => String::new(),
    };
    let message = format!("it has been in line for {waited}, until a worker takes it{place}");
    Finding::now(Source::Submission, "IN_LINE", message)
}
