//! Spark settings that the platform writes itself, because a caller's value would break identity,
//! placement, the event log, metrics or the size that the queue was asked for.

use std::collections::BTreeMap;

/// A setting is owned when it has one of these names …
const NAMES: &[&str] = &[
    // identity
    "spark.app.id",
    "spark.master",
    "spark.submit.deployMode",
    "spark.kubernetes.driver.pod.name",
    "spark.kubernetes.executor.podNamePrefix",
    "spark.kubernetes.namespace",
    "spark.kubernetes.driver.master",
    "spark.kubernetes.submission.waitAppCompletion",
    // placement
    "spark.kubernetes.scheduler.name",
    "spark.kubernetes.driver.scheduler.name",
    "spark.kubernetes.executor.scheduler.name",
    // size
    "spark.driver.cores",
    "spark.driver.memory",
    "spark.driver.memoryOverhead",
    "spark.driver.memoryOverheadFactor",
    "spark.driver.minMemoryOverhead",
    "spark.executor.cores",
    "spark.executor.instances",
    "spark.executor.memory",
    "spark.executor.memoryOverhead",
    "spark.executor.memoryOverheadFactor",
    "spark.executor.minMemoryOverhead",
    "spark.executor.pyspark.memory",
    "spark.kubernetes.memoryOverheadFactor",
    "spark.kubernetes.driver.request.cores",
    "spark.kubernetes.driver.limit.cores",
    "spark.kubernetes.executor.request.cores",
    "spark.kubernetes.executor.limit.cores",
    // metrics
    "spark.ui.enabled",
    "spark.ui.port",
    "spark.ui.prometheus.enabled",
    "spark.ui.proxyBase",
    "spark.ui.proxyRedirectUri",
    "spark.metrics.namespace",
];

/// … or begins with one of these.
const PREFIXES: &[&str] = &[
    "spark.eventLog.",
    "spark.dynamicAllocation.",
    "spark.memory.offHeap.",
    "spark.kubernetes.authenticate.",
    "spark.kubernetes.container.image",
    "spark.kubernetes.driver.container.image",
    "spark.kubernetes.executor.container.image",
    "spark.kubernetes.driver.podTemplate",
    "spark.kubernetes.executor.podTemplate",
    "spark.kubernetes.driver.label.",
    "spark.kubernetes.executor.label.",
    "spark.kubernetes.driver.annotation.",
    "spark.kubernetes.executor.annotation.",
    "spark.kubernetes.driver.volumes.",
    "spark.kubernetes.executor.volumes.",
    // what has a field of its own
    "spark.kubernetes.node.selector.",
    "spark.kubernetes.driver.node.selector.",
    "spark.kubernetes.executor.node.selector.",
    "spark.kubernetes.driverEnv.",
    "spark.executorEnv.",
    "spark.kubernetes.driver.secretKeyRef.",
    "spark.kubernetes.executor.secretKeyRef.",
    "spark.metrics.conf.*.sink.prometheusServlet.",
    "spark.metrics.conf.driver.sink.prometheusServlet.",
];

/// Whether only the platform may set this.
pub fn is_owned(key: &str) -> bool {
    NAMES.contains(&key) || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

/// Settings that keep a cluster well, below every default of a cluster, a project or a request.
pub fn defaults() -> BTreeMap<String, String> {
    let all = [
        // Drivers list their executors from the API server's cache instead of from etcd.
        (
            "spark.kubernetes.executor.enablePollingWithResourceVersion",
            "true",
        ),
    ];
    all.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sizes_and_event_logs_are_the_platforms() {
        for (key, owned) in [
            ("spark.eventLog.dir", true),
            ("spark.eventLog.enabled", true),
            ("spark.executor.memory", true),
            ("spark.kubernetes.scheduler.name", true),
            ("spark.kubernetes.executor.podNamePrefix", true),
            ("spark.dynamicAllocation.enabled", true),
            (
                "spark.kubernetes.driver.volumes.hostPath.x.mount.path",
                true,
            ),
            ("spark.executor.memoryFraction", false),
            ("spark.sql.shuffle.partitions", false),
            ("spark.hadoop.fs.s3a.endpoint", false),
        ] {
            assert_eq!(is_owned(key), owned, "{key}");
        }
    }
}
