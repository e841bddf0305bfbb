//! The metrics sidecar of a driver.

use serde_json::{Value, json};

use super::{super::sizing::SIDECAR, ExporterSettings, Launch};

const SCRAPE_INTERVAL_SECONDS: u32 = 10;

/// A native sidecar: an init container that is restarted, so that it starts before Spark, and ends
/// with the pod instead of keeping it alive.
pub(super) fn container(launch: &Launch<'_>, exporter: &ExporterSettings) -> Value {
    // The driver's web interface has both Prometheus endpoints.
    let port = launch.spec.live_ui.port;
    let targets = ["/metrics/prometheus", "/metrics/executors/prometheus"]
        .map(|path| format!("http://127.0.0.1:{port}{path}"))
        .join(",");
    let tags = [
        ("application_id", launch.name.application_id.to_string()),
        ("attempt", launch.name.number.to_string()),
        ("project", launch.submission.project.clone()),
        ("queue", launch.placement.queue.clone()),
        ("cluster", launch.placement.cluster.clone()),
    ]
    .map(|(key, value)| format!("{key}={value}"))
    .join(",");
    json!({
        "name": "moka-metrics-exporter",
        "image": exporter.image,
        "restartPolicy": "Always",
        "env": [
            { "name": "HOST_IP", "valueFrom": { "fieldRef": { "fieldPath": "status.hostIP" } } },
            { "name": "MOKA_TARGETS", "value": targets },
            { "name": "MOKA_TSDB_ADDRESS", "value": format!("$(HOST_IP):{}", exporter.tsdb_port) },
            { "name": "MOKA_TAGS", "value": tags },
            { "name": "MOKA_LISTEN", "value": "0.0.0.0:7405" },
            { "name": "MOKA_INSECURE_LISTEN", "value": "true" },
            { "name": "MOKA_SCRAPE_INTERVAL_SECONDS", "value": SCRAPE_INTERVAL_SECONDS.to_string() },
        ],
        "resources": {
            "requests": {
                "cpu": format!("{}m", SIDECAR.cpu_millicores),
                "memory": SIDECAR.memory_bytes.to_string(),
            },
        },
    })
}
