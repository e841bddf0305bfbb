//! An application as the database keeps it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use moka_core::{ApplicationId, AttemptName};
use serde::{Deserialize, Serialize};

use super::{
    exit::{Exit, ExitCategory},
    launch_spec::LaunchSpec,
    spec::Deadlines,
    state::ApplicationState,
    submission::Submission,
};

/// One accepted request and everything that became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// The request, fixed for ever.
    pub submission: Submission,
    /// The application of the next lower try number of the same key.
    pub predecessor: Option<ApplicationId>,
    /// Where it stands.
    pub state: ApplicationState,
    /// Every attempt that was begun; the last is the current one.
    pub attempts: Vec<Attempt>,
    /// When it was accepted.
    pub create_time: Timestamp,
    /// When the state last changed.
    pub update_time: Timestamp,
    /// When a final state was reached.
    pub end_time: Option<Timestamp>,
    /// Sequence number of the last change.
    pub version: i64,
    /// While `RETRY_WAIT`: when the next attempt may begin.
    pub next_attempt_time: Option<Timestamp>,
}

impl Application {
    /// What a request makes at `now`. Its first event gives it its version.
    pub fn accepted(id: ApplicationId, submission: Submission, now: Timestamp) -> Self {
        Self {
            id,
            submission,
            predecessor: None,
            state: ApplicationState::Queued,
            attempts: Vec::new(),
            create_time: now,
            update_time: now,
            end_time: None,
            version: 0,
            next_attempt_time: None,
        }
    }

    /// The current attempt, once there is one.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// The current attempt's name, once there is one.
    pub fn attempt_name(&self) -> Option<AttemptName> {
        Some(AttemptName::new(self.id, self.attempt()?.number))
    }

    /// The number of the attempt that would come next.
    pub fn next_attempt_number(&self) -> u32 {
        self.attempt().map_or(1, |attempt| attempt.number + 1)
    }

    /// When to give up: as the latest attempt was launched with, or as its terms
    /// were before the first.
    pub fn deadlines(&self) -> Deadlines {
        let mut newest_first = self.attempts.iter().rev();
        let launched = newest_first.find_map(|attempt| Some(attempt.launch.as_ref()?.deadlines));
        launched.unwrap_or_else(|| self.submission.deadlines())
    }

    /// The current attempt, if it has this number and has not ended.
    pub fn live_attempt(&self, number: u32) -> Option<&Attempt> {
        self.attempt()
            .filter(|attempt| attempt.number == number && attempt.exit.is_none())
            .filter(|_| !self.state.is_final())
    }

    /// An attempt by its number.
    pub fn attempt_numbered(&self, number: u32) -> Option<&Attempt> {
        self.attempts
            .iter()
            .find(|attempt| attempt.number == number)
    }
}

/// One run of an application in one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// Why there is this attempt.
    pub reason: String,
    /// Where it was to run, and what its pods carry.
    pub placement: Placement,
    /// What it is launched with; `None` when it was refused before that was known.
    pub launch: Option<LaunchSpec>,
    /// The SparkApplication's uid, once it is known.
    pub uid: Option<String>,
    /// Spark's own id, once the driver exists.
    pub spark_application_id: Option<String>,
    /// When the launch was decided.
    pub create_time: Timestamp,
    /// When the driver was first seen to run.
    pub start_time: Option<Timestamp>,
    /// When it was found to have ended.
    pub end_time: Option<Timestamp>,
    /// Why it is being ended, written down before anything is stopped: what its processes say
    /// while they are stopped is a consequence and no reason.
    pub ending: Option<Ending>,
    /// While it is being ended: whether the driver is killed at once, without its grace.
    pub is_killed: bool,
    /// How it ended.
    pub exit: Option<Exit>,
}

/// The reason for which an attempt is being ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The category that its exit will have.
    pub category: ExitCategory,
    /// The message that its exit will have.
    pub message: String,
}

/// Where an attempt goes: what `PlaceApplication` answered, kept so that a repeated launch creates
/// the very same object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The cluster; empty when no place was found.
    pub cluster: String,
    /// The queue in that cluster.
    pub queue: String,
    /// The Kubernetes namespace.
    pub namespace: String,
    /// `spec.schedulerName` of every pod.
    pub scheduler_name: String,
    /// What to write on the driver's pod.
    pub driver: PodMetadata,
    /// What to write on each executor's pod.
    pub executor: PodMetadata,
}

/// Labels and annotations of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodMetadata {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// One change of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique and rising within one database.
    pub sequence: i64,
    /// The application.
    pub application_id: ApplicationId,
    /// Its state after the change.
    pub state: ApplicationState,
    /// Its state before; `None` for the first event.
    pub previous_state: Option<ApplicationState>,
    /// The attempt that it concerns; 0 before the first.
    pub attempt_number: u32,
    /// When it was written down.
    pub time: Timestamp,
    /// A sentence for people.
    pub message: String,
}
