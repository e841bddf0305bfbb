//! The SparkApplication of an attempt, as a pure function: the same attempt gives the same
//! document, so that a repeated launch creates the same object.

mod environment;
mod pods;
mod settings;
mod sidecar;
mod size;
mod sql;
mod volumes;

use std::collections::BTreeMap;

use moka_core::{AttemptName, labels};
use serde_json::{Value, json};

pub use self::size::{ALLOWANCE_BYTES, MOST_BYTES, check_size};
use super::{
    application::{Application, Attempt, Placement},
    launch_spec::LaunchSpec,
    sizing::ContainerSize,
    spec::{Dependencies, DynamicAllocation, Language},
    submission::Submission,
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

/// What one document is about.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// The attempt.
    pub name: AttemptName,
    /// The request.
    pub submission: &'a Submission,
    /// Where it goes.
    pub placement: &'a Placement,
    /// The request with every default.
    pub spec: &'a LaunchSpec,
}

/// The document to create. `batchScheduler` stays unset: placement comes as labels and annotations,
/// sized by whole pods.
pub fn spark_application(
    application: &Application,
    attempt: &Attempt,
    spec: &LaunchSpec,
    settings: &ManifestSettings,
) -> Value {
    let launch = Launch {
        name: AttemptName::new(application.id, attempt.number),
        submission: &application.submission,
        placement: &attempt.placement,
        spec,
    };
    document(&launch, settings)
}

/// The document of an attempt, which need not exist.
pub fn document(launch: &Launch<'_>, settings: &ManifestSettings) -> Value {
    let Launch {
        name,
        placement,
        spec,
        ..
    } = *launch;
    json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {
            "name": name.to_string(),
            "namespace": placement.namespace,
            "labels": with(own_labels(name), json!({ (labels::TIER): spec.tier.number() })),
            "annotations": own_annotations(launch),
            "finalizers": [labels::OUTCOME_FINALIZER],
        },
        "spec": body(launch, settings),
    })
}

fn body(launch: &Launch<'_>, settings: &ManifestSettings) -> Value {
    let Launch { name, spec, .. } = *launch;
    let driver = ContainerSize::of(spec.language, &spec.driver);
    let executor = ContainerSize::of(spec.language, &spec.executor.pod);
    let main_application_file = match spec.language {
        Language::Sql => sql::MAIN_FILE,
        _ => &spec.main_application_file,
    };
    let service_account = spec
        .service_account
        .as_ref()
        .unwrap_or(&settings.service_account);
    let mut body = json!({
        "type": spec.language.operator_type(),
        "mode": "cluster",
        "sparkVersion": spec.spark_version,
        "image": spec.image,
        "imagePullPolicy": settings.image_pull_policy,
        "mainApplicationFile": main_application_file,
        "arguments": spec.arguments,
        "restartPolicy": { "type": "Never" },
        "sparkConf": settings::spark_conf(launch, driver, executor),
        "driver": with(container(driver), json!({
            "podName": name.driver_pod(),
            "serviceAccount": service_account,
            "template": pods::driver(launch, settings),
        })),
        "executor": with(container(executor), json!({
            "template": pods::executor(launch),
        })),
    });
    if let Some(main_class) = &spec.main_class {
        body["mainClass"] = json!(main_class);
    }
    if !spec.dependencies.is_empty() {
        body["deps"] = deps(&spec.dependencies);
    }
    match &spec.dynamic_allocation {
        Some(dynamic) => body["dynamicAllocation"] = dynamic_allocation(spec, dynamic),
        None => body["executor"]["instances"] = json!(spec.executor.instances),
    }
    body
}

/// Lists that are empty are left out.
fn deps(dependencies: &Dependencies) -> Value {
    let lists = [
        ("jars", &dependencies.jars),
        ("files", &dependencies.files),
        ("pyFiles", &dependencies.py_files),
        ("archives", &dependencies.archives),
        ("packages", &dependencies.packages),
        ("excludePackages", &dependencies.exclude_packages),
        ("repositories", &dependencies.repositories),
    ];
    let said = lists.into_iter().filter(|(_, list)| !list.is_empty());
    json!(said.collect::<BTreeMap<_, _>>())
}

/// Without a shuffle service Spark must know which executors still hold shuffles.
fn dynamic_allocation(spec: &LaunchSpec, dynamic: &DynamicAllocation) -> Value {
    json!({
        "enabled": true,
        "initialExecutors": dynamic.initial_executors,
        "minExecutors": dynamic.min_executors,
        "maxExecutors": dynamic.max_executors,
        "shuffleTrackingEnabled": spec.shuffle_profile.is_none(),
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

/// What the object and the driver's pod say about whose they are.
fn own_annotations(launch: &Launch<'_>) -> BTreeMap<&'static str, String> {
    let spec = &launch.submission.spec;
    let tags = if spec.tags.is_empty() {
        String::new()
    } else {
        json!(spec.tags).to_string()
    };
    let mut annotations: BTreeMap<_, _> = [
        (labels::TAGS, tags),
        (labels::OWNER, spec.owner.clone()),
        (labels::WORKFLOW, spec.workflow.clone()),
        (labels::RUN, spec.run.clone()),
        (labels::TRACEPARENT, traceparent(launch.name)),
    ]
    .into();
    annotations.retain(|_, value| !value.is_empty());
    annotations
}

/// The W3C trace context of an application: its id's 16 bytes are the trace, the last eight, which
/// are random, the parent span.
fn traceparent(name: AttemptName) -> String {
    let bytes = name.application_id.trace_id();
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
