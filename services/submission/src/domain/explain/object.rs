//! Between the place and the driver's pod: is the object there, and what has the operator done
//! with it?

use super::{Evidence, Finding, Source, duration, pods};
use crate::domain::{
    application::Attempt,
    observation::{ObjectView, Owner},
};

pub(super) fn findings(evidence: &Evidence) -> Vec<Finding> {
    let Some(attempt) = evidence.application.attempt() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    findings.extend(pods::ending(attempt));
    if let Some(sight) = &evidence.sight {
        match &sight.object {
            None => findings.push(no_object(attempt)),
            Some(object) => findings.extend(with_object(evidence, attempt, object)),
        }
    }
    if attempt.uid.is_none() || evidence.sight.is_none() {
        let held_back = evidence
            .clusters
            .iter()
            .flatten()
            .filter_map(super::ClusterFacts::creates_nothing);
        findings.extend(held_back.map(Finding::decisive));
    }
    findings.extend(pods::of_waiting_driver(evidence));
    if findings.is_empty() {
        findings.push(placed(evidence, attempt));
    }
    findings.extend(super::ended::earlier_attempts(evidence));
    findings
}

fn no_object(attempt: &Attempt) -> Finding {
    if attempt.uid.is_some() {
        let message = "the SparkApplication was deleted";
        return Finding::now(Source::Operator, "OBJECT_DELETED", message).decisive();
    }
    let cluster = &attempt.placement.cluster;
    let message = format!("the SparkApplication has not been created in cluster {cluster} yet");
    Finding::now(Source::Submission, "OBJECT_NOT_CREATED", message)
}

fn with_object(evidence: &Evidence, attempt: &Attempt, object: &ObjectView) -> Option<Finding> {
    let finding = |reason: &str, message: String| Finding::now(Source::Operator, reason, message);
    match object.owner {
        Owner::Attempt => {}
        Owner::Tombstone => {
            let message = "a tombstone keeps the attempt's name: it will not start";
            return Some(finding("FENCED", message.to_owned()).decisive());
        }
        Owner::Stranger => {
            let message = "another object has the attempt's name";
            return Some(finding("NAME_TAKEN", message.to_owned()).decisive());
        }
    }
    if object.delete_time.is_some() {
        let message = "the SparkApplication is being deleted";
        return Some(finding("OBJECT_DELETED", message.to_owned()).decisive());
    }
    if object.state.is_empty() {
        let since = object.create_time.unwrap_or(attempt.create_time);
        let waited = duration(evidence.now.duration_since(since).as_secs());
        let others = others_wait(evidence);
        let message = format!(
            "the Spark Operator has not looked at the SparkApplication for {waited}{others}"
        );
        return Some(finding("OPERATOR_PENDING", message).decisive());
    }
    let said = if object.error_message.is_empty() {
        String::new()
    } else {
        format!(": {}", object.error_message)
    };
    match object.state.as_str() {
        "SUBMISSION_FAILED" => {
            let message = format!("the operator could not submit it{said}");
            Some(finding("SUBMISSION_FAILED", message).decisive())
        }
        "FAILED" | "FAILING" => {
            let message = format!("the operator says {}{said}", object.state);
            Some(finding(&object.state, message).decisive())
        }
        "SUBMITTED" if has_driver(evidence) => None,
        "SUBMITTED" => {
            let message = "the driver's pod is not there yet, though spark-submit was run";
            Some(finding("DRIVER_NOT_CREATED", message.to_owned()))
        }
        "RUNNING" => None,
        state => Some(finding(
            "OPERATOR_STATE",
            format!("the operator says {state}{said}"),
        )),
    }
}

fn has_driver(evidence: &Evidence) -> bool {
    let sight = evidence.sight.as_ref();
    sight.is_some_and(|sight| sight.driver().is_some())
}

/// Whether the operator is slow for everybody.
fn others_wait(evidence: &Evidence) -> String {
    let busiest = evidence
        .clusters
        .iter()
        .flatten()
        .find(|cluster| cluster.operator_backlog.0 > 1);
    busiest.map_or_else(String::new, |cluster| {
        format!(
            "; {} attempts wait for it in cluster {}",
            cluster.operator_backlog.0, cluster.name
        )
    })
}

fn placed(evidence: &Evidence, attempt: &Attempt) -> Finding {
    let waited = duration(evidence.now.duration_since(attempt.create_time).as_secs());
    let placement = &attempt.placement;
    let message = format!(
        "it was placed in queue {} of cluster {} {waited} ago",
        placement.queue, placement.cluster
    );
    Finding::now(Source::Submission, "PLACED", message)
}
