//! The domain of submission without the rest of the service: a domain knows neither database nor
//! cluster nor store, and those take most of the time of a build.
#![allow(dead_code, reason = "the service uses what the targets do not")]

pub mod domain;

use moka_proto::submission::v1::{
    ApplicationSpec, ApplicationType, DriverSpec, ExecutorSpec, SubmitApplicationRequest,
};

/// A request that is accepted, from which the targets begin.
pub fn good_request() -> SubmitApplicationRequest {
    let memory_bytes = 1 << 30;
    SubmitApplicationRequest {
        project: "team-a".to_owned(),
        idempotency_key: "key".to_owned(),
        spec: Some(ApplicationSpec {
            r#type: ApplicationType::Python.into(),
            image: "registry.example/spark:4.0.1".to_owned(),
            main_application_file: "local:///opt/app/report.py".to_owned(),
            spark_version: "4.0.1".to_owned(),
            driver: Some(DriverSpec {
                memory_bytes,
                ..DriverSpec::default()
            }),
            executor: Some(ExecutorSpec {
                instances: 1,
                memory_bytes,
                ..ExecutorSpec::default()
            }),
            queue: "root.demo".to_owned(),
            ..ApplicationSpec::default()
        }),
        ..SubmitApplicationRequest::default()
    }
}
