//! Sizes of pods.

use std::{collections::BTreeMap, ops::RangeInclusive};

use moka_proto::submission::v1::{DriverSpec, ExecutorSpec as WireExecutorSpec};
use moka_rpc::Violations;

use super::{
    labels::is_qualified_name,
    text::{at_most, entry},
};
use crate::domain::spec::{ExecutorSpec, PodSpec};

pub(super) const CORES: RangeInclusive<i32> = 1..=64;
pub(super) const CPU_MILLICORES: RangeInclusive<i64> = 10..=64_000;
pub(super) const INSTANCES: RangeInclusive<i32> = 1..=10_000;
const MIB: i64 = 1024 * 1024;
pub(super) const HEAP_BYTES: RangeInclusive<i64> = 512 * MIB..=1024 * 1024 * MIB;
const OVERHEAD_BYTES: RangeInclusive<i64> = 0..=1024 * 1024 * MIB;
pub(super) const MOST_EXTENDED_RESOURCES: usize = 8;
pub(super) const EXTENDED_QUANTITY: RangeInclusive<i64> = 1..=1024;

/// Who says how many executors there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain) enum Instances {
    /// Their own spec.
    Fixed,
    /// Dynamic allocation.
    Dynamic,
}

/// The driver's pod.
pub(in crate::domain) fn driver(
    violations: &mut Violations,
    path: &str,
    pod: &DriverSpec,
) -> PodSpec {
    if pod.cores != 0 {
        violations.range(&format!("{path}.cores"), &pod.cores, &CORES);
    }
    if pod.cpu_request_millicores != 0 {
        let field = format!("{path}.cpu_request_millicores");
        violations.range(&field, &pod.cpu_request_millicores, &CPU_MILLICORES);
    }
    for (name, bytes, allowed) in [
        ("memory_bytes", pod.memory_bytes, &HEAP_BYTES),
        (
            "memory_overhead_bytes",
            pod.memory_overhead_bytes,
            &OVERHEAD_BYTES,
        ),
    ] {
        memory(violations, &format!("{path}.{name}"), bytes, allowed);
    }
    let field = format!("{path}.extended_resources");
    PodSpec {
        cores: pod.cores.unsigned_abs(),
        cpu_request_millicores: u32::try_from(pod.cpu_request_millicores).unwrap_or_default(),
        memory_bytes: pod.memory_bytes.unsigned_abs(),
        memory_overhead_bytes: pod.memory_overhead_bytes.unsigned_abs(),
        extended_resources: extended_resources(violations, &field, &pod.extended_resources),
    }
}

/// The executors' pods.
pub(in crate::domain) fn executor(
    violations: &mut Violations,
    path: &str,
    executor: &WireExecutorSpec,
    instances: Instances,
) -> ExecutorSpec {
    let field = format!("{path}.instances");
    match instances {
        Instances::Fixed => violations.range(&field, &executor.instances, &INSTANCES),
        Instances::Dynamic if executor.instances != 0 => {
            violations.add(field, "must be 0 with spec.dynamic_allocation");
        }
        Instances::Dynamic => {}
    }
    let as_pod = DriverSpec {
        cores: executor.cores,
        cpu_request_millicores: executor.cpu_request_millicores,
        memory_bytes: executor.memory_bytes,
        memory_overhead_bytes: executor.memory_overhead_bytes,
        extended_resources: executor.extended_resources.clone(),
    };
    ExecutorSpec {
        instances: executor.instances.unsigned_abs(),
        pod: driver(violations, path, &as_pod),
    }
}

fn memory(violations: &mut Violations, field: &str, bytes: i64, allowed: &RangeInclusive<i64>) {
    violations.range(field, &bytes, allowed);
    if bytes % MIB != 0 {
        violations.add(field, "must be a whole number of MiB (1,048,576 bytes)");
    }
}

/// Kubernetes gives only whole units of resources that have a vendor's domain before their name.
fn extended_resources(
    violations: &mut Violations,
    field: &str,
    resources: &BTreeMap<String, i64>,
) -> BTreeMap<String, u32> {
    at_most(violations, field, resources.len(), MOST_EXTENDED_RESOURCES);
    for (name, quantity) in resources.iter().take(MOST_EXTENDED_RESOURCES) {
        let path = entry(field, name);
        violations.range(&path, quantity, &EXTENDED_QUANTITY);
        let of_kubernetes =
            |domain: &str| domain == "kubernetes.io" || domain.ends_with(".kubernetes.io");
        let is_extended = name
            .split_once('/')
            .is_some_and(|(domain, _)| is_qualified_name(name) && !of_kubernetes(domain));
        if !is_extended {
            violations.add(path, "must be an extended resource such as nvidia.com/gpu");
        }
    }
    let checked =
        |(name, quantity): (&String, &i64)| Some((name.clone(), u32::try_from(*quantity).ok()?));
    resources.iter().filter_map(checked).collect()
}
