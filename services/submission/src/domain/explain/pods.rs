//! Pods that wait, run or stop.

use super::{Evidence, Finding, PodView, Reason, Source, duration};
use crate::domain::{application::Attempt, exit::ExitCategory, state::ApplicationState};

/// How many executors are told of one by one.
const MOST_EXECUTORS: usize = 3;
/// No node takes a pod.
pub(super) const UNSCHEDULABLE: &str = "UNSCHEDULABLE";

impl Evidence {
    /// Whether the driver is still to run.
    pub(super) fn is_coming(&self) -> bool {
        matches!(
            self.application.state,
            ApplicationState::Launching | ApplicationState::Submitted
        )
    }
}

/// Events after which a pod's containers are not started until somebody does something.
pub(super) fn holds_up(reason: &str) -> bool {
    matches!(
        reason,
        "FailedMount" | "FailedAttachVolume" | "FailedCreatePodSandBox" | "FailedBinding"
    )
}

/// What keeps the driver's pod from running.
pub(super) fn of_waiting_driver(evidence: &Evidence) -> Vec<Finding> {
    let driver = evidence.sight.as_ref().and_then(super::Sight::driver);
    let Some(driver) = driver else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if driver.is_deleting {
        let message = format!("pod {} is being deleted", driver.name);
        findings.push(Finding::now(Source::Pod, "DRIVER_DELETED", message).decisive());
    }
    if let Some(waits) = waits(driver) {
        findings.push(waits);
    } else if driver.phase == "Failed" {
        let why = [driver.reason.as_str(), driver.message.trim()].join(": ");
        let message = format!("the driver's pod has failed: {why}");
        findings.push(Finding::now(Source::Pod, "DRIVER_FAILED", message).decisive());
    } else if driver.node.is_none() {
        let since = driver.create_time.unwrap_or(evidence.now);
        let waited = duration(evidence.now.duration_since(since).as_secs());
        let message = format!("pod {} has waited for a node for {waited}", driver.name);
        findings.push(Finding::now(Source::Pod, "NO_NODE", message));
    }
    findings
}

/// Why a pod's containers do not run; decisive when it will not get better by itself.
fn waits(pod: &PodView) -> Option<Finding> {
    let finding = |reason: &str, message: String| Finding::now(Source::Pod, reason, message);
    if let Some(message) = &pod.unschedulable {
        let message = format!("no node can take pod {}: {message}", pod.name);
        return Some(finding(UNSCHEDULABLE, message).decisive());
    }
    let Reason { word, message } = pod.waiting.as_ref()?;
    let said = if message.is_empty() {
        word.clone()
    } else {
        format!("{word}: {message}")
    };
    let name = &pod.name;
    Some(match word.as_str() {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable" => finding(
            "IMAGE_PULL",
            format!("pod {name} cannot get its image: {said}"),
        )
        .decisive(),
        "ContainerCreating" | "PodInitializing" => {
            let node = pod.node.as_deref().unwrap_or("its node");
            let message = format!("the containers of pod {name} are being prepared on {node}");
            finding("CONTAINER_CREATING", message)
        }
        _ => {
            let message = format!("a container of pod {name} cannot start: {said}");
            finding("CONTAINER_WAITING", message).decisive()
        }
    })
}

/// That an attempt is being ended, and why.
pub(super) fn ending(attempt: &Attempt) -> Option<Finding> {
    let ending = attempt.ending.as_ref()?;
    let reason = match ending.category {
        ExitCategory::Cancelled => "CANCELLING",
        _ => "ENDING",
    };
    let message = format!(
        "attempt {} is being ended ({}): {}",
        attempt.number,
        ending.category.as_str(),
        ending.message
    );
    Some(Finding::now(Source::Submission, reason, message).decisive())
}

/// A driver that runs, or is to stop.
pub(super) fn of_running(evidence: &Evidence) -> Vec<Finding> {
    let Some(attempt) = evidence.application.attempt() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    findings.extend(ending(attempt));
    match evidence.sight.as_ref().and_then(super::Sight::driver) {
        Some(driver) if attempt.ending.is_some() || driver.is_deleting => {
            let node = driver.node.as_deref().unwrap_or("no node");
            let message = format!("pod {} is still there, on {node}", driver.name);
            findings.push(Finding::now(Source::Pod, "DRIVER_STOPPING", message));
        }
        Some(driver) if driver.terminated.is_some() => {
            let message = "the driver has just ended; its outcome is being written down";
            findings.push(Finding::now(Source::Pod, "DRIVER_ENDED", message));
        }
        None if evidence.sight.is_some() => {
            let message = "the driver's pod is gone; its end is being written down";
            findings.push(Finding::now(Source::Pod, "DRIVER_GONE", message).decisive());
        }
        _ if attempt.ending.is_none() => findings.push(runs(evidence, attempt)),
        _ => {}
    }
    findings.extend(of_executors(evidence));
    findings.extend(super::ended::earlier_attempts(evidence));
    findings
}

fn runs(evidence: &Evidence, attempt: &Attempt) -> Finding {
    let since = attempt.start_time.unwrap_or(attempt.create_time);
    let ran = duration(evidence.now.duration_since(since).as_secs());
    let message = format!(
        "it runs: the driver of attempt {} has run for {ran}",
        attempt.number
    );
    Finding::now(Source::Submission, "RUNNING", message).at(Some(since))
}

/// Executors that wait or were killed, which makes a running application slow.
pub(super) fn of_executors(evidence: &Evidence) -> Vec<Finding> {
    let Some(sight) = &evidence.sight else {
        return Vec::new();
    };
    let waiting = sight.executors().filter_map(waits);
    let killed = sight.executors().filter_map(killed);
    killed
        .chain(waiting)
        .map(|finding| Finding {
            decisive: false,
            ..finding
        })
        .take(MOST_EXECUTORS)
        .collect()
}

/// An executor that did not end of itself.
fn killed(pod: &PodView) -> Option<Finding> {
    let name = &pod.name;
    let finding = |reason: &str, message| Finding::now(Source::Pod, reason, message);
    match &pod.terminated {
        Some(ended) if ended.reason == "OOMKilled" => {
            let message = format!("executor {name} exceeded its memory");
            Some(finding("EXECUTOR_OUT_OF_MEMORY", message).at(ended.end_time))
        }
        Some(ended) if ended.exit_code != 0 => {
            let message = format!("executor {name} ended with exit code {}", ended.exit_code);
            Some(finding("EXECUTOR_FAILED", message).at(ended.end_time))
        }
        None if pod.phase == "Failed" => {
            let message = format!("executor {name} was {}: {}", pod.reason, pod.message);
            Some(finding("EXECUTOR_FAILED", message))
        }
        _ => None,
    }
}
