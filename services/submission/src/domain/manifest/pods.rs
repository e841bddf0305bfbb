//! Pod templates: everything of ours travels in them, so no admission webhook is needed.

use std::collections::BTreeMap;

use moka_core::{AttemptName, labels};
use serde_json::{Value, json};

use super::{
    super::{
        application::{Application, Attempt, PodMetadata},
        launch_spec::LaunchSpec,
    },
    ManifestSettings, own_labels,
    settings::EVENT_LOG_DIRECTORY,
    sidecar, traceparent,
};

const EVENT_LOG_VOLUME: &str = "moka-event-logs";

/// The driver's template. Its finalizer keeps the pod, with its exit code and log, until the
/// outcome is committed.
pub(super) fn driver(
    application: &Application,
    attempt: &Attempt,
    spec: &LaunchSpec,
    settings: &ManifestSettings,
) -> Value {
    let name = AttemptName::new(application.id, attempt.number);
    let placement = &attempt.placement;
    let mut metadata = metadata(application, name, &placement.driver);
    metadata["finalizers"] = json!([labels::OUTCOME_FINALIZER]);
    let mut pod = json!({
        "schedulerName": placement.scheduler_name,
        // Thousands of services in a namespace would not fit into a container's environment.
        "enableServiceLinks": false,
        "containers": [{
            "name": labels::DRIVER_CONTAINER,
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "env": variables(&spec.environment),
            "volumeMounts": [{
                "name": EVENT_LOG_VOLUME,
                "mountPath": EVENT_LOG_DIRECTORY,
                // A directory of its own: attempts cannot see one another's files.
                "subPath": name.to_string(),
            }],
        }],
        "volumes": [{
            "name": EVENT_LOG_VOLUME,
            "hostPath": { "path": settings.event_log_host_path, "type": "DirectoryOrCreate" },
        }],
    });
    if let Some(exporter) = &settings.exporter {
        pod["initContainers"] = json!([sidecar::container(application, attempt, exporter)]);
    }
    json!({ "metadata": metadata, "spec": pod })
}

/// The executors' template.
pub(super) fn executor(application: &Application, attempt: &Attempt, spec: &LaunchSpec) -> Value {
    let name = AttemptName::new(application.id, attempt.number);
    let placement = &attempt.placement;
    json!({
        "metadata": metadata(application, name, &placement.executor),
        "spec": {
            "schedulerName": placement.scheduler_name,
            "enableServiceLinks": false,
            "containers": [{
                "name": labels::EXECUTOR_CONTAINER,
                "env": variables(&spec.environment),
            }],
        },
    })
}

/// What placement wants on the pod, verbatim, and what names the attempt.
fn metadata(application: &Application, name: AttemptName, placed: &PodMetadata) -> Value {
    let mut all_labels = json!(placed.labels);
    if let (Value::Object(all), Value::Object(own)) = (&mut all_labels, own_labels(name)) {
        all.extend(own);
    }
    let mut annotations = json!(placed.annotations);
    annotations[labels::TRACEPARENT] = json!(traceparent(application));
    json!({ "labels": all_labels, "annotations": annotations })
}

/// The caller's environment. Kubernetes would replace `$(NAME)` in a value; a doubled `$` keeps it.
fn variables(environment: &BTreeMap<String, String>) -> Vec<Value> {
    let variable = |(name, value): (&String, &String)| json!({ "name": name, "value": value.replace("$(", "$$(") });
    environment.iter().map(variable).collect()
}
