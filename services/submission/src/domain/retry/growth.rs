//! More memory after an out of memory.

use super::super::{
    application::{Application, Attempt},
    exit::ExitCategory,
    launch_spec::LaunchSpec,
    sizing::ContainerSize,
    spec::{Language, PodSpec},
};

const MIB: u64 = 1024 * 1024;

/// Gives the next attempt's launch the memory that earlier attempts' ends ask for. `launch` is what
/// the request resolves to; nothing changes when no attempt ran out of memory.
pub fn grow(application: &Application, mut launch: LaunchSpec) -> LaunchSpec {
    let driver = Role {
        out_of_memory: ExitCategory::DriverOutOfMemory,
        pod: |launch| &launch.driver,
    };
    let executor = Role {
        out_of_memory: ExitCategory::ExecutorOutOfMemory,
        pod: |launch| &launch.executor.pod,
    };
    launch.driver = driver.next(&application.attempts, &launch);
    launch.executor.pod = executor.next(&application.attempts, &launch);
    launch
}

/// How the pods of a launch differ in memory from those of an earlier one, as the end of a
/// sentence; empty when they do not.
pub(super) fn difference(earlier: &LaunchSpec, launch: &LaunchSpec) -> String {
    type PodOf = fn(&LaunchSpec) -> &PodSpec;
    let roles: [(&str, PodOf); 2] = [
        ("driver", |launch| &launch.driver),
        ("executors", |launch| &launch.executor.pod),
    ];
    let sentence = roles.iter().filter_map(|(role, pod)| {
        let before = total_mib(earlier.language, pod(earlier));
        let now = total_mib(launch.language, pod(launch));
        (before != now).then(|| format!(", {role} with {now} MiB instead of {before} MiB"))
    });
    sentence.collect()
}

/// One kind of pod.
struct Role {
    out_of_memory: ExitCategory,
    pod: fn(&LaunchSpec) -> &PodSpec,
}

impl Role {
    fn next(&self, attempts: &[Attempt], launch: &LaunchSpec) -> PodSpec {
        let resolved = (self.pod)(launch);
        let mut launched = attempts.iter().filter_map(|attempt| {
            let launch = attempt.launch.as_ref()?;
            Some((attempt, launch))
        });
        let Some((_, first)) = launched.clone().next() else {
            return resolved.clone();
        };
        let ran_out = |attempt: &Attempt| {
            let exit = attempt.exit.as_ref();
            exit.is_some_and(|exit| exit.category == self.out_of_memory)
        };
        if !launched.clone().any(|(attempt, _)| ran_out(attempt)) {
            return resolved.clone();
        }
        let limit_mib = match launch.retry.max_memory_bytes {
            0 => 2 * total_mib(first.language, (self.pod)(first)),
            bytes => bytes / MIB,
        };
        let Some((last, last_launch)) = launched.next_back() else {
            return resolved.clone();
        };
        let mut size = ContainerSize::of(last_launch.language, (self.pod)(last_launch));
        if ran_out(last) {
            size = grown(size, launch.retry.memory_growth_percent, limit_mib);
        }
        let asked = ContainerSize::of(launch.language, resolved);
        if asked.heap_mib + asked.overhead_mib >= size.heap_mib + size.overhead_mib {
            return resolved.clone();
        }
        PodSpec {
            memory_bytes: size.heap_mib * MIB,
            memory_overhead_bytes: size.overhead_mib * MIB,
            ..resolved.clone()
        }
    }
}

/// Heap and what is beside it grow alike, and together not beyond the limit; a pod that is larger
/// already stays as it is.
fn grown(size: ContainerSize, percent: u32, limit_mib: u64) -> ContainerSize {
    let total_mib = size.heap_mib + size.overhead_mib;
    let wanted_mib = total_mib.saturating_mul(u64::from(percent.max(100))) / 100;
    let next_mib = wanted_mib.min(limit_mib).max(total_mib);
    let heap_mib = share(size.heap_mib, next_mib, total_mib);
    ContainerSize {
        heap_mib,
        overhead_mib: next_mib - heap_mib,
        ..size
    }
}

/// `part * next / total` without overflow.
fn share(part: u64, next: u64, total: u64) -> u64 {
    let scaled = u128::from(part) * u128::from(next) / u128::from(total.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

fn total_mib(language: Language, pod: &PodSpec) -> u64 {
    let size = ContainerSize::of(language, pod);
    size.heap_mib + size.overhead_mib
}
