//! The SparkApplication of an attempt, as a pure function: the same attempt gives the same
//! document, so that a repeated launch creates the same object.

mod pods;
mod settings;
mod sidecar;

use moka_core::{AttemptName, labels};
use serde_json::{Value, json};

use super::{
    application::{Application, Attempt},
    launch_spec::LaunchSpec,
    sizing::ContainerSize,
};

/// What every manifest has in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestSettings {
    /// Service account of the driver.
    pub service_account: String,
    /// `imagePullPolicy` of every Spark container.
    pub image_pull_policy: String,
    /// Directory of the node below which drivers write their event logs.
    pub event_log_host_path: String,
    /// The metrics sidecar, when there is one.
    pub exporter: Option<ExporterSettings>,
}

/// The metrics sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExporterSettings {
    /// Its image.
    pub image: String,
    /// Where the host's time series agent listens.
    pub tsdb_port: u16,
}

/// The document to create. `batchScheduler` stays unset: placement comes as labels and annotations,
/// sized by whole pods.
pub fn spark_application(
    application: &Application,
    attempt: &Attempt,
    spec: &LaunchSpec,
    settings: &ManifestSettings,
) -> Value {
    let name = AttemptName::new(application.id, attempt.number);
    let driver = ContainerSize::of(spec.language, &spec.driver);
    let executor = ContainerSize::of(spec.language, &spec.executor.pod);
    let mut body = json!({
        "type": spec.language.operator_type(),
        "mode": "cluster",
        "sparkVersion": spec.spark_version,
        "image": spec.image,
        "imagePullPolicy": settings.image_pull_policy,
        "mainApplicationFile": spec.main_application_file,
        "arguments": spec.arguments,
        "restartPolicy": { "type": "Never" },
        "sparkConf": settings::spark_conf(application, attempt, spec, driver, executor),
        "driver": with(container(driver), json!({
            "podName": name.driver_pod(),
            "serviceAccount": settings.service_account,
            "template": pods::driver(application, attempt, spec, settings),
        })),
        "executor": with(container(executor), json!({
            "instances": spec.executor.instances,
            "template": pods::executor(application, attempt, spec),
        })),
    });
    if let Some(main_class) = &spec.main_class {
        body["mainClass"] = json!(main_class);
    }
    json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {
            "name": name.to_string(),
            "namespace": attempt.placement.namespace,
            "labels": own_labels(name),
            "annotations": { (labels::TRACEPARENT): traceparent(application) },
            "finalizers": [labels::OUTCOME_FINALIZER],
        },
        "spec": body,
    })
}

/// What stands in the place of an attempt that must never be launched again: a suspended object,
/// which the operator leaves alone and whose name no other can take.
pub fn tombstone(name: AttemptName, namespace: &str) -> Value {
    let mut all_labels = own_labels(name);
    all_labels[labels::TOMBSTONE] = json!("true");
    json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {
            "name": name.to_string(),
            "namespace": namespace,
            "labels": all_labels,
        },
        "spec": {
            "suspend": true,
            "type": "Python",
            "mode": "cluster",
            "sparkVersion": "4.0.1",
            "mainApplicationFile": "local:///none",
            "restartPolicy": { "type": "Never" },
            "driver": {},
            "executor": {},
        },
    })
}

/// Labels by which an object is known as ours.
fn own_labels(name: AttemptName) -> Value {
    json!({
        (labels::APPLICATION_ID): name.application_id.to_string(),
        (labels::ATTEMPT): name.number.to_string(),
    })
}

/// The W3C trace context of an application: its id's 16 bytes are the trace, the last eight, which
/// are random, the parent span.
fn traceparent(application: &Application) -> String {
    let bytes = application.id.trace_id();
    let trace = u128::from_be_bytes(bytes);
    // The lower half of a UUID of version 7 is random but for its two highest bits.
    let parent = trace & u128::from(u64::MAX);
    format!("00-{trace:032x}-{parent:016x}-01")
}

/// What driver and executor have in common in the operator's words.
fn container(size: ContainerSize) -> Value {
    json!({
        "cores": size.cores,
        "coreRequest": format!("{}m", size.cpu_millicores),
        "memory": format!("{}m", size.heap_mib),
        "memoryOverhead": format!("{}m", size.overhead_mib),
    })
}

/// The fields of both documents.
fn with(mut document: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut document, more) {
        fields.extend(more);
    }
    document
}

#[cfg(test)]
mod tests;
