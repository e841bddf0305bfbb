//! `sparkConf`: the caller's settings and the platform's.

use std::collections::BTreeMap;

use moka_core::AttemptName;

use super::{
    super::{launch_spec::LiveUi, sizing::ContainerSize},
    Launch,
};

/// Where the driver's event-log directory is inside its container.
pub(super) const EVENT_LOG_DIRECTORY: &str = "/var/log/moka/events";

const SERVLET: &str = "spark.metrics.conf.*.sink.prometheusServlet";

/// The platform's settings win; the caller's were checked to be others.
///
/// `spark.metrics.namespace` stays Spark's default, its own application id: metrics-exporter lifts
/// that id out of the names.
pub(super) fn spark_conf(
    launch: &Launch<'_>,
    driver: ContainerSize,
    executor: ContainerSize,
) -> BTreeMap<String, String> {
    let Launch {
        name,
        placement,
        spec,
        ..
    } = *launch;
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
        ("spark.ui.enabled", "true".to_owned()),
        ("spark.ui.port", spec.live_ui.port.to_string()),
        ("spark.ui.prometheus.enabled", "true".to_owned()),
        (
            &format!("{SERVLET}.class"),
            "org.apache.spark.metrics.sink.PrometheusServlet".to_owned(),
        ),
        (&format!("{SERVLET}.path"), "/metrics/prometheus".to_owned()),
    ];
    conf.extend(own.map(|(key, value)| (key.to_owned(), value)));
    conf.extend(proxy(&spec.live_ui, name));
    match spec.dynamic_allocation {
        // The gang was sized for a fixed number of executors.
        None => {
            conf.insert(
                "spark.dynamicAllocation.enabled".to_owned(),
                "false".to_owned(),
            );
        }
        Some(dynamic) => {
            let idle = dynamic.idle_timeout_seconds.map(|seconds| {
                let key = "spark.dynamicAllocation.executorIdleTimeout";
                (key.to_owned(), format!("{seconds}s"))
            });
            conf.extend(idle);
        }
    }
    conf
}

/// What the interface must know to write links that work from outside: the path and the origin of
/// its address there.
fn proxy(live_ui: &LiveUi, name: AttemptName) -> Vec<(String, String)> {
    let Some(url) = live_ui.url(name) else {
        return Vec::new();
    };
    let scheme_end = url.find("://").map_or(0, |at| at + "://".len());
    let path_start = url[scheme_end..]
        .find('/')
        .map_or(url.len(), |at| scheme_end + at);
    let (origin, path) = url.split_at(path_start);
    let path = path.trim_end_matches('/');
    let mut settings = vec![("spark.ui.proxyRedirectUri".to_owned(), origin.to_owned())];
    if !path.is_empty() {
        settings.push(("spark.ui.proxyBase".to_owned(), path.to_owned()));
    }
    settings
}
