//! A request's spec, back to the wire.

use std::collections::BTreeMap;

use moka_proto::submission::v1 as wire;
use prost_types::Duration;

use super::{architecture, category, count, signed};
use crate::domain::spec::{
    Deadlines, Dependencies, DynamicAllocation, ExecutorSpec, Language, PodSpec, RetryRequest,
    SecretVariable, Spec, Tier, Volume, VolumeSource,
};

pub(in crate::api) fn spec(spec: Spec) -> wire::ApplicationSpec {
    let volumes = spec.volumes.into_iter().map(volume).collect();
    wire::ApplicationSpec {
        r#type: language(spec.language).into(),
        image: spec.image,
        main_application_file: spec.main_application_file,
        main_class: spec.main_class.unwrap_or_default(),
        arguments: spec.arguments,
        spark_version: spec.spark_version,
        spark_conf: spec.spark_conf,
        driver: spec.driver.map(driver),
        executor: spec.executor.map(executor),
        queue: spec.queue,
        environment: spec.environment,
        sql_statements: spec.sql_statements,
        dependencies: (!spec.dependencies.is_empty()).then(|| dependencies(spec.dependencies)),
        dynamic_allocation: spec.dynamic_allocation.map(dynamic_allocation),
        secret_environment: spec.secret_environment.into_iter().map(secret).collect(),
        volumes,
        service_account: spec.service_account,
        architectures: spec
            .architectures
            .into_iter()
            .map(|one| architecture(one).into())
            .collect(),
        image_by_architecture: spec
            .image_by_architecture
            .into_iter()
            .map(|(architecture, image)| (architecture.as_str().to_owned(), image))
            .collect(),
        shuffle_profile: spec.shuffle_profile,
        tags: spec.tags,
        labels: spec.labels,
        owner: spec.owner,
        workflow: spec.workflow,
        run: spec.run,
        tier: tier(spec.tier).into(),
        deadlines: deadlines(spec.deadlines),
        retry: spec.retry.map(retry),
    }
}

pub(super) fn driver(pod: PodSpec) -> wire::DriverSpec {
    wire::DriverSpec {
        cores: count(pod.cores),
        cpu_request_millicores: pod.cpu_request_millicores.into(),
        memory_bytes: signed(pod.memory_bytes),
        memory_overhead_bytes: signed(pod.memory_overhead_bytes),
        extended_resources: quantities(pod.extended_resources),
    }
}

pub(super) fn executor(executor: ExecutorSpec) -> wire::ExecutorSpec {
    let ExecutorSpec { instances, pod } = executor;
    wire::ExecutorSpec {
        instances: count(instances),
        cores: count(pod.cores),
        cpu_request_millicores: pod.cpu_request_millicores.into(),
        memory_bytes: signed(pod.memory_bytes),
        memory_overhead_bytes: signed(pod.memory_overhead_bytes),
        extended_resources: quantities(pod.extended_resources),
    }
}

fn quantities(resources: BTreeMap<String, u32>) -> BTreeMap<String, i64> {
    let wide = |(name, quantity): (String, u32)| (name, i64::from(quantity));
    resources.into_iter().map(wide).collect()
}

fn dependencies(dependencies: Dependencies) -> wire::Dependencies {
    let Dependencies {
        jars,
        files,
        py_files,
        archives,
        packages,
        exclude_packages,
        repositories,
    } = dependencies;
    wire::Dependencies {
        jars,
        files,
        py_files,
        archives,
        packages,
        exclude_packages,
        repositories,
    }
}

fn dynamic_allocation(dynamic: DynamicAllocation) -> wire::DynamicAllocation {
    wire::DynamicAllocation {
        min_executors: count(dynamic.min_executors),
        max_executors: count(dynamic.max_executors),
        initial_executors: count(dynamic.initial_executors),
        idle_timeout: dynamic.idle_timeout_seconds.map(seconds),
    }
}

fn secret(variable: SecretVariable) -> wire::SecretVariable {
    let SecretVariable { name, secret, key } = variable;
    wire::SecretVariable { name, secret, key }
}

fn volume(volume: Volume) -> wire::Volume {
    let pods = match (volume.in_driver, volume.in_executors) {
        (true, false) => wire::VolumePods::Driver,
        (false, _) => wire::VolumePods::Executors,
        (true, true) => wire::VolumePods::Unspecified,
    };
    wire::Volume {
        name: volume.name,
        mount_path: volume.mount_path,
        sub_path: volume.sub_path,
        read_only: volume.read_only,
        pods: pods.into(),
        source: Some(source(volume.source)),
    }
}

fn source(source: VolumeSource) -> wire::volume::Source {
    match source {
        VolumeSource::EmptyDirectory {
            size_limit_bytes,
            in_memory,
        } => wire::volume::Source::EmptyDirectory(wire::EmptyDirectory {
            size_limit_bytes: signed(size_limit_bytes),
            in_memory,
        }),
        VolumeSource::ConfigMap(name) => wire::volume::Source::ConfigMap(name),
        VolumeSource::Secret(name) => wire::volume::Source::Secret(name),
        VolumeSource::PersistentVolumeClaim(name) => {
            wire::volume::Source::PersistentVolumeClaim(name)
        }
        VolumeSource::HostPath(path) => wire::volume::Source::HostPath(path),
    }
}

pub(super) fn tier(tier: Option<Tier>) -> wire::Tier {
    match tier {
        None => wire::Tier::Unspecified,
        Some(Tier::One) => wire::Tier::Tier1,
        Some(Tier::Two) => wire::Tier::Tier2,
        Some(Tier::Three) => wire::Tier::Tier3,
    }
}

pub(super) fn deadlines(deadlines: Deadlines) -> Option<wire::Deadlines> {
    let Deadlines {
        queue_seconds,
        run_seconds,
        total_seconds,
    } = deadlines;
    (!deadlines.is_empty()).then(|| wire::Deadlines {
        queue: queue_seconds.map(seconds),
        run: run_seconds.map(seconds),
        total: total_seconds.map(seconds),
    })
}

pub(super) fn retry(retry: RetryRequest) -> wire::RetryPolicy {
    let categories = retry.categories.into_iter();
    wire::RetryPolicy {
        max_attempts: count(retry.max_attempts),
        categories: categories.map(|one| category(one).into()).collect(),
        initial_backoff: retry.initial_backoff_seconds.map(seconds),
        max_backoff: retry.max_backoff_seconds.map(seconds),
        memory_growth_percent: count(retry.memory_growth_percent),
        max_memory_bytes: signed(retry.max_memory_bytes),
    }
}

pub(in crate::api) fn seconds(seconds: u32) -> Duration {
    Duration {
        seconds: seconds.into(),
        nanos: 0,
    }
}

fn language(language: Language) -> wire::ApplicationType {
    match language {
        Language::Python => wire::ApplicationType::Python,
        Language::Java => wire::ApplicationType::Java,
        Language::Scala => wire::ApplicationType::Scala,
        Language::R => wire::ApplicationType::R,
        Language::Sql => wire::ApplicationType::Sql,
    }
}

#[cfg(test)]
mod tests {
    use moka_rpc::Violations;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::spec::{any::any_spec, parse};

    proptest! {
        #[test]
        fn a_spec_comes_back_as_it_was_said(wire in any_spec()) {
            let mut violations = Violations::new();
            let parsed = parse(&mut violations, &wire).unwrap();
            prop_assert!(violations.is_empty());
            let again = parse(&mut violations, &spec(parsed.clone())).unwrap();
            prop_assert!(violations.is_empty());
            prop_assert_eq!(&again, &parsed);
            let stored = serde_json::to_string(&parsed).unwrap();
            prop_assert_eq!(serde_json::from_str::<Spec>(&stored).unwrap(), parsed);
        }
    }
}
