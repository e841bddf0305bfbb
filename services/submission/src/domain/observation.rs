//! What a cluster shows of an attempt, read from the documents that Kubernetes keeps.

use jiff::Timestamp;
use moka_core::{AttemptName, labels};
use serde_json::Value;

/// What a cluster shows of an attempt at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// The object under the attempt's name.
    pub object: Option<ObjectView>,
    /// The driver's pod.
    pub driver: Option<DriverView>,
}

/// An executor's pod, as far as we look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutorView {
    /// The pod's name.
    pub pod: String,
    /// How its container ended, when it has.
    pub container: Container,
}

impl ExecutorView {
    /// Reads an executor's pod.
    pub fn read(document: &Value) -> Self {
        Self {
            pod: text(document, "/metadata/name"),
            container: container(document, labels::EXECUTOR_CONTAINER),
        }
    }

    /// Whether the kernel ended it for its memory.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(&self.container, Container::Terminated { reason, .. } if reason == "OOMKilled")
    }
}

/// Whose object has an attempt's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The attempt's own.
    Attempt,
    /// A suspended object of ours that only keeps the name from being used.
    Tombstone,
    /// Somebody else's.
    Stranger,
}

/// A SparkApplication, as far as we look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectView {
    /// Its uid.
    pub uid: String,
    /// Whose it is.
    pub owner: Owner,
    /// When it was created.
    pub create_time: Option<Timestamp>,
    /// When somebody asked to delete it; finalizers still hold it.
    pub delete_time: Option<Timestamp>,
    /// Whether our finalizer is on it.
    pub has_finalizer: bool,
    /// `status.applicationState.state`, empty before the operator has looked at it.
    pub state: String,
    /// `status.applicationState.errorMessage`.
    pub error_message: String,
    /// Spark's own id.
    pub spark_application_id: Option<String>,
}

impl ObjectView {
    /// Reads a SparkApplication that has `attempt`'s name.
    pub fn read(document: &Value, attempt: AttemptName) -> Self {
        Self {
            uid: text(document, "/metadata/uid"),
            owner: owner(document, attempt),
            create_time: time(document, "/metadata/creationTimestamp"),
            delete_time: time(document, "/metadata/deletionTimestamp"),
            has_finalizer: has_finalizer(document),
            state: text(document, "/status/applicationState/state"),
            error_message: text(document, "/status/applicationState/errorMessage"),
            spark_application_id: some_text(document, "/status/sparkApplicationId"),
        }
    }

    /// Without its texts, as it is kept for every live attempt.
    #[must_use]
    pub fn without_texts(self) -> Self {
        Self {
            error_message: String::new(),
            ..self
        }
    }

    /// Whether the operator has not looked at it yet.
    pub fn is_unseen(&self) -> bool {
        self.owner == Owner::Attempt && self.state.is_empty() && self.delete_time.is_none()
    }

    /// Whether the operator will do nothing more with it.
    pub fn is_terminal(&self) -> bool {
        matches!(self.state.as_str(), "COMPLETED" | "FAILED")
    }
}

/// A driver's pod, as far as we look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverView {
    /// Its uid.
    pub uid: String,
    /// When it was created.
    pub create_time: Option<Timestamp>,
    /// Until when it may run on after somebody asked to delete it.
    pub delete_time: Option<Timestamp>,
    /// Whether our finalizer is on it.
    pub has_finalizer: bool,
    /// Whether a node was chosen.
    pub is_bound: bool,
    /// `status.phase`.
    pub phase: String,
    /// `status.reason`, such as `Evicted` or `ApplicationRejected`.
    pub reason: String,
    /// `status.message`.
    pub message: String,
    /// Reason of the condition `DisruptionTarget`, when it holds.
    pub disruption: Option<String>,
    /// Spark's own id.
    pub spark_application_id: Option<String>,
    /// The driver's container.
    pub container: Container,
}

/// The driver's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Container {
    /// The kubelet has not said anything about it.
    Unknown,
    /// It does not run yet.
    Waiting {
        /// Such as `ContainerCreating` or `ImagePullBackOff`.
        reason: String,
        /// More about it.
        message: String,
    },
    /// It runs.
    Running {
        /// Since when.
        start_time: Option<Timestamp>,
    },
    /// It ended.
    Terminated {
        /// Its exit code.
        exit_code: i32,
        /// Such as `Error` or `OOMKilled`.
        reason: String,
        /// The termination message.
        message: String,
        /// Since when it ran.
        start_time: Option<Timestamp>,
        /// Until when it ran.
        end_time: Option<Timestamp>,
    },
}

impl DriverView {
    /// Reads a driver's pod.
    pub fn read(document: &Value) -> Self {
        Self {
            uid: text(document, "/metadata/uid"),
            create_time: time(document, "/metadata/creationTimestamp"),
            delete_time: time(document, "/metadata/deletionTimestamp"),
            has_finalizer: has_finalizer(document),
            is_bound: some_text(document, "/spec/nodeName").is_some(),
            phase: text(document, "/status/phase"),
            reason: text(document, "/status/reason"),
            message: text(document, "/status/message"),
            disruption: disruption(document),
            spark_application_id: some_text(document, "/metadata/labels/spark-app-selector"),
            container: container(document, labels::DRIVER_CONTAINER),
        }
    }

    /// Without its texts, as it is kept for every live attempt.
    #[must_use]
    pub fn without_texts(mut self) -> Self {
        self.message = String::new();
        match &mut self.container {
            Container::Waiting { message, .. } | Container::Terminated { message, .. } => {
                *message = String::new();
            }
            Container::Unknown | Container::Running { .. } => {}
        }
        self
    }

    /// Whether nothing of it runs, and nothing can start any more. A pod that is being deleted
    /// before a node was chosen is never bound.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
            || matches!(self.container, Container::Terminated { .. })
            || (self.delete_time.is_some() && !self.is_bound)
    }

    /// Since when the container runs or ran.
    pub fn start_time(&self) -> Option<Timestamp> {
        match self.container {
            Container::Running { start_time } | Container::Terminated { start_time, .. } => {
                start_time
            }
            Container::Unknown | Container::Waiting { .. } => None,
        }
    }

    /// When the container last changed, by the clock of its node.
    pub fn change_time(&self) -> Option<Timestamp> {
        match self.container {
            Container::Terminated { end_time, .. } => end_time,
            _ => self.start_time(),
        }
    }
}

fn owner(document: &Value, attempt: AttemptName) -> Owner {
    let label = |name: &str| {
        let labels = document.pointer("/metadata/labels")?;
        labels.get(name)?.as_str()
    };
    let is_ours = label(labels::APPLICATION_ID) == Some(&attempt.application_id.to_string())
        && label(labels::ATTEMPT) == Some(&attempt.number.to_string());
    match (is_ours, label(labels::TOMBSTONE)) {
        (true, None) => Owner::Attempt,
        (true, Some(_)) => Owner::Tombstone,
        (false, _) => Owner::Stranger,
    }
}

fn has_finalizer(document: &Value) -> bool {
    let finalizers = document
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array);
    finalizers.is_some_and(|all| all.iter().any(|one| one == labels::OUTCOME_FINALIZER))
}

fn disruption(document: &Value) -> Option<String> {
    let conditions = document.pointer("/status/conditions")?.as_array()?;
    let target = conditions.iter().find(|condition| {
        condition["type"] == "DisruptionTarget" && condition["status"] == "True"
    })?;
    Some(target["reason"].as_str().unwrap_or_default().to_owned())
}

fn container(document: &Value, name: &str) -> Container {
    let statuses = document
        .pointer("/status/containerStatuses")
        .and_then(Value::as_array);
    let status = statuses.and_then(|all| all.iter().find(|status| status["name"] == name));
    let Some(state) = status.and_then(|status| status.get("state")) else {
        return Container::Unknown;
    };
    if let Some(ended) = state.get("terminated") {
        let exit_code = ended["exitCode"]
            .as_i64()
            .and_then(|code| i32::try_from(code).ok());
        return Container::Terminated {
            exit_code: exit_code.unwrap_or(-1),
            reason: text(ended, "/reason"),
            message: text(ended, "/message"),
            start_time: time(ended, "/startedAt"),
            end_time: time(ended, "/finishedAt"),
        };
    }
    if let Some(running) = state.get("running") {
        return Container::Running {
            start_time: time(running, "/startedAt"),
        };
    }
    match state.get("waiting") {
        Some(waiting) => Container::Waiting {
            reason: text(waiting, "/reason"),
            message: text(waiting, "/message"),
        },
        None => Container::Unknown,
    }
}

fn some_text(document: &Value, pointer: &str) -> Option<String> {
    let text = document.pointer(pointer)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn text(document: &Value, pointer: &str) -> String {
    some_text(document, pointer).unwrap_or_default()
}

fn time(document: &Value, pointer: &str) -> Option<Timestamp> {
    document.pointer(pointer)?.as_str()?.parse().ok()
}
