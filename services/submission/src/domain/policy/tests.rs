use moka_proto::submission::v1 as wire;

use super::*;
use crate::domain::{
    resolve::{Rules, resolve},
    submission::{Submission, tests::request},
};

fn spec(change: impl FnOnce(&mut wire::ApplicationSpec)) -> Spec {
    let mut request = request();
    change(request.spec.as_mut().unwrap());
    Submission::parse(&request).unwrap().spec
}

/// The fields that break a policy, under the request's own view and under a cluster's.
fn faults(spec: &Spec, policy: &OverridePolicy) -> Vec<String> {
    let names = |checked: Result<(), PolicyViolation>| -> Vec<String> {
        let violations = checked.err().map(|violation| violation.0);
        violations
            .into_iter()
            .flatten()
            .map(|one| one.field)
            .collect()
    };
    let own = names(check_policy(spec, policy));
    let launch = resolve(spec, Rules::default()).unwrap();
    let of_cluster = names(check_cluster_policy(spec, &launch, policy));
    assert_eq!(own, of_cluster, "a complete request is the same to both");
    own
}

#[track_caller]
fn check(policy: &OverridePolicy, good: &Spec, bad: &Spec, field: &str) {
    assert_eq!(faults(good, policy), Vec::<String>::new(), "{field}");
    assert_eq!(faults(bad, policy), [field]);
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn an_empty_policy_allows_everything_but_directories_of_nodes() {
    let policy = OverridePolicy::default();
    let host_path = spec(|spec| {
        spec.volumes = vec![wire::Volume {
            name: "cache".to_owned(),
            mount_path: "/cache".to_owned(),
            source: Some(wire::volume::Source::HostPath("/var/cache/x".to_owned())),
            ..wire::Volume::default()
        }];
    });
    check(
        &policy,
        &spec(|_| {}),
        &host_path,
        "spec.volumes[0].host_path",
    );
    let allowing = |prefix: &str| OverridePolicy {
        host_path_prefixes: texts(&[prefix]),
        ..OverridePolicy::default()
    };
    assert!(faults(&host_path, &allowing("/var/cache")).is_empty());
    assert!(faults(&host_path, &allowing("/var/cache/x")).is_empty());
    assert_eq!(faults(&host_path, &allowing("/var/cac")).len(), 1);
}

#[test]
fn locked_names_are_refused() {
    let policy = OverridePolicy {
        locked_spark_conf: texts(&["spark.sql.*", "spark.one"]),
        locked_environment: texts(&["GREETING"]),
        ..OverridePolicy::default()
    };
    let with = |key: &str| {
        spec(|spec| {
            spec.environment.clear();
            spec.spark_conf = [(key.to_owned(), "1".to_owned())].into();
        })
    };
    check(
        &policy,
        &with("spark.ones"),
        &with("spark.one"),
        "spec.spark_conf[\"spark.one\"]",
    );
    check(
        &policy,
        &with("spark.sq"),
        &with("spark.sql.x"),
        "spec.spark_conf[\"spark.sql.x\"]",
    );
    let variable = spec(|spec| spec.spark_conf.clear());
    assert_eq!(
        faults(&variable, &policy),
        ["spec.environment[\"GREETING\"]"]
    );
    let secret = spec(|spec| {
        spec.spark_conf.clear();
        spec.environment.clear();
        spec.secret_environment = vec![wire::SecretVariable {
            name: "GREETING".to_owned(),
            secret: "store".to_owned(),
            key: "key".to_owned(),
        }];
    });
    assert_eq!(
        faults(&secret, &policy),
        ["spec.secret_environment[0].name"]
    );
}

#[test]
fn images_accounts_and_queues_are_held_to_their_lists() {
    let images = OverridePolicy {
        image_prefixes: texts(&["registry.example/", "other.example/"]),
        ..OverridePolicy::default()
    };
    let elsewhere = spec(|spec| spec.image = "docker.example/spark".to_owned());
    check(&images, &spec(|_| {}), &elsewhere, "spec.image");
    let accounts = OverridePolicy {
        service_accounts: texts(&["spark"]),
        ..OverridePolicy::default()
    };
    let own = spec(|spec| spec.service_account = "admin".to_owned());
    check(&accounts, &spec(|_| {}), &own, "spec.service_account");
    let queues = OverridePolicy {
        queues: texts(&["root.demo"]),
        ..OverridePolicy::default()
    };
    let queue = |name: &str| spec(|spec| spec.queue = name.to_owned());
    for inside in ["root.demo", "root.demo.a"] {
        check(
            &queues,
            &queue(inside),
            &queue("root.demolition"),
            "spec.queue",
        );
    }
}

#[test]
fn sizes_are_limited_to_the_unit() {
    let executors = |count| spec(|spec| spec.executor.as_mut().unwrap().instances = count);
    let policy = OverridePolicy {
        max_executors: 3,
        ..OverridePolicy::default()
    };
    check(
        &policy,
        &executors(3),
        &executors(4),
        "spec.executor.instances",
    );
    let dynamic = |max_executors| {
        spec(|spec| {
            spec.executor.as_mut().unwrap().instances = 0;
            spec.dynamic_allocation = Some(wire::DynamicAllocation {
                max_executors,
                ..wire::DynamicAllocation::default()
            });
        })
    };
    check(&policy, &dynamic(3), &dynamic(4), "spec.executor.instances");

    let attempts = |max_attempts| {
        spec(|spec| {
            spec.retry = Some(wire::RetryPolicy {
                max_attempts,
                ..wire::RetryPolicy::default()
            });
        })
    };
    let at_most_two = OverridePolicy {
        max_attempts: 2,
        ..OverridePolicy::default()
    };
    for past in [3, 0] {
        check(
            &at_most_two,
            &attempts(2),
            &attempts(past),
            "spec.retry.max_attempts",
        );
    }

    // 512 MiB of heap and at least 384 MiB beside it.
    let memory = |mib: u64| OverridePolicy {
        max_pod_memory_bytes: mib << 20,
        ..OverridePolicy::default()
    };
    assert!(faults(&spec(|_| {}), &memory(896)).is_empty());
    let both = ["spec.driver.memory_bytes", "spec.executor.memory_bytes"];
    assert_eq!(faults(&spec(|_| {}), &memory(895)), both);

    let tier = |tier: wire::Tier| spec(|spec| spec.tier = tier.into());
    let second = OverridePolicy {
        best_tier: Some(Tier::Two),
        ..OverridePolicy::default()
    };
    check(
        &second,
        &tier(wire::Tier::Tier2),
        &tier(wire::Tier::Tier1),
        "spec.tier",
    );
}

#[test]
fn a_violation_is_told_as_one_error() {
    let policy = OverridePolicy {
        queues: texts(&["root.other"]),
        ..OverridePolicy::default()
    };
    let error = PublicError::from(check_policy(&spec(|_| {}), &policy).unwrap_err());
    assert_eq!(error.reason, ErrorReason::PolicyViolation);
    assert_eq!(error.message, "the policy does not allow spec.queue");
    assert_eq!(
        error.violations[0].description,
        "must be one of, or below, root.other"
    );
}

/// What a project's defaults bring in is held to a cluster's policy.
#[test]
fn a_clusters_policy_sees_the_defaults_too() {
    let incomplete = spec(|spec| spec.tier = 0);
    let launch = LaunchSpec {
        image: "elsewhere/spark".to_owned(),
        ..resolve(&incomplete, Rules::default()).unwrap()
    };
    let policy = OverridePolicy {
        image_prefixes: texts(&["registry.example/"]),
        ..OverridePolicy::default()
    };
    assert_eq!(check_policy(&incomplete, &policy), Ok(()));
    assert!(check_cluster_policy(&incomplete, &launch, &policy).is_err());
}
