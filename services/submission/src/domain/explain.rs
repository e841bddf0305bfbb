//! One answer to "why is it not running" and "why did it fail".
//!
//! Pure: whoever asks gathers the [`Evidence`], and the same evidence gives the same explanation.
//! Each stage of an application's way has a file with what can hold it up there.

mod cluster;
mod ended;
mod evidence;
mod object;
mod pods;
mod queue;
mod sight;
mod unplaced;

pub use evidence::{ClusterFacts, Evidence, PlacementFacts, QueueFacts, SchedulingFacts};
use jiff::Timestamp;
pub use sight::{Notice, PodView, Reason, Sight, Terminated};

use super::state::ApplicationState;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// One sentence: the most likely reason.
    pub summary: String,
    /// What is known, the most telling first.
    pub findings: Vec<Finding>,
    /// Sources that did not answer.
    pub unanswered: Vec<String>,
}

/// One thing that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Who says so.
    pub source: Source,
    /// A stable word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// When it was so; `None` for what is so now.
    pub time: Option<Timestamp>,
    /// Whether this alone keeps the application from running, or ended it.
    pub decisive: bool,
}

/// Who knows something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// submission's own record.
    Submission,
    /// The scheduler.
    Scheduler,
    /// The status of a pod.
    Pod,
    /// An event of Kubernetes.
    Event,
    /// The object's status.
    Operator,
}

/// How many events of Kubernetes an explanation repeats.
const MOST_NOTICES: usize = 10;

/// Explains an application.
pub fn explain(evidence: Evidence) -> Explanation {
    let mut findings = match evidence.application.state {
        ApplicationState::Queued | ApplicationState::RetryWait => unplaced::findings(&evidence),
        ApplicationState::Launching | ApplicationState::Submitted => {
            [object::findings(&evidence), queue::findings(&evidence)].concat()
        }
        ApplicationState::Running | ApplicationState::Cancelling => pods::of_running(&evidence),
        ApplicationState::Succeeded | ApplicationState::Failed | ApplicationState::Cancelled => {
            ended::findings(&evidence)
        }
    };
    findings.extend(notices(&evidence));
    // Stable: each stage tells what decides in the order in which it counts. That no node takes a
    // pod is what a full queue looks like from the pod.
    findings.sort_by_key(|finding| (!finding.decisive, finding.reason == pods::UNSCHEDULABLE));
    let summary = match findings.first() {
        Some(first) => first.message.clone(),
        None => format!("The application is {}.", evidence.application.state),
    };
    Explanation {
        summary,
        findings,
        unanswered: evidence.unanswered,
    }
}

impl Finding {
    /// Something that is so now and decides nothing.
    fn now(source: Source, reason: &str, message: impl Into<String>) -> Self {
        Self {
            source,
            reason: reason.to_owned(),
            message: sentence(&message.into()),
            time: None,
            decisive: false,
        }
    }

    /// Something that was so.
    fn at(self, time: Option<Timestamp>) -> Self {
        Self { time, ..self }
    }

    /// That this alone is the reason.
    fn decisive(self) -> Self {
        Self {
            decisive: true,
            ..self
        }
    }
}

/// What Kubernetes says, the last words first; warnings before the rest.
fn notices(evidence: &Evidence) -> Vec<Finding> {
    let Some(sight) = &evidence.sight else {
        return Vec::new();
    };
    let mut notices: Vec<_> = sight.notices.iter().collect();
    notices.sort_by_key(|notice| (!notice.is_warning, std::cmp::Reverse(notice.time)));
    notices
        .into_iter()
        .take(MOST_NOTICES)
        .map(|notice| {
            let message = format!("{}: {}", notice.about, notice.message);
            let finding = Finding::now(Source::Event, &notice.reason, message).at(notice.time);
            let holds_up = pods::holds_up(&notice.reason) && evidence.is_coming();
            if notice.is_warning && holds_up {
                finding.decisive()
            } else {
                finding
            }
        })
        .collect()
}

/// One line with a capital letter and a full stop, of a bounded length.
fn sentence(text: &str) -> String {
    let line = super::exit::shorten(text);
    let mut letters = line.chars();
    let Some(first) = letters.next() else {
        return line;
    };
    // A name that begins with a small letter stays what it is.
    let is_word = letters
        .clone()
        .next()
        .is_some_and(|c| c.is_lowercase() || c == ' ');
    let first = if is_word {
        first.to_uppercase().to_string()
    } else {
        first.to_string()
    };
    let end = if line.ends_with(['.', '!', '?', '…']) {
        ""
    } else {
        "."
    };
    format!("{first}{}{end}", letters.as_str())
}

/// `90 s`, `12 min`, `3 h`: how long ago, for people.
fn duration(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests;
