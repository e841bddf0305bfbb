//! Pod templates: everything of ours travels in them, so no admission webhook is needed.

use std::collections::BTreeMap;

use moka_core::labels;
use serde_json::{Value, json};

use super::{
    super::{
        application::PodMetadata,
        spec::{Language, PodSpec},
    },
    Launch, ManifestSettings, environment, own_annotations, own_labels, sidecar, sql, traceparent,
    volumes,
};

/// The driver's template. Its finalizer keeps the pod, with its exit code and log, until the
/// outcome is committed.
pub(super) fn driver(launch: &Launch<'_>, settings: &ManifestSettings) -> Value {
    let spec = launch.spec;
    let mut metadata = metadata(launch, &launch.placement.driver);
    metadata["finalizers"] = json!([labels::OUTCOME_FINALIZER]);
    extend(&mut metadata["annotations"], json!(own_annotations(launch)));
    let mut mounted = volumes::of_driver(launch, settings);
    if spec.language == Language::Sql {
        extend(&mut metadata["annotations"], sql::annotations(spec));
        mounted.push(sql::volume(spec));
    }
    let mut container = container(labels::DRIVER_CONTAINER, launch, &spec.driver, &mounted);
    container["terminationMessagePolicy"] = json!("FallbackToLogsOnError");
    let mut pod = pod(launch, &container, mounted);
    if let Some(exporter) = &settings.exporter {
        pod["initContainers"] = json!([sidecar::container(launch, exporter)]);
    }
    json!({ "metadata": metadata, "spec": pod })
}

/// The executors' template.
pub(super) fn executor(launch: &Launch<'_>) -> Value {
    let spec = launch.spec;
    let mut metadata = metadata(launch, &launch.placement.executor);
    metadata["annotations"][labels::TRACEPARENT] = json!(traceparent(launch.name));
    let mounted = volumes::of_executors(spec);
    let container = container(
        labels::EXECUTOR_CONTAINER,
        launch,
        &spec.executor.pod,
        &mounted,
    );
    json!({ "metadata": metadata, "spec": pod(launch, &container, mounted) })
}

/// What driver and executors have in common.
fn pod(launch: &Launch<'_>, container: &Value, mounted: Vec<volumes::Mounted>) -> Value {
    let spec = launch.spec;
    let mut pod = json!({
        "schedulerName": launch.placement.scheduler_name,
        // Thousands of services in a namespace would not fit into a container's environment.
        "enableServiceLinks": false,
        "containers": [container],
    });
    let volumes: Vec<_> = mounted.into_iter().map(|one| one.volume).collect();
    if !volumes.is_empty() {
        pod["volumes"] = json!(volumes);
    }
    let node_selector = spec.node_selector();
    if !node_selector.is_empty() {
        pod["nodeSelector"] = json!(node_selector);
    }
    if let Some(class) = &spec.priority_class {
        pod["priorityClassName"] = json!(class);
    }
    pod
}

/// Spark's container; Spark adds its own command, sizes and variables.
fn container(
    name: &str,
    launch: &Launch<'_>,
    size: &PodSpec,
    mounted: &[volumes::Mounted],
) -> Value {
    let mut container = json!({ "name": name, "env": environment::variables(launch.spec) });
    if !mounted.is_empty() {
        let mounts: Vec<_> = mounted.iter().map(|one| &one.mount).collect();
        container["volumeMounts"] = json!(mounts);
    }
    if !size.extended_resources.is_empty() {
        // Kubernetes takes what is limited as what is asked for.
        let quantity = |(name, count): (&String, &u32)| (name.clone(), count.to_string());
        let limits: BTreeMap<_, _> = size.extended_resources.iter().map(quantity).collect();
        container["resources"] = json!({ "limits": limits });
    }
    container
}

/// The caller's labels, what placement wants on the pod, verbatim, and what names the attempt: each
/// wins over those before.
fn metadata(launch: &Launch<'_>, placed: &PodMetadata) -> Value {
    let mut all_labels = json!(launch.spec.labels);
    extend(&mut all_labels, json!(placed.labels));
    extend(&mut all_labels, own_labels(launch.name));
    all_labels[labels::TIER] = json!(launch.spec.tier.number());
    json!({ "labels": all_labels, "annotations": placed.annotations })
}

fn extend(document: &mut Value, more: Value) {
    if let (Value::Object(all), Value::Object(more)) = (document, more) {
        all.extend(more);
    }
}
