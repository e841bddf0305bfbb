//! How large an application's pods are.

use moka_core::PodSize;

use super::{
    launch_spec::LaunchSpec,
    spec::{Language, PodSpec},
};

const MIB: u64 = 1024 * 1024;
/// Spark never reserves less beside the heap (`spark.driver.minMemoryOverhead`).
const LEAST_OVERHEAD_MIB: u64 = 384;

/// What the metrics sidecar asks for, in the driver's pod.
pub const SIDECAR: PodSize = PodSize {
    cpu_millicores: 10,
    memory_bytes: 32 * 1024 * 1024,
};

/// What one Spark container asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerSize {
    /// Cores that Spark believes to have.
    pub cores: u32,
    /// CPU to ask for.
    pub cpu_millicores: u32,
    /// The heap.
    pub heap_mib: u64,
    /// What is beside the heap.
    pub overhead_mib: u64,
}

impl ContainerSize {
    /// Resolves the defaults of a pod's spec.
    pub fn of(language: Language, pod: &PodSpec) -> Self {
        let cores = pod.cores.max(1);
        let cpu_millicores = match pod.cpu_request_millicores {
            0 => cores * 1000,
            millicores => millicores,
        };
        let heap_mib = pod.memory_bytes / MIB;
        let overhead_mib = match pod.memory_overhead_bytes {
            0 => overhead_by_rule(language, heap_mib),
            bytes => bytes / MIB,
        };
        Self {
            cores,
            cpu_millicores,
            heap_mib,
            overhead_mib,
        }
    }

    /// The heap and what is beside it.
    pub fn memory_bytes(self) -> u64 {
        (self.heap_mib + self.overhead_mib) * MIB
    }

    /// The whole container as a pod's size.
    pub fn pod_size(self) -> PodSize {
        PodSize {
            cpu_millicores: self.cpu_millicores.into(),
            memory_bytes: i64::try_from(self.memory_bytes()).unwrap_or(i64::MAX),
        }
    }
}

/// Spark's rule: a tenth of the heap, two fifths when another interpreter runs beside the JVM.
/// <https://spark.apache.org/docs/4.0.1/running-on-kubernetes.html> (`memoryOverheadFactor`)
fn overhead_by_rule(language: Language, heap_mib: u64) -> u64 {
    let share = match language {
        Language::Python | Language::R | Language::Sql => heap_mib * 2 / 5,
        Language::Java | Language::Scala => heap_mib / 10,
    };
    share.max(LEAST_OVERHEAD_MIB)
}

/// The driver's whole pod.
pub fn driver_pod(spec: &LaunchSpec, with_sidecar: bool) -> PodSize {
    let container = ContainerSize::of(spec.language, &spec.driver).pod_size();
    if with_sidecar {
        container + SIDECAR
    } else {
        container
    }
}

/// One executor's whole pod.
pub fn executor_pod(spec: &LaunchSpec) -> PodSize {
    ContainerSize::of(spec.language, &spec.executor.pod).pod_size()
}

/// How many executors start together with the driver.
pub fn initial_executors(spec: &LaunchSpec) -> u32 {
    spec.dynamic_allocation
        .map_or(spec.executor.instances, |dynamic| dynamic.initial_executors)
}

/// The most executors that there may be at a time.
pub fn most_executors(spec: &LaunchSpec) -> u32 {
    spec.dynamic_allocation
        .map_or(spec.executor.instances, |dynamic| dynamic.max_executors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(memory_mib: u64, overhead_mib: u64, cores: u32, cpu_request_millicores: u32) -> PodSpec {
        PodSpec {
            cores,
            cpu_request_millicores,
            memory_bytes: memory_mib * MIB,
            memory_overhead_bytes: overhead_mib * MIB,
            extended_resources: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn overhead_follows_sparks_rule_unless_given() {
        for (language, heap, given, expected) in [
            (Language::Python, 512, 0, 384),
            (Language::Python, 960, 0, 384),
            (Language::Python, 1024, 0, 409),
            (Language::R, 10_240, 0, 4096),
            (Language::Java, 1024, 0, 384),
            (Language::Scala, 10_240, 0, 1024),
            (Language::Python, 512, 1, 1),
        ] {
            let size = ContainerSize::of(language, &pod(heap, given, 0, 0));
            assert_eq!(size.overhead_mib, expected, "{language:?} {heap} {given}");
        }
    }

    #[test]
    fn cpu_is_a_thousand_for_each_core_unless_given() {
        for (cores, given, expected) in [(0, 0, 1000), (3, 0, 3000), (3, 100, 100)] {
            let size = ContainerSize::of(Language::Java, &pod(512, 0, cores, given));
            assert_eq!(size.pod_size().cpu_millicores, expected);
        }
    }

    #[test]
    fn the_sidecar_is_part_of_the_drivers_pod() {
        let spec = crate::domain::submission::tests::launch_spec();
        let (with, without) = (driver_pod(&spec, true), driver_pod(&spec, false));
        assert_eq!(with, without + SIDECAR);
        assert_eq!(without.memory_bytes, (512 + 384) * 1024 * 1024);
    }
}
