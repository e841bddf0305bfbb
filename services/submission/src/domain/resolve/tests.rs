use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::{
    launch_spec::LiveUi,
    rules::{ClusterSettings, ClusterState, Strategy, StrategySettings},
    spec::any::any_spec,
    submission::{Submission, tests::request},
};

fn defaults(of: &str) -> Defaults {
    let entries = |prefix: &str| {
        [
            (format!("{prefix}shared"), of.to_owned()),
            (format!("{prefix}of.{of}"), of.to_owned()),
        ]
        .into()
    };
    Defaults {
        image: format!("registry.example/{of}:1"),
        spark_version: "4.0.1".to_owned(),
        spark_conf: entries("spark."),
        environment: [("SHARED".to_owned(), of.to_owned())].into(),
        queue: format!("root.{of}"),
        service_account: of.to_owned(),
        labels: entries(""),
        ..Defaults::default()
    }
}

fn project() -> Project {
    Project {
        name: "team-a".to_owned(),
        defaults: Defaults {
            tier: Some(Tier::Two),
            shuffle_profile: "celeborn".to_owned(),
            deadlines: Deadlines {
                queue_seconds: Some(10),
                run_seconds: Some(20),
                total_seconds: None,
            },
            retry: Some(RetryRequest::default()),
            ..defaults("project")
        },
        policy: OverridePolicy::default(),
        revision: 1,
        create_time: Timestamp::UNIX_EPOCH,
        update_time: Timestamp::UNIX_EPOCH,
    }
}

fn cluster() -> Cluster {
    let profile = [
        ("spark.shared".to_owned(), "profile".to_owned()),
        ("spark.shuffle.manager".to_owned(), "celeborn".to_owned()),
    ];
    Cluster {
        name: "local".to_owned(),
        state: ClusterState::Active,
        settings: ClusterSettings {
            defaults: defaults("cluster"),
            shuffle_profiles: [("celeborn".to_owned(), profile.into())].into(),
            priority_class_by_tier: [(Tier::Two, "second".to_owned())].into(),
            live_ui: Some(LiveUi {
                port: 4045,
                url_template: None,
            }),
            ..ClusterSettings::default()
        },
        revision: 1,
        create_time: Timestamp::UNIX_EPOCH,
        update_time: Timestamp::UNIX_EPOCH,
    }
}

fn strategy() -> Strategy {
    let pod = |mib: u64| PodSpec {
        cores: 2,
        cpu_request_millicores: 0,
        memory_bytes: mib << 20,
        memory_overhead_bytes: 0,
        extended_resources: BTreeMap::new(),
    };
    Strategy {
        project: "team-a".to_owned(),
        workflow: "nightly".to_owned(),
        settings: StrategySettings {
            queue: "root.strategy".to_owned(),
            tier: Some(Tier::One),
            driver: Some(pod(1024)),
            executor: Some(ExecutorSpec {
                instances: 7,
                pod: pod(2048),
            }),
            ..StrategySettings::default()
        },
        revision: 1,
        create_time: Timestamp::UNIX_EPOCH,
        update_time: Timestamp::UNIX_EPOCH,
    }
}

/// A request that leaves out everything that it may.
fn bare() -> Spec {
    let mut request = request();
    let spec = request.spec.as_mut().unwrap();
    spec.image.clear();
    spec.spark_version.clear();
    spec.queue.clear();
    spec.driver = None;
    spec.executor = None;
    Submission::parse(&request).unwrap().spec
}

#[test]
fn each_value_comes_from_the_nearest_that_has_one() {
    let (strategy, project, cluster) = (strategy(), project(), cluster());
    let rules = Rules {
        strategy: Some(&strategy),
        project: Some(&project),
        cluster: Some(&cluster),
        architecture: None,
    };
    let launch = resolve(&bare(), rules).unwrap();
    assert_eq!(launch.image, "registry.example/project:1");
    assert_eq!(launch.queue, "root.strategy");
    assert_eq!(launch.tier, Tier::One);
    assert_eq!(
        launch.priority_class, None,
        "the cluster has none for tier 1"
    );
    assert_eq!(launch.executor.instances, 7);
    assert_eq!(launch.service_account.as_deref(), Some("project"));
    assert_eq!(launch.environment["SHARED"], "project");
    assert_eq!(launch.environment["GREETING"], "hello $(whoami)");
    assert_eq!(launch.labels["of.cluster"], "cluster");
    assert_eq!(launch.labels["shared"], "project");
    assert_eq!(launch.spark_conf["spark.shared"], "profile");
    assert_eq!(launch.spark_conf["spark.shuffle.manager"], "celeborn");
    assert_eq!(launch.spark_conf["spark.of.cluster"], "cluster");
    assert_eq!(launch.shuffle_profile.as_deref(), Some("celeborn"));
    assert_eq!(launch.deadlines.run_seconds, Some(20));
    assert_eq!(launch.retry.max_attempts, DEFAULT_ATTEMPTS);
    assert_eq!(launch.live_ui.port, 4045);

    let without_strategy = Rules {
        strategy: None,
        ..rules
    };
    let missing = vec!["spec.driver", "spec.executor"];
    assert_eq!(
        resolve(&bare(), without_strategy),
        Err(NotResolved::Missing(missing))
    );
    assert_eq!(
        queue(&bare(), without_strategy).as_deref(),
        Some("root.project")
    );

    let mut own = bare();
    own.tier = Some(Tier::Two);
    own.deadlines.run_seconds = Some(5);
    own.retry = Some(RetryRequest {
        max_attempts: 9,
        ..RetryRequest::default()
    });
    own.spark_conf
        .insert("spark.shared".to_owned(), "own".to_owned());
    let launch = resolve(&own, rules).unwrap();
    assert_eq!(launch.priority_class.as_deref(), Some("second"));
    assert_eq!(launch.spark_conf["spark.shared"], "own");
    assert_eq!(
        launch.deadlines,
        Deadlines {
            queue_seconds: Some(10),
            run_seconds: Some(5),
            total_seconds: None
        }
    );
    assert_eq!(launch.retry.max_attempts, 9);
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let error = PublicError::from(resolve(&bare(), Rules::default()).unwrap_err());
    assert_eq!(error.reason, ErrorReason::InvalidField);
    let fields: Vec<_> = error
        .violations
        .iter()
        .map(|one| one.field.as_str())
        .collect();
    let all = [
        "spec.image",
        "spec.spark_version",
        "spec.queue",
        "spec.driver",
        "spec.executor",
    ];
    assert_eq!(fields, all);
}

#[test]
fn a_cluster_without_the_profile_is_none_to_launch_in() {
    let mut spec = Submission::parse(&request()).unwrap().spec;
    spec.shuffle_profile = "celeborn".to_owned();
    let mut cluster = cluster();
    let resolved = |cluster: &Cluster| {
        let rules = Rules {
            cluster: Some(cluster),
            ..Rules::default()
        };
        resolve(&spec, rules)
    };
    assert!(resolved(&cluster).is_ok());
    cluster.settings.shuffle_profiles.clear();
    let error = NotResolved::NoShuffleProfile("celeborn".to_owned());
    assert_eq!(resolved(&cluster), Err(error));
}

#[test]
fn without_any_policy_there_is_one_attempt_and_spark_decides_what_is_left() {
    let spec = Submission::parse(&request()).unwrap().spec;
    let launch = resolve(&spec, Rules::default()).unwrap();
    assert_eq!(
        launch.retry,
        RetryPolicy {
            max_attempts: 1,
            categories: CURABLE.to_vec(),
            initial_backoff_seconds: 10,
            max_backoff_seconds: 600,
            memory_growth_percent: 150,
            max_memory_bytes: 0,
        }
    );
    assert_eq!((launch.tier, launch.priority_class), (Tier::Three, None));
    assert_eq!(
        (launch.service_account, launch.live_ui),
        (None, LiveUi::default())
    );
    let key = "spark.kubernetes.executor.enablePollingWithResourceVersion";
    assert_eq!(launch.spark_conf[key], "true");
}

#[test]
fn memory_grows_no_further_than_the_strictest_policy() {
    let gib = 1 << 30;
    for (said, policy, largest, expected) in [
        (0, None, gib, 0),
        (5, None, gib, 5),
        (0, Some(2 * gib), gib, 0),
        (0, Some(2 * gib - 1), gib, 2 * gib - 1),
        (3 * gib, Some(2 * gib), gib, 2 * gib),
        (gib, Some(2 * gib), gib, gib),
    ] {
        let found = max_memory_bytes(said, policy, largest);
        assert_eq!(found, expected, "{said} {policy:?} {largest}");
    }
}

#[test]
fn an_image_of_one_processor_decides_for_it() {
    let mut spec = Submission::parse(&request()).unwrap().spec;
    assert_eq!(architectures_to_try(&spec), [None]);
    let arm64 = Some(Architecture::Arm64);
    let amd64 = Some(Architecture::Amd64);
    spec.image_by_architecture = [(Architecture::Arm64, "arm".to_owned())].into();
    assert_eq!(architectures_to_try(&spec), [amd64, arm64]);
    let image = |architecture, spec: &Spec| {
        let rules = Rules {
            architecture,
            ..Rules::default()
        };
        resolve(spec, rules).map(|launch| launch.image)
    };
    assert_eq!(image(arm64, &spec).unwrap(), "arm");
    assert_eq!(image(amd64, &spec).unwrap(), "registry.example/spark:4.0.1");
    spec.image.clear();
    assert_eq!(architectures_to_try(&spec), [arm64]);
    assert_eq!(
        image(amd64, &spec),
        Err(NotResolved::Missing(vec!["spec.image"]))
    );
    spec.architectures = vec![Architecture::Arm64, Architecture::Amd64];
    assert_eq!(architectures_to_try(&spec), [arm64, amd64]);
}

#[test]
fn a_setting_that_became_the_platforms_is_dropped_from_older_rules() {
    let mut cluster = cluster();
    let conf = &mut cluster.settings.defaults.spark_conf;
    conf.insert("spark.eventLog.dir".to_owned(), "s3a://old".to_owned());
    let rules = Rules {
        cluster: Some(&cluster),
        ..Rules::default()
    };
    let spec = Submission::parse(&request()).unwrap().spec;
    let launch = resolve(&spec, rules).unwrap();
    assert!(!launch.spark_conf.contains_key("spark.eventLog.dir"));
}

proptest! {
    #[test]
    fn what_a_request_says_holds_under_any_rules(wire in any_spec(), has in any::<[bool; 3]>()) {
        let mut request = request();
        request.spec = Some(wire);
        let spec = Submission::parse(&request).unwrap().spec;
        let (strategy, project, cluster) = (strategy(), project(), cluster());
        let rules = Rules {
            strategy: has[0].then_some(&strategy),
            project: has[1].then_some(&project),
            cluster: has[2].then_some(&cluster),
            architecture: None,
        };
        let resolved = resolve(&spec, rules);
        prop_assert_eq!(&resolved, &resolve(&spec, rules), "a pure function");
        let Ok(launch) = resolved else { return Ok(()) };
        let holds = |own: &String, found: &String| own.is_empty() || own == found;
        prop_assert!(holds(&spec.image, &launch.image));
        prop_assert!(holds(&spec.spark_version, &launch.spark_version));
        prop_assert!(holds(&spec.queue, &launch.queue));
        prop_assert!(spec.tier.is_none_or(|tier| tier == launch.tier));
        prop_assert!(spec.driver.iter().all(|driver| *driver == launch.driver));
        prop_assert!(spec.executor.iter().all(|executor| *executor == launch.executor));
        prop_assert!(spec.spark_conf.iter().all(|(key, value)| launch.spark_conf[key] == *value));
        prop_assert!(spec.environment.iter().all(|(key, value)| launch.environment[key] == *value));
        prop_assert!(spec.labels.iter().all(|(key, value)| launch.labels[key] == *value));
        let owned = launch.spark_conf.keys().find(|key| platform_settings::is_owned(key));
        prop_assert_eq!(owned, None);
        let twice = spec.secret_environment.iter().find(|one| launch.environment.contains_key(&one.name));
        prop_assert_eq!(twice, None);
        let expected = spec.retry.as_ref().map_or(0, |retry| retry.max_attempts);
        prop_assert!(expected == 0 || launch.retry.max_attempts == expected);
    }
}
