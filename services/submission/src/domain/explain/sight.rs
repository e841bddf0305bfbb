//! What a cluster shows of an attempt to somebody who asks why, read from the documents that
//! Kubernetes keeps.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::observation::ObjectView;

/// What a cluster shows of an attempt at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// The object under the attempt's name.
    pub object: Option<ObjectView>,
    /// Its pods, the driver first.
    pub pods: Vec<PodView>,
    /// Events of the object and of its pods.
    pub notices: Vec<Notice>,
}

impl Sight {
    /// The driver's pod.
    pub fn driver(&self) -> Option<&PodView> {
        self.pods.iter().find(|pod| pod.is_driver)
    }

    /// The executors' pods.
    pub fn executors(&self) -> impl Iterator<Item = &PodView> {
        self.pods.iter().filter(|pod| !pod.is_driver)
    }
}

/// A pod, as far as it tells why nothing runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// Whether it is the driver's.
    pub is_driver: bool,
    /// `status.phase`.
    pub phase: String,
    /// `status.reason`, such as `Evicted`.
    pub reason: String,
    /// `status.message`.
    pub message: String,
    /// Its node, once one is chosen.
    pub node: Option<String>,
    /// When it was created.
    pub create_time: Option<Timestamp>,
    /// Whether somebody asked to delete it.
    pub is_deleting: bool,
    /// Why no node is chosen, in the scheduler's words.
    pub unschedulable: Option<String>,
    /// Why a container waits.
    pub waiting: Option<Reason>,
    /// How Spark's container ended.
    pub terminated: Option<Terminated>,
}

/// A word of Kubernetes and a sentence about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason {
    /// Such as `ImagePullBackOff`.
    pub word: String,
    /// More about it.
    pub message: String,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminated {
    /// Its exit code.
    pub exit_code: i64,
    /// Such as `OOMKilled`.
    pub reason: String,
    /// When.
    pub end_time: Option<Timestamp>,
}

/// An event of Kubernetes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// What it is about: a kind and a name.
    pub about: String,
    /// Whether it is a warning.
    pub is_warning: bool,
    /// Such as `FailedMount`.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// When it happened last.
    pub time: Option<Timestamp>,
}

impl PodView {
    /// Reads a pod. `spark_container` is the container whose end counts.
    pub fn read(document: &Value, is_driver: bool, spark_container: &str) -> Self {
        let statuses = ["initContainerStatuses", "containerStatuses"]
            .iter()
            .filter_map(|list| document["status"][*list].as_array())
            .flatten();
        let waiting = statuses.clone().find_map(|status| {
            let waiting = status["state"].get("waiting")?;
            Some(Reason {
                word: text(&waiting["reason"]),
                message: text(&waiting["message"]),
            })
        });
        let terminated = statuses
            .filter(|status| status["name"] == spark_container)
            .find_map(|status| status["state"].get("terminated"));
        Self {
            name: text(&document["metadata"]["name"]),
            is_driver,
            phase: text(&document["status"]["phase"]),
            reason: text(&document["status"]["reason"]),
            message: text(&document["status"]["message"]),
            node: some_text(&document["spec"]["nodeName"]),
            create_time: time(&document["metadata"]["creationTimestamp"]),
            is_deleting: document["metadata"].get("deletionTimestamp").is_some(),
            unschedulable: unschedulable(document),
            waiting,
            terminated: terminated.map(|ended| Terminated {
                exit_code: ended["exitCode"].as_i64().unwrap_or(-1),
                reason: text(&ended["reason"]),
                end_time: time(&ended["finishedAt"]),
            }),
        }
    }
}

impl Notice {
    /// Reads an event of `v1`, whichever of its generations of fields its author filled in.
    pub fn read(document: &Value) -> Self {
        let about = &document["involvedObject"];
        let times = [
            &document["series"]["lastObservedTime"],
            &document["lastTimestamp"],
            &document["eventTime"],
            &document["firstTimestamp"],
            &document["metadata"]["creationTimestamp"],
        ];
        Self {
            about: format!("{} {}", text(&about["kind"]), text(&about["name"])),
            is_warning: document["type"] == "Warning",
            reason: text(&document["reason"]),
            message: text(&document["message"]),
            time: times.into_iter().find_map(time),
        }
    }
}

fn unschedulable(document: &Value) -> Option<String> {
    let conditions = document["status"]["conditions"].as_array()?;
    let condition = conditions
        .iter()
        .find(|condition| condition["type"] == "PodScheduled" && condition["status"] == "False")?;
    Some(text(&condition["message"]))
}

fn some_text(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn text(value: &Value) -> String {
    some_text(value).unwrap_or_default()
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_tells_what_it_waits_for() {
        let pod = json!({
            "metadata": { "name": "m-1-driver", "creationTimestamp": "2026-11-21T01:00:00Z" },
            "spec": {},
            "status": { "phase": "Pending", "conditions": [
                { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes" },
            ]},
        });
        let view = PodView::read(&pod, true, "spark");
        assert_eq!(view.unschedulable.as_deref(), Some("0/3 nodes"));
        assert_eq!(
            (view.node, view.waiting, view.terminated),
            (None, None, None)
        );
        let pod = json!({
            "metadata": { "name": "m-1-driver", "deletionTimestamp": "2026-11-21T01:00:00Z" },
            "spec": { "nodeName": "n1" },
            "status": { "phase": "Running",
                "initContainerStatuses": [{ "name": "side", "state": { "waiting": { "reason": "ErrImagePull", "message": "no" } } }],
                "containerStatuses": [{ "name": "spark", "state": { "terminated": {
                    "exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-21T01:00:00Z" } } }],
            },
        });
        let view = PodView::read(&pod, false, "spark");
        assert!(view.is_deleting);
        assert_eq!(view.waiting.unwrap().word, "ErrImagePull");
        assert_eq!(view.terminated.unwrap().exit_code, 137);
    }

    #[test]
    fn an_event_has_the_time_of_its_last_sight() {
        let event = json!({
            "involvedObject": { "kind": "Pod", "name": "m-1-driver" }, "type": "Warning",
            "reason": "FailedMount", "message": "secret \"x\" not found",
            "firstTimestamp": "2026-11-21T01:00:00Z", "lastTimestamp": "2026-11-21T01:05:00Z",
            "eventTime": null,
        });
        let notice = Notice::read(&event);
        assert_eq!(notice.about, "Pod m-1-driver");
        assert!(notice.is_warning);
        assert_eq!(notice.time, "2026-11-21T01:05:00Z".parse().ok());
    }
}
