//! The applications of the demo and of the tests beside it.

use moka_proto::submission::v1::{
    ApplicationSpec, ApplicationType, DriverSpec, ExecutorSpec, SubmitApplicationRequest,
};

const MEBIBYTE: i64 = 1024 * 1024;

/// A report over real event logs; it succeeds.
pub fn report(image: &str, key: &str) -> SubmitApplicationRequest {
    request(
        image,
        key,
        "event log report",
        "local:///opt/moka/examples/report.py",
    )
}

/// A data check that finds a bad order; it fails with a `ValueError`.
pub fn broken_orders(image: &str, key: &str) -> SubmitApplicationRequest {
    request(
        image,
        key,
        "broken orders",
        "local:///opt/moka/examples/broken_orders.py",
    )
}

/// A driver whose log the kubelet rotates again and again; it succeeds.
pub fn chatty_driver(image: &str, key: &str) -> SubmitApplicationRequest {
    request(
        image,
        key,
        "chatty driver",
        "local:///opt/moka/examples/chatty_driver.py",
    )
}

/// One small driver and two small executors, because the whole cluster is one small machine.
fn request(image: &str, key: &str, name: &str, file: &str) -> SubmitApplicationRequest {
    SubmitApplicationRequest {
        project: "demo".to_owned(),
        idempotency_key: key.to_owned(),
        try_number: 0,
        display_name: name.to_owned(),
        spec: Some(ApplicationSpec {
            r#type: ApplicationType::Python.into(),
            image: image.to_owned(),
            main_application_file: file.to_owned(),
            spark_version: "4.0.1".to_owned(),
            spark_conf: [
                // The same jobs and stages each time, whatever the sizes of the data turn out to
                // be.
                ("spark.sql.adaptive.enabled", "false"),
                ("spark.sql.shuffle.partitions", "4"),
                // The application's own lines, not Spark's.
                ("spark.log.level", "WARN"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
            driver: Some(DriverSpec {
                cores: 1,
                cpu_request_millicores: 100,
                memory_bytes: 512 * MEBIBYTE,
                ..DriverSpec::default()
            }),
            executor: Some(ExecutorSpec {
                instances: 2,
                cores: 1,
                cpu_request_millicores: 100,
                memory_bytes: 512 * MEBIBYTE,
                ..ExecutorSpec::default()
            }),
            queue: "root.demo".to_owned(),
            ..ApplicationSpec::default()
        }),
    }
}
