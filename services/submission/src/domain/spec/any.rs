//! Requests at random, for property tests.

use std::collections::BTreeMap;

use moka_proto::submission::v1 as wire;
use proptest::{collection, option, prelude::*};

/// A wire spec that passes every check, with some of its fields left out.
pub fn any_spec() -> impl Strategy<Value = wire::ApplicationSpec> {
    (program(), pods(), extras(), identity()).prop_map(|(program, pods, extras, identity)| {
        wire::ApplicationSpec {
            image: identity.image,
            spark_version: identity.spark_version,
            queue: identity.queue,
            tier: identity.tier,
            driver: pods.driver,
            executor: pods.executor,
            dynamic_allocation: pods.dynamic_allocation,
            spark_conf: extras.spark_conf,
            environment: extras.environment,
            secret_environment: extras.secret_environment,
            volumes: extras.volumes,
            labels: extras.labels,
            tags: extras.tags,
            retry: extras.retry,
            ..program
        }
    })
}

fn program() -> impl Strategy<Value = wire::ApplicationSpec> {
    let text = "[ -~äß\\x01\n]{0,40}";
    let python = collection::vec(text, 0..4).prop_map(|arguments| wire::ApplicationSpec {
        r#type: wire::ApplicationType::Python.into(),
        main_application_file: "local:///opt/app/main.py".to_owned(),
        arguments,
        ..wire::ApplicationSpec::default()
    });
    let scala = "[A-Za-z.]{1,40}".prop_map(|main_class| wire::ApplicationSpec {
        r#type: wire::ApplicationType::Scala.into(),
        main_application_file: "s3a://apps/main.jar".to_owned(),
        main_class,
        dependencies: Some(wire::Dependencies {
            packages: vec!["org.example:lib:1.0".to_owned()],
            ..wire::Dependencies::default()
        }),
        ..wire::ApplicationSpec::default()
    });
    let sql = collection::vec("SELECT [ -~äß\\x01\n]{1,60}", 1..4).prop_map(|sql_statements| {
        wire::ApplicationSpec {
            r#type: wire::ApplicationType::Sql.into(),
            sql_statements,
            ..wire::ApplicationSpec::default()
        }
    });
    prop_oneof![python, scala, sql]
}

#[derive(Debug)]
struct Pods {
    driver: Option<wire::DriverSpec>,
    executor: Option<wire::ExecutorSpec>,
    dynamic_allocation: Option<wire::DynamicAllocation>,
}

fn pods() -> impl Strategy<Value = Pods> {
    let memory = (512_i64..4096).prop_map(|mib| mib << 20);
    let devices = || collection::btree_map("nvidia\\.com/gpu|amd\\.com/gpu", 1_i64..8, 0..2);
    let driver = (memory.clone(), devices()).prop_map(|(memory_bytes, extended_resources)| {
        wire::DriverSpec {
            memory_bytes,
            extended_resources,
            ..wire::DriverSpec::default()
        }
    });
    let executor = (memory, 1_i32..100, devices()).prop_map(
        |(memory_bytes, instances, extended_resources)| wire::ExecutorSpec {
            memory_bytes,
            instances,
            extended_resources,
            ..wire::ExecutorSpec::default()
        },
    );
    let dynamic =
        (0_i32..10, 0_i32..10).prop_map(|(min_executors, more)| wire::DynamicAllocation {
            min_executors,
            max_executors: min_executors + more + 1,
            ..wire::DynamicAllocation::default()
        });
    (
        option::of(driver),
        option::of(executor),
        option::of(dynamic),
    )
        .prop_map(|(driver, mut executor, dynamic_allocation)| {
            if let (Some(executor), Some(_)) = (&mut executor, &dynamic_allocation) {
                executor.instances = 0;
            }
            Pods {
                driver,
                executor,
                dynamic_allocation,
            }
        })
}

#[derive(Debug)]
struct Extras {
    spark_conf: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    secret_environment: Vec<wire::SecretVariable>,
    volumes: Vec<wire::Volume>,
    labels: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    retry: Option<wire::RetryPolicy>,
}

fn extras() -> impl Strategy<Value = Extras> {
    let secrets = collection::btree_set("S[A-D]", 0..3).prop_map(|names| {
        let variable = |name| wire::SecretVariable {
            name,
            secret: "store".to_owned(),
            key: "key".to_owned(),
        };
        names.into_iter().map(variable).collect()
    });
    let retry = (0_i32..10, 0_i64..1 << 40).prop_map(|(max_attempts, max_memory_bytes)| {
        wire::RetryPolicy {
            max_attempts,
            max_memory_bytes,
            ..wire::RetryPolicy::default()
        }
    });
    (
        collection::btree_map("spark\\.x\\.[a-d]", "[ -~ä]{0,20}", 0..4),
        collection::btree_map("V[A-D]", "[ -~ä]{0,20}", 0..4),
        secrets,
        volumes(),
        collection::btree_map("team\\.example/[a-d]", "[a-z]{0,10}", 0..4),
        collection::btree_map("[a-d]", "[a-z]{0,10}", 0..4),
        option::of(retry),
    )
        .prop_map(
            |(spark_conf, environment, secret_environment, volumes, labels, tags, retry)| Extras {
                spark_conf,
                environment,
                secret_environment,
                volumes,
                labels,
                tags,
                retry,
            },
        )
}

fn volumes() -> impl Strategy<Value = Vec<wire::Volume>> {
    let source = prop_oneof![
        Just(wire::volume::Source::EmptyDirectory(
            wire::EmptyDirectory::default()
        )),
        "[a-z]{1,9}".prop_map(wire::volume::Source::ConfigMap),
        "[a-z]{1,9}".prop_map(wire::volume::Source::Secret),
        "[a-z]{1,9}".prop_map(wire::volume::Source::PersistentVolumeClaim),
        "/data/[a-z]{1,9}".prop_map(wire::volume::Source::HostPath),
    ];
    collection::btree_map("[a-f]", (source, 0_i32..3, any::<bool>()), 0..4).prop_map(|volumes| {
        let volume = |(name, (source, pods, read_only))| wire::Volume {
            mount_path: format!("/mnt/{name}"),
            name,
            sub_path: String::new(),
            read_only,
            pods,
            source: Some(source),
        };
        volumes.into_iter().map(volume).collect()
    })
}

#[derive(Debug)]
struct Identity {
    image: String,
    spark_version: String,
    queue: String,
    tier: i32,
}

fn identity() -> impl Strategy<Value = Identity> {
    (
        "|registry\\.example/own:1",
        "|4\\.0\\.1",
        "|root\\.own",
        0_i32..4,
    )
        .prop_map(|(image, spark_version, queue, tier)| Identity {
            image,
            spark_version,
            queue,
            tier,
        })
}
