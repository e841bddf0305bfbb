use jiff::Timestamp;

use super::*;
use crate::domain::{
    application::{Placement, PodMetadata},
    lifecycle::{Happening, apply},
    submission::tests::{application, launch_spec},
};

fn settings(exporter: bool) -> ManifestSettings {
    ManifestSettings {
        service_account: "spark".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        event_log_host_path: "/var/lib/moka/events".to_owned(),
        exporter: exporter.then(|| ExporterSettings {
            image: "registry.example/moka-metrics-exporter:0.1.0".to_owned(),
            tsdb_port: 18126,
        }),
    }
}

fn placed() -> Application {
    let mut application = application();
    let pod = |role: &str| PodMetadata {
        labels: [("applicationId".to_owned(), "m01".to_owned())].into(),
        annotations: [(
            "yunikorn.apache.org/task-group-name".to_owned(),
            role.to_owned(),
        )]
        .into(),
    };
    let placement = Placement {
        cluster: "local".to_owned(),
        queue: "root.demo".to_owned(),
        namespace: "spark-jobs".to_owned(),
        scheduler_name: "yunikorn".to_owned(),
        driver: pod("spark-driver"),
        executor: pod("spark-executor"),
    };
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    apply(
        &mut application,
        &Happening::Placed {
            attempt_number: 1,
            placement,
            launch: Box::new(launch_spec()),
        },
        now,
    );
    application
}

fn manifest(application: &Application, exporter: bool) -> Value {
    let attempt = application.attempt().unwrap();
    spark_application(
        application,
        attempt,
        attempt.launch.as_ref().unwrap(),
        &settings(exporter),
    )
}

#[test]
fn a_python_application_with_a_sidecar() {
    insta::assert_json_snapshot!("python-with-sidecar", manifest(&placed(), true));
}

#[test]
fn a_scala_application_without_a_sidecar() {
    let mut application = placed();
    let spec = application.attempts[0].launch.as_mut().unwrap();
    spec.language = crate::domain::spec::Language::Scala;
    spec.main_class = Some("example.Main".to_owned());
    spec.environment.clear();
    insta::assert_json_snapshot!("scala-without-sidecar", manifest(&application, false));
}

#[test]
fn a_tombstone_starts_nothing() {
    let name = placed().attempt_name().unwrap();
    insta::assert_json_snapshot!("tombstone", tombstone(name, "spark-jobs"));
}

#[test]
fn the_sidecar_is_there_exactly_with_an_image() {
    let application = placed();
    let init_containers = |exporter| {
        manifest(&application, exporter)["spec"]["driver"]["template"]["spec"]["initContainers"]
            .clone()
    };
    assert_eq!(init_containers(false), Value::Null);
    assert_eq!(init_containers(true)[0]["restartPolicy"], "Always");
}

#[test]
fn the_operators_own_batch_scheduling_stays_off() {
    assert_eq!(
        manifest(&placed(), true)["spec"]["batchScheduler"],
        Value::Null
    );
}
