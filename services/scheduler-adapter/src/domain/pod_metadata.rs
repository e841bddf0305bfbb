//! What YuniKorn reads on pods: whose they are, which queue, and which gang.

use std::collections::BTreeMap;

use moka_core::{AttemptName, PodSize};
use serde::Serialize;

use super::placement::PlacementRequest;

/// `spec.schedulerName` of every pod. YuniKorn ignores all others.
pub const SCHEDULER_NAME: &str = "yunikorn";

const APPLICATION_ID: &str = "yunikorn.apache.org/app-id";
const QUEUE: &str = "yunikorn.apache.org/queue";
const TASK_GROUP_NAME: &str = "yunikorn.apache.org/task-group-name";
const TASK_GROUPS: &str = "yunikorn.apache.org/task-groups";
const SCHEDULING_POLICY: &str = "yunikorn.apache.org/schedulingPolicyParameters";

const DRIVER_GROUP: &str = "spark-driver";
const EXECUTOR_GROUP: &str = "spark-executor";
/// Longest value of a Kubernetes label, in bytes.
const LABEL_VALUE_BYTES: usize = 63;

/// What YuniKorn does with a gang that does not come together in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum GangStyle {
    /// The application goes on with the pods that it has.
    Soft,
    /// The application fails.
    Hard,
}

/// How gangs are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GangPolicy {
    /// What happens when the time is over.
    pub style: GangStyle,
    /// How long placeholders wait, counted from the first one that gets its resources.
    pub placeholder_timeout_seconds: u32,
}

/// Labels and annotations of one kind of pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodMetadata {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// What to write on the driver: the task groups are its alone, since it is the first pod.
pub fn of_driver(request: &PlacementRequest, policy: GangPolicy) -> PodMetadata {
    let mut metadata = of_pod(request.attempt, &request.queue, DRIVER_GROUP);
    metadata
        .annotations
        .insert(TASK_GROUPS.to_owned(), task_groups(request));
    metadata
        .annotations
        .insert(SCHEDULING_POLICY.to_owned(), policy.parameters());
    metadata
}

/// What to write on each executor.
pub fn of_executor(request: &PlacementRequest) -> PodMetadata {
    of_pod(request.attempt, &request.queue, EXECUTOR_GROUP)
}

impl GangPolicy {
    fn parameters(self) -> String {
        let style = match self.style {
            GangStyle::Soft => "Soft",
            GangStyle::Hard => "Hard",
        };
        let timeout = self.placeholder_timeout_seconds;
        format!("placeholderTimeoutInSeconds={timeout} gangSchedulingStyle={style}")
    }
}

fn of_pod(attempt: AttemptName, queue: &str, task_group: &str) -> PodMetadata {
    let mut metadata = PodMetadata::default();
    let identity = [
        (APPLICATION_ID, attempt.to_string()),
        (QUEUE, queue.to_owned()),
    ];
    for (key, value) in identity {
        // A label would win over the annotation, so it is left out where it cannot say the same.
        if is_label_value(&value) {
            metadata.labels.insert(key.to_owned(), value.clone());
        }
        metadata.annotations.insert(key.to_owned(), value);
    }
    metadata
        .annotations
        .insert(TASK_GROUP_NAME.to_owned(), task_group.to_owned());
    metadata
}

fn is_label_value(value: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    value.len() <= LABEL_VALUE_BYTES
        && value.starts_with(alphanumeric)
        && value.ends_with(alphanumeric)
        && value
            .chars()
            .all(|c| alphanumeric(c) || matches!(c, '-' | '_' | '.'))
}

/// One group of alike pods, as the annotation spells it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskGroup {
    name: &'static str,
    min_member: u32,
    min_resource: MinResource,
}

/// Kubernetes quantities.
#[derive(Debug, Serialize)]
struct MinResource {
    cpu: String,
    memory: String,
}

impl TaskGroup {
    fn new(name: &'static str, min_member: u32, size: PodSize) -> Self {
        let PodSize {
            cpu_millicores,
            memory_bytes,
        } = size;
        let min_resource = MinResource {
            cpu: format!("{cpu_millicores}m"),
            memory: memory_bytes.to_string(),
        };
        Self {
            name,
            min_member,
            min_resource,
        }
    }
}

/// YuniKorn refuses a group without members, so that of the executors is left out when there are
/// none.
fn task_groups(request: &PlacementRequest) -> String {
    let mut groups = vec![TaskGroup::new(DRIVER_GROUP, 1, request.driver)];
    if request.executor_count > 0 {
        groups.push(TaskGroup::new(
            EXECUTOR_GROUP,
            request.executor_count,
            request.executor,
        ));
    }
    serde_json::to_string(&groups).expect("strings and numbers always have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: GangPolicy = GangPolicy {
        style: GangStyle::Soft,
        placeholder_timeout_seconds: 900,
    };

    fn request(queue: &str, executor_count: u32) -> PlacementRequest {
        PlacementRequest {
            attempt: "m01hf7yat00v2t9d4h5w8k3e6qz-1".parse().unwrap(),
            queue: queue.to_owned(),
            driver: PodSize {
                cpu_millicores: 110,
                memory_bytes: 956_301_312,
            },
            executor: PodSize {
                cpu_millicores: 100,
                memory_bytes: 939_524_096,
            },
            executor_count,
            clusters: Vec::new(),
        }
    }

    #[test]
    fn gang_of_a_driver_and_two_executors_is_written_as_yunikorn_reads_it() {
        let request = request("root.demo", 2);
        insta::assert_debug_snapshot!((of_driver(&request, POLICY), of_executor(&request)));
    }

    #[test]
    fn driver_alone_has_one_group_and_hard_style_is_said() {
        let policy = GangPolicy {
            style: GangStyle::Hard,
            placeholder_timeout_seconds: 60,
        };
        let driver = of_driver(&request("root.demo", 0), policy);
        insta::assert_debug_snapshot!(driver.annotations);
    }

    #[test]
    fn queues_that_are_no_label_value_travel_as_annotation_only() {
        let long = format!("root.{}", "x".repeat(60));
        for queue in [long.as_str(), "root.a@b", "root.a/b", "root.a_"] {
            let driver = of_driver(&request(queue, 1), POLICY);
            assert_eq!(driver.labels.get(QUEUE), None, "{queue}");
            assert_eq!(
                driver.annotations.get(QUEUE).map(String::as_str),
                Some(queue)
            );
            assert!(driver.labels.contains_key(APPLICATION_ID));
        }
        let longest = format!("root.{}", "x".repeat(58));
        assert_eq!(
            of_executor(&request(&longest, 1)).labels.get(QUEUE),
            Some(&longest)
        );
    }
}
