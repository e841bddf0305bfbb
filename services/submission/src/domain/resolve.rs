//! From a request to what an attempt is launched with: the request's own values, then those of the
//! workflow's strategy, the project, the cluster, and the platform.

use std::collections::BTreeMap;

use moka_core::{ErrorReason, PublicError};

use super::{
    exit::ExitCategory,
    launch_spec::{LaunchSpec, RetryPolicy},
    platform_settings,
    rules::{Cluster, Defaults, OverridePolicy, Project, Strategy},
    sizing::ContainerSize,
    spec::{Architecture, Deadlines, ExecutorSpec, PodSpec, RetryRequest, Spec, Tier},
};

/// Whose rules a request is resolved under.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules<'a> {
    /// Those of its workflow.
    pub strategy: Option<&'a Strategy>,
    /// Those of its project.
    pub project: Option<&'a Project>,
    /// Those of the cluster that it might go to.
    pub cluster: Option<&'a Cluster>,
    /// The processor to run on; `None` when any will do.
    pub architecture: Option<Architecture>,
}

/// Failures that another attempt can cure.
pub const CURABLE: [ExitCategory; 6] = [
    ExitCategory::DriverOutOfMemory,
    ExitCategory::ExecutorOutOfMemory,
    ExitCategory::Preempted,
    ExitCategory::NodeLost,
    ExitCategory::LaunchRefused,
    ExitCategory::Image,
];

/// Attempts of a policy that does not say how many.
pub const DEFAULT_ATTEMPTS: u32 = 3;

/// Why a request cannot be launched under some rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotResolved {
    /// Nobody has a default for these fields.
    #[error("the request is incomplete, and nobody has a default for {}", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// The cluster has no such shuffle profile, so it is not eligible; another one may have it.
    #[error("the cluster has no shuffle profile {0}")]
    NoShuffleProfile(String),
}

impl From<NotResolved> for PublicError {
    fn from(error: NotResolved) -> Self {
        let public = Self::new(ErrorReason::InvalidField, error.to_string());
        match error {
            NotResolved::Missing(fields) => fields.into_iter().fold(public, |public, field| {
                public.with_field(field, "is required: nobody has a default for it")
            }),
            NotResolved::NoShuffleProfile(_) => {
                public.with_field("spec.shuffle_profile", "is known to no cluster")
            }
        }
    }
}

/// Fills in every default.
///
/// # Errors
///
/// [`NotResolved`] when something is missing under these rules.
pub fn resolve(spec: &Spec, rules: Rules<'_>) -> Result<LaunchSpec, NotResolved> {
    let mut missing = Vec::new();
    let image = needed(&mut missing, "spec.image", image(spec, rules));
    let spark_version = needed(
        &mut missing,
        "spec.spark_version",
        spark_version(spec, rules),
    );
    let queue = needed(&mut missing, "spec.queue", queue(spec, rules));
    let driver = needed(&mut missing, "spec.driver", driver(spec, rules));
    let executor = needed(&mut missing, "spec.executor", executor(spec, rules));
    let (Some(image), Some(spark_version), Some(queue), Some(driver), Some(executor)) =
        (image, spark_version, queue, driver, executor)
    else {
        return Err(NotResolved::Missing(missing));
    };
    let tier = tier(spec, rules);
    let shuffle_profile = shuffle_profile(spec, rules);
    let retry = retry(spec, rules, [&driver, &executor.pod]);
    Ok(LaunchSpec {
        language: spec.language,
        image,
        main_application_file: spec.main_application_file.clone(),
        main_class: spec.main_class.clone(),
        arguments: spec.arguments.clone(),
        spark_version,
        spark_conf: spark_conf(spec, rules, shuffle_profile.as_deref())?,
        driver,
        executor,
        queue,
        environment: environment(spec, rules),
        sql_statements: spec.sql_statements.clone(),
        dependencies: spec.dependencies.clone(),
        dynamic_allocation: spec.dynamic_allocation,
        secret_environment: spec.secret_environment.clone(),
        volumes: spec.volumes.clone(),
        service_account: first_text(&spec.service_account, rules, |defaults| {
            &defaults.service_account
        }),
        architecture: rules.architecture,
        shuffle_profile,
        labels: merged(rules, |defaults| &defaults.labels, &spec.labels),
        tier,
        priority_class: rules
            .cluster
            .and_then(|cluster| cluster.settings.priority_class_by_tier.get(&tier).cloned()),
        deadlines: deadlines(spec, rules),
        retry,
        live_ui: rules
            .cluster
            .and_then(|cluster| cluster.settings.live_ui.clone())
            .unwrap_or_default(),
    })
}

/// The queue that a request asks for; `None` when nobody says one.
pub fn queue(spec: &Spec, rules: Rules<'_>) -> Option<String> {
    let of_strategy = rules.strategy.map(|strategy| &strategy.settings.queue);
    let of_project = rules.project.map(|project| &project.defaults.queue);
    let candidates = [Some(&spec.queue), of_strategy, of_project];
    first_of(candidates)
}

/// The processors to ask for, best first; `None` when any will do. An image of one processor alone
/// decides for it.
pub fn architectures_to_try(spec: &Spec) -> Vec<Option<Architecture>> {
    if !spec.architectures.is_empty() {
        return spec.architectures.iter().copied().map(Some).collect();
    }
    if spec.image_by_architecture.is_empty() {
        return vec![None];
    }
    let has_image = |architecture: &Architecture| {
        !spec.image.is_empty() || spec.image_by_architecture.contains_key(architecture)
    };
    Architecture::ALL
        .into_iter()
        .filter(has_image)
        .map(Some)
        .collect()
}

/// Notes the field when nobody has a value for it.
fn needed<T>(missing: &mut Vec<&'static str>, field: &'static str, value: Option<T>) -> Option<T> {
    if value.is_none() {
        missing.push(field);
    }
    value
}

/// The defaults of the project, then of the cluster.
fn all_defaults(rules: Rules<'_>) -> impl DoubleEndedIterator<Item = &Defaults> {
    let of_project = rules.project.map(|project| &project.defaults);
    let of_cluster = rules.cluster.map(|cluster| &cluster.settings.defaults);
    [of_project, of_cluster].into_iter().flatten()
}

/// The first text that is not empty.
fn first_of<'a>(texts: impl IntoIterator<Item = Option<&'a String>>) -> Option<String> {
    let mut said = texts.into_iter().flatten().filter(|text| !text.is_empty());
    said.next().cloned()
}

fn first_text(
    own: &String,
    rules: Rules<'_>,
    of_defaults: impl Fn(&Defaults) -> &String,
) -> Option<String> {
    let defaults = all_defaults(rules).map(|defaults| Some(of_defaults(defaults)));
    first_of(std::iter::once(Some(own)).chain(defaults))
}

fn image(spec: &Spec, rules: Rules<'_>) -> Option<String> {
    let of_architecture = rules
        .architecture
        .and_then(|architecture| spec.image_by_architecture.get(&architecture));
    let own = of_architecture.unwrap_or(&spec.image);
    first_text(own, rules, |defaults| &defaults.image)
}

fn spark_version(spec: &Spec, rules: Rules<'_>) -> Option<String> {
    first_text(&spec.spark_version, rules, |defaults| {
        &defaults.spark_version
    })
}

fn driver(spec: &Spec, rules: Rules<'_>) -> Option<PodSpec> {
    let of_strategy = || rules.strategy?.settings.driver.clone();
    spec.driver.clone().or_else(of_strategy)
}

/// With dynamic allocation the number of executors is its own.
fn executor(spec: &Spec, rules: Rules<'_>) -> Option<ExecutorSpec> {
    let of_strategy = || rules.strategy?.settings.executor.clone();
    let mut executor = spec.executor.clone().or_else(of_strategy)?;
    if spec.dynamic_allocation.is_some() {
        executor.instances = 0;
    }
    Some(executor)
}

fn tier(spec: &Spec, rules: Rules<'_>) -> Tier {
    let of_strategy = || rules.strategy?.settings.tier;
    let of_project = || rules.project?.defaults.tier;
    spec.tier
        .or_else(of_strategy)
        .or_else(of_project)
        .unwrap_or(Tier::Three)
}

fn shuffle_profile(spec: &Spec, rules: Rules<'_>) -> Option<String> {
    let of_project = rules
        .project
        .map(|project| &project.defaults.shuffle_profile);
    first_of([Some(&spec.shuffle_profile), of_project])
}

/// What the platform, the cluster, the project, the shuffle profile and the request say, each
/// overriding those before. Rules that were written when a setting was not yet the platform's lose
/// it here.
fn spark_conf(
    spec: &Spec,
    rules: Rules<'_>,
    shuffle_profile: Option<&str>,
) -> Result<BTreeMap<String, String>, NotResolved> {
    let mut conf = platform_settings::defaults();
    for defaults in all_defaults(rules).rev() {
        conf.extend(defaults.spark_conf.clone());
    }
    if let Some(name) = shuffle_profile {
        let profile = rules
            .cluster
            .and_then(|cluster| cluster.settings.shuffle_profiles.get(name))
            .ok_or_else(|| NotResolved::NoShuffleProfile(name.to_owned()))?;
        conf.extend(profile.clone());
    }
    conf.extend(spec.spark_conf.clone());
    conf.retain(|key, _| !platform_settings::is_owned(key));
    Ok(conf)
}

/// A variable from a secret takes the place of a default of its name.
fn environment(spec: &Spec, rules: Rules<'_>) -> BTreeMap<String, String> {
    let mut environment = merged(rules, |defaults| &defaults.environment, &spec.environment);
    for variable in &spec.secret_environment {
        environment.remove(&variable.name);
    }
    environment
}

/// Each entry for itself: the request's, then the project's, then the cluster's.
fn merged(
    rules: Rules<'_>,
    of_defaults: impl Fn(&Defaults) -> &BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for defaults in all_defaults(rules).rev() {
        all.extend(of_defaults(defaults).clone());
    }
    all.extend(own.clone());
    all
}

/// When to give up: each deadline is the request's own, or else the project's.
pub fn deadlines(spec: &Spec, rules: Rules<'_>) -> Deadlines {
    let of_project = rules
        .project
        .map(|project| project.defaults.deadlines)
        .unwrap_or_default();
    let own = spec.deadlines;
    Deadlines {
        queue_seconds: own.queue_seconds.or(of_project.queue_seconds),
        run_seconds: own.run_seconds.or(of_project.run_seconds),
        total_seconds: own.total_seconds.or(of_project.total_seconds),
    }
}

/// The request's policy, or else the project's, as a whole.
pub fn retry_request<'a>(spec: &'a Spec, rules: Rules<'a>) -> Option<&'a RetryRequest> {
    let of_project = || rules.project?.defaults.retry.as_ref();
    spec.retry.as_ref().or_else(of_project)
}

fn retry(spec: &Spec, rules: Rules<'_>, pods: [&PodSpec; 2]) -> RetryPolicy {
    let policy = retry_policy(retry_request(spec, rules));
    RetryPolicy {
        max_memory_bytes: max_memory_bytes(
            policy.max_memory_bytes,
            policy_memory_bytes(rules),
            largest_bytes(spec, pods),
        ),
        ..policy
    }
}

/// A policy with every default, before anything limits its memory; without any there is one
/// attempt.
pub fn retry_policy(said: Option<&RetryRequest>) -> RetryPolicy {
    let once = RetryRequest {
        max_attempts: 1,
        ..RetryRequest::default()
    };
    let said = said.unwrap_or(&once);
    let or = |said: u32, default: u32| if said == 0 { default } else { said };
    RetryPolicy {
        max_attempts: or(said.max_attempts, DEFAULT_ATTEMPTS),
        categories: if said.categories.is_empty() {
            CURABLE.to_vec()
        } else {
            said.categories.clone()
        },
        initial_backoff_seconds: said.initial_backoff_seconds.unwrap_or(10),
        max_backoff_seconds: said.max_backoff_seconds.unwrap_or(600),
        memory_growth_percent: or(said.memory_growth_percent, 150),
        max_memory_bytes: said.max_memory_bytes,
    }
}

/// The strictest policy's limit on the memory of a pod.
fn policy_memory_bytes(rules: Rules<'_>) -> Option<u64> {
    let limit = |policy: &OverridePolicy| policy.max_pod_memory_bytes;
    let of_project = rules.project.map(|project| limit(&project.policy));
    let of_cluster = rules.cluster.map(|cluster| limit(&cluster.settings.policy));
    let limits = [of_project, of_cluster].into_iter().flatten();
    limits.filter(|limit| *limit > 0).min()
}

/// A policy's limit holds where it is stricter than what was said, which 0 makes twice the first
/// size.
fn max_memory_bytes(said: u64, policy: Option<u64>, largest: u64) -> u64 {
    match (said, policy) {
        (said, None) => said,
        (0, Some(limit)) if largest.saturating_mul(2) <= limit => 0,
        (0, Some(limit)) => limit,
        (said, Some(limit)) => said.min(limit),
    }
}

fn largest_bytes(spec: &Spec, pods: [&PodSpec; 2]) -> u64 {
    let bytes = pods.map(|pod| ContainerSize::of(spec.language, pod).memory_bytes());
    bytes[0].max(bytes[1])
}

#[cfg(test)]
mod tests;
