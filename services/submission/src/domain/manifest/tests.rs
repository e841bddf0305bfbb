use std::collections::BTreeSet;

use jiff::Timestamp;
use moka_proto::submission::v1 as wire;
use proptest::prelude::*;
use wire::{VolumePods, volume::Source};

use super::*;
use crate::domain::{
    application::{Placement, PodMetadata},
    launch_spec::LiveUi,
    lifecycle::{Happening, apply},
    platform_settings::{self, is_owned},
    resolve::{Rules, architectures_to_try, resolve},
    rules::{Cluster, ClusterSettings, ClusterState},
    spec::{Tier, any::any_spec},
    submission::tests::{application, launch_spec, request},
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

/// The manifest of a request under the rules of a cluster that has everything.
fn golden(change: impl FnOnce(&mut wire::ApplicationSpec)) -> Value {
    let mut request = request();
    change(request.spec.as_mut().unwrap());
    let mut application = placed();
    application.submission = Submission::parse(&request).unwrap();
    let cluster = cluster();
    let architecture = architectures_to_try(&application.submission.spec)[0];
    let rules = Rules {
        cluster: Some(&cluster),
        architecture,
        ..Rules::default()
    };
    let launch = resolve(&application.submission.spec, rules).unwrap();
    application.attempts[0].launch = Some(launch);
    manifest(&application, true)
}

fn cluster() -> Cluster {
    let celeborn = [
        (
            "spark.shuffle.manager",
            "org.apache.spark.shuffle.celeborn.SparkShuffleManager",
        ),
        ("spark.shuffle.service.enabled", "false"),
        ("spark.celeborn.master.endpoints", "celeborn:9097"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    Cluster {
        name: "local".to_owned(),
        state: ClusterState::Active,
        settings: ClusterSettings {
            shuffle_profiles: [("celeborn".to_owned(), celeborn.into())].into(),
            priority_class_by_tier: [(Tier::One, "tier-1".to_owned())].into(),
            live_ui: Some(LiveUi {
                port: 4045,
                url_template: Some("https://ui.example/live/{application_id}-{attempt}".to_owned()),
            }),
            ..ClusterSettings::default()
        },
        revision: 1,
        create_time: Timestamp::UNIX_EPOCH,
        update_time: Timestamp::UNIX_EPOCH,
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_java_application_with_dependencies() {
    let manifest = golden(|spec| {
        spec.r#type = wire::ApplicationType::Java.into();
        spec.main_class = "example.Main".to_owned();
        spec.main_application_file = "s3a://apps/main.jar".to_owned();
        spec.dependencies = Some(wire::Dependencies {
            jars: strings(&["s3a://apps/a.jar", "s3a://apps/b.jar"]),
            files: strings(&["s3a://apps/settings.json"]),
            py_files: strings(&["s3a://apps/lib.zip"]),
            archives: strings(&["s3a://apps/data.tgz#data"]),
            packages: strings(&["org.example:lib:1.2.3"]),
            exclude_packages: strings(&["org.example:old"]),
            repositories: strings(&["https://repository.example/maven"]),
        });
    });
    insta::assert_json_snapshot!("java-with-dependencies", manifest);
}

#[test]
fn an_r_application_of_a_workflow() {
    let manifest = golden(|spec| {
        spec.r#type = wire::ApplicationType::R.into();
        spec.main_application_file = "local:///opt/app/report.R".to_owned();
        spec.owner = "ada@example.com".to_owned();
        spec.workflow = "nightly/report".to_owned();
        spec.run = "2026-11-21T00:00:00Z".to_owned();
        spec.tier = wire::Tier::Tier1.into();
        spec.tags = [("team".to_owned(), "growth".to_owned())].into();
        spec.labels = [
            ("cost.example/center".to_owned(), "42".to_owned()),
            ("app".to_owned(), "report".to_owned()),
        ]
        .into();
    });
    insta::assert_json_snapshot!("r-of-a-workflow", manifest);
}

#[test]
fn a_sql_application() {
    let manifest = golden(|spec| {
        spec.r#type = wire::ApplicationType::Sql.into();
        spec.main_application_file.clear();
        spec.arguments.clear();
        spec.sql_statements = strings(&["CREATE VIEW v AS SELECT 1 AS one", "SELECT * FROM v"]);
    });
    insta::assert_json_snapshot!("sql", manifest, {
        ".spec.driver.template.metadata.annotations[\"moka.dev/sql-runner\"]" => "(the runner)",
    });
    let annotations = &manifest["spec"]["driver"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations["moka.dev/sql-runner"], include_str!("run.py"));
}

#[test]
fn executors_that_come_and_go_and_shuffle_elsewhere() {
    let manifest = golden(|spec| {
        spec.executor.as_mut().unwrap().instances = 0;
        spec.dynamic_allocation = Some(wire::DynamicAllocation {
            min_executors: 1,
            max_executors: 20,
            initial_executors: 4,
            idle_timeout: Some(prost_types::Duration {
                seconds: 90,
                nanos: 0,
            }),
        });
        spec.shuffle_profile = "celeborn".to_owned();
    });
    insta::assert_json_snapshot!("dynamic-with-celeborn", manifest);
}

#[test]
fn executors_that_come_and_go_keep_track_of_shuffles_without_a_profile() {
    let manifest = golden(|spec| {
        spec.executor.as_mut().unwrap().instances = 0;
        spec.dynamic_allocation = Some(wire::DynamicAllocation {
            max_executors: 3,
            ..wire::DynamicAllocation::default()
        });
    });
    let spec = &manifest["spec"];
    assert_eq!(spec["dynamicAllocation"]["shuffleTrackingEnabled"], true);
    assert_eq!(spec["dynamicAllocation"]["initialExecutors"], 0);
    assert_eq!(spec["executor"]["instances"], Value::Null);
}

#[test]
fn devices_on_another_processor() {
    let manifest = golden(|spec| {
        spec.architectures = vec![wire::Architecture::Arm64.into()];
        spec.image_by_architecture = [(
            "arm64".to_owned(),
            "registry.example/spark:4.0.1-arm64".to_owned(),
        )]
        .into();
        spec.executor.as_mut().unwrap().extended_resources =
            [("nvidia.com/gpu".to_owned(), 2)].into();
    });
    insta::assert_json_snapshot!("gpu-on-arm64", manifest);
}

#[test]
fn volumes_and_secrets() {
    let volume = |name: &str, pods: wire::VolumePods, source| wire::Volume {
        name: name.to_owned(),
        mount_path: format!("/mnt/{name}"),
        sub_path: String::new(),
        read_only: true,
        pods: pods.into(),
        source: Some(source),
    };
    let manifest = golden(|spec| {
        spec.service_account = "reporter".to_owned();
        spec.secret_environment = vec![wire::SecretVariable {
            name: "TOKEN".to_owned(),
            secret: "store".to_owned(),
            key: "token".to_owned(),
        }];
        let scratch = wire::EmptyDirectory {
            size_limit_bytes: 1 << 30,
            in_memory: true,
        };
        let both = VolumePods::Unspecified;
        spec.volumes = vec![
            volume("scratch", both, Source::EmptyDirectory(scratch)),
            volume(
                "rules",
                VolumePods::Driver,
                Source::ConfigMap("rules".to_owned()),
            ),
            volume(
                "keys",
                VolumePods::Executors,
                Source::Secret("keys".to_owned()),
            ),
            volume(
                "data",
                both,
                Source::PersistentVolumeClaim("data".to_owned()),
            ),
            volume(
                "cache",
                both,
                Source::HostPath("/var/cache/spark".to_owned()),
            ),
        ];
        spec.volumes[0].read_only = false;
        spec.volumes[3].sub_path = "daily/in".to_owned();
    });
    insta::assert_json_snapshot!("volumes-and-secrets", manifest);
}

proptest! {
    #[test]
    fn the_same_attempt_gives_the_same_document_without_a_name_twice(spec in any_spec()) {
        let mut request = request();
        request.spec = Some(spec);
        let mut application = placed();
        application.submission = Submission::parse(&request).unwrap();
        let Ok(launch) = resolve(&application.submission.spec, Rules::default()) else {
            return Ok(());
        };
        application.attempts[0].launch = Some(launch);
        let document = manifest(&application, true);
        prop_assert_eq!(document.to_string(), manifest(&application.clone(), true).to_string());
        for role in ["driver", "executor"] {
            let pod = &document["spec"][role]["template"]["spec"];
            let container = &pod["containers"][0];
            for (list, key) in [
                (&pod["volumes"], "name"),
                (&container["env"], "name"),
                (&container["volumeMounts"], "mountPath"),
            ] {
                let values: Vec<_> = list.as_array().into_iter().flatten().map(|one| &one[key]).collect();
                let distinct: BTreeSet<_> = values.iter().map(ToString::to_string).collect();
                prop_assert_eq!(distinct.len(), values.len(), "{} of {}", key, role);
            }
        }
    }

    #[test]
    fn no_setting_of_a_request_replaces_one_of_the_platforms(spec in any_spec()) {
        let mut request = request();
        request.spec = Some(spec);
        let submission = Submission::parse(&request).unwrap();
        prop_assert!(submission.spec.spark_conf.keys().all(|key| !is_owned(key)));
    }
}

#[test]
fn every_setting_that_the_manifest_writes_is_the_platforms() {
    let own = golden(|spec| {
        spec.spark_conf.clear();
        spec.executor.as_mut().unwrap().instances = 0;
        spec.dynamic_allocation = Some(wire::DynamicAllocation {
            max_executors: 3,
            idle_timeout: Some(prost_types::Duration {
                seconds: 1,
                nanos: 0,
            }),
            ..wire::DynamicAllocation::default()
        });
    });
    let conf = own["spec"]["sparkConf"].as_object().unwrap();
    let defaults = platform_settings::defaults();
    for key in conf.keys().filter(|key| !defaults.contains_key(*key)) {
        assert!(is_owned(key), "{key}");
    }
    assert_eq!(
        conf["spark.ui.proxyBase"],
        "/live/m01hf7yat00v2t9d4h5w8k3e6qz-1"
    );
    assert_eq!(conf["spark.ui.proxyRedirectUri"], "https://ui.example");
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
