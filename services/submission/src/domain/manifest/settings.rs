//! `sparkConf`: the caller's settings and the platform's.

use std::collections::BTreeMap;

use moka_core::AttemptName;

use super::super::{
    application::{Application, Attempt},
    launch_spec::LaunchSpec,
    sizing::ContainerSize,
};

/// Where the driver's event-log directory is inside its container.
pub(super) const EVENT_LOG_DIRECTORY: &str = "/var/log/moka/events";

const SERVLET: &str = "spark.metrics.conf.*.sink.prometheusServlet";

/// The platform's settings win; the caller's were checked to be others.
///
/// `spark.metrics.namespace` stays Spark's default, its own application id: metrics-exporter lifts
/// that id out of the names.
pub(super) fn spark_conf(
    application: &Application,
    attempt: &Attempt,
    spec: &LaunchSpec,
    driver: ContainerSize,
    executor: ContainerSize,
) -> BTreeMap<String, String> {
    let name = AttemptName::new(application.id, attempt.number);
    let placement = &attempt.placement;
    let mut conf = spec.spark_conf.clone();
    let own = [
        ("spark.kubernetes.executor.podNamePrefix", name.to_string()),
        ("spark.kubernetes.driver.pod.name", name.driver_pod()),
        (
            "spark.kubernetes.scheduler.name",
            placement.scheduler_name.clone(),
        ),
        (
            "spark.driver.memoryOverhead",
            format!("{}m", driver.overhead_mib),
        ),
        (
            "spark.executor.memoryOverhead",
            format!("{}m", executor.overhead_mib),
        ),
        // One plain file that only grows: Spark 4 would roll and compress it.
        ("spark.eventLog.enabled", "true".to_owned()),
        (
            "spark.eventLog.dir",
            format!("file://{EVENT_LOG_DIRECTORY}"),
        ),
        ("spark.eventLog.rolling.enabled", "false".to_owned()),
        ("spark.eventLog.compress", "false".to_owned()),
        // The gang was sized for this many executors.
        ("spark.dynamicAllocation.enabled", "false".to_owned()),
        ("spark.ui.enabled", "true".to_owned()),
        ("spark.ui.port", super::sidecar::UI_PORT.to_string()),
        ("spark.ui.prometheus.enabled", "true".to_owned()),
        (
            &format!("{SERVLET}.class"),
            "org.apache.spark.metrics.sink.PrometheusServlet".to_owned(),
        ),
        (&format!("{SERVLET}.path"), "/metrics/prometheus".to_owned()),
    ];
    conf.extend(own.map(|(key, value)| (key.to_owned(), value)));
    conf
}
