//! What YuniKorn reads on pods: whose they are, which queue, and which gang.

use std::collections::BTreeMap;

use moka_core::AttemptName;
use serde::Serialize;

use super::{placement::PlacementRequest, resources::PodResources};

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
struct TaskGroup<'a> {
    name: &'static str,
    min_member: u32,
    /// Kubernetes quantities.
    min_resource: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    node_selector: &'a BTreeMap<String, String>,
}

impl<'a> TaskGroup<'a> {
    fn new(
        name: &'static str,
        min_member: u32,
        pod: &'a PodResources,
        node_selector: &'a BTreeMap<String, String>,
    ) -> Self {
        let extended = pod.extended.iter();
        let mut min_resource: BTreeMap<_, _> = extended
            .map(|(name, quantity)| (name.as_str(), quantity.to_string()))
            .collect();
        min_resource.insert("cpu", format!("{}m", pod.size.cpu_millicores));
        min_resource.insert("memory", pod.size.memory_bytes.to_string());
        Self {
            name,
            min_member,
            min_resource,
            node_selector,
        }
    }
}

/// YuniKorn refuses a group without members, so that of the executors is left out when there are
/// none.
fn task_groups(request: &PlacementRequest) -> String {
    let group =
        |name, min_member, pod| TaskGroup::new(name, min_member, pod, &request.node_selector);
    let mut groups = vec![group(DRIVER_GROUP, 1, &request.driver)];
    if request.executor_count > 0 {
        let executors = group(EXECUTOR_GROUP, request.executor_count, &request.executor);
        groups.push(executors);
    }
    serde_json::to_string(&groups).expect("strings and numbers always have a JSON form")
}

#[cfg(test)]
mod tests {
    use moka_core::PodSize;

    use super::*;

    const POLICY: GangPolicy = GangPolicy {
        style: GangStyle::Soft,
        placeholder_timeout_seconds: 900,
    };

    fn request(queue: &str, executor_count: u32) -> PlacementRequest {
        PlacementRequest {
            attempt: "m01hf7yat00v2t9d4h5w8k3e6qz-1".parse().unwrap(),
            queue: queue.to_owned(),
            driver: pod(110, 956_301_312),
            executor: pod(100, 939_524_096),
            executor_count,
            executor_count_maximum: executor_count,
            clusters: Vec::new(),
            preferred_clusters: Vec::new(),
            node_selector: BTreeMap::new(),
        }
    }

    fn pod(cpu_millicores: i64, memory_bytes: i64) -> PodResources {
        PodResources {
            size: PodSize {
                cpu_millicores,
                memory_bytes,
            },
            extended: BTreeMap::new(),
        }
    }

    #[test]
    fn placeholders_ask_for_the_nodes_and_devices_of_the_real_pods() {
        let mut request = request("root.demo", 2);
        request.executor.extended = [("nvidia.com/gpu".to_owned(), 2)].into();
        request.node_selector = [("kubernetes.io/arch".to_owned(), "arm64".to_owned())].into();
        // Executors that may come later are no part of the gang.
        request.executor_count_maximum = 10;
        let driver = of_driver(&request, POLICY);
        insta::assert_snapshot!(driver.annotations[TASK_GROUPS]);
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
