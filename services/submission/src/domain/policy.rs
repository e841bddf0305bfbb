//! What a request may not do under a policy.

use moka_core::{ErrorReason, FieldViolation, PublicError};

use super::{
    launch_spec::LaunchSpec,
    resolve::DEFAULT_ATTEMPTS,
    rules::OverridePolicy,
    sizing::ContainerSize,
    spec::{Language, PodSpec, Spec, Tier, VolumeSource, parse::entry},
};

/// What breaks a policy: the fields, and the rules with their limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy does not allow {}", fields(.0))]
pub struct PolicyViolation(pub Vec<FieldViolation>);

fn fields(violations: &[FieldViolation]) -> String {
    let fields: Vec<_> = violations.iter().map(|one| one.field.as_str()).collect();
    fields.join(", ")
}

impl From<PolicyViolation> for PublicError {
    fn from(violation: PolicyViolation) -> Self {
        Self {
            violations: violation.0.clone(),
            ..Self::new(ErrorReason::PolicyViolation, violation.to_string())
        }
    }
}

/// Checks what a request itself says under its project's policy. What it leaves to defaults is the
/// project's own business.
///
/// # Errors
///
/// [`PolicyViolation`] with every field that is at fault.
pub fn check_policy(spec: &Spec, policy: &OverridePolicy) -> Result<(), PolicyViolation> {
    let asked = Asked {
        images: std::iter::once(&spec.image)
            .chain(spec.image_by_architecture.values())
            .filter(|image| !image.is_empty())
            .collect(),
        service_account: &spec.service_account,
        queue: &spec.queue,
        executors: spec
            .dynamic_allocation
            .map(|dynamic| dynamic.max_executors)
            .or_else(|| Some(spec.executor.as_ref()?.instances))
            .unwrap_or_default(),
        driver: spec.driver.as_ref(),
        executor: spec.executor.as_ref().map(|executor| &executor.pod),
        attempts: spec
            .retry
            .as_ref()
            .map_or(1, |retry| match retry.max_attempts {
                0 => DEFAULT_ATTEMPTS,
                attempts => attempts,
            }),
        tier: spec.tier,
    };
    check(spec, &asked, policy)
}

/// Checks what an attempt would be launched with under a cluster's policy: what comes from
/// somebody's defaults must keep to it too, but for the settings and variables that only requests
/// may not have.
///
/// # Errors
///
/// [`PolicyViolation`] with every field that is at fault.
pub fn check_cluster_policy(
    spec: &Spec,
    launch: &LaunchSpec,
    policy: &OverridePolicy,
) -> Result<(), PolicyViolation> {
    let asked = Asked {
        images: vec![&launch.image],
        service_account: launch.service_account.as_deref().unwrap_or_default(),
        queue: &launch.queue,
        executors: super::sizing::most_executors(launch),
        driver: Some(&launch.driver),
        executor: Some(&launch.executor.pod),
        attempts: launch.retry.max_attempts,
        tier: Some(launch.tier),
    };
    check(spec, &asked, policy)
}

/// What is asked for, by a request alone or with its defaults.
struct Asked<'a> {
    images: Vec<&'a String>,
    service_account: &'a str,
    queue: &'a str,
    executors: u32,
    driver: Option<&'a PodSpec>,
    executor: Option<&'a PodSpec>,
    attempts: u32,
    tier: Option<Tier>,
}

fn check(spec: &Spec, asked: &Asked<'_>, policy: &OverridePolicy) -> Result<(), PolicyViolation> {
    let mut found = Found::default();
    found.locked(spec, policy);
    found.places(spec, asked, policy);
    found.sizes(spec.language, asked, policy);
    if found.0.is_empty() {
        Ok(())
    } else {
        Err(PolicyViolation(found.0))
    }
}

#[derive(Default)]
struct Found(Vec<FieldViolation>);

impl Found {
    fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(FieldViolation {
            field: field.into(),
            description: description.into(),
        });
    }

    fn locked(&mut self, spec: &Spec, policy: &OverridePolicy) {
        const LOCKED: &str = "is locked by the policy";
        for key in spec.spark_conf.keys() {
            let matches = |pattern: &String| match pattern.strip_suffix('*') {
                Some(prefix) => key.starts_with(prefix),
                None => key == pattern,
            };
            if policy.locked_spark_conf.iter().any(matches) {
                self.add(entry("spec.spark_conf", key), LOCKED);
            }
        }
        for name in spec.environment.keys() {
            if policy.locked_environment.contains(name) {
                self.add(entry("spec.environment", name), LOCKED);
            }
        }
        for (index, variable) in spec.secret_environment.iter().enumerate() {
            if policy.locked_environment.contains(&variable.name) {
                self.add(format!("spec.secret_environment[{index}].name"), LOCKED);
            }
        }
    }

    fn places(&mut self, spec: &Spec, asked: &Asked<'_>, policy: &OverridePolicy) {
        let prefixes = &policy.image_prefixes;
        let allowed = |image: &&String| {
            prefixes.is_empty() || prefixes.iter().any(|prefix| image.starts_with(prefix))
        };
        if !asked.images.iter().all(allowed) {
            let rule = format!("must begin with {}", prefixes.join(" or "));
            self.add("spec.image", rule);
        }
        let accounts = &policy.service_accounts;
        let account = asked.service_account;
        if !accounts.is_empty() && !account.is_empty() && !accounts.iter().any(|one| one == account)
        {
            self.add(
                "spec.service_account",
                format!("must be {}", accounts.join(" or ")),
            );
        }
        let queues = &policy.queues;
        let within = |queue: &String| is_below(asked.queue, queue, '.');
        if !queues.is_empty() && !asked.queue.is_empty() && !queues.iter().any(within) {
            let rule = format!("must be one of, or below, {}", queues.join(", "));
            self.add("spec.queue", rule);
        }
        for (index, volume) in spec.volumes.iter().enumerate() {
            let VolumeSource::HostPath(path) = &volume.source else {
                continue;
            };
            let prefixes = &policy.host_path_prefixes;
            if !prefixes.iter().any(|prefix| is_below(path, prefix, '/')) {
                let rule = if prefixes.is_empty() {
                    "directories of nodes are not allowed".to_owned()
                } else {
                    format!("must be one of, or below, {}", prefixes.join(", "))
                };
                self.add(format!("spec.volumes[{index}].host_path"), rule);
            }
        }
    }

    fn sizes(&mut self, language: Language, asked: &Asked<'_>, policy: &OverridePolicy) {
        let mut most = |field: &str, what: &str, asked: u64, limit: u64| {
            if limit > 0 && asked > limit {
                self.add(field, format!("must be at most {limit} {what}, is {asked}"));
            }
        };
        most(
            "spec.executor.instances",
            "executors",
            asked.executors.into(),
            policy.max_executors.into(),
        );
        most(
            "spec.retry.max_attempts",
            "attempts",
            asked.attempts.into(),
            policy.max_attempts.into(),
        );
        for (field, pod) in [
            ("spec.driver.memory_bytes", asked.driver),
            ("spec.executor.memory_bytes", asked.executor),
        ] {
            let bytes = pod.map_or(0, |pod| ContainerSize::of(language, pod).memory_bytes());
            most(
                field,
                "bytes with what is beside the heap",
                bytes,
                policy.max_pod_memory_bytes,
            );
        }
        let (Some(best), Some(tier)) = (policy.best_tier, asked.tier) else {
            return;
        };
        if tier < best {
            let rule = format!("must be tier {} or one after it", best.number());
            self.add("spec.tier", rule);
        }
    }
}

/// Whether a path is another one or below it.
fn is_below(path: &str, other: &str, separator: char) -> bool {
    path.strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
}

#[cfg(test)]
mod tests;
