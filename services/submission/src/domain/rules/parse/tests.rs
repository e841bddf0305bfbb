//! Each limit of a rule: what is at it passes, what is one past it is named.

use std::collections::BTreeMap;

use prost_types::Duration;
use wire::{Cluster, OverridePolicy as WirePolicy, Project, Strategy};

use super::*;

fn found(check: impl FnOnce(&mut Violations)) -> Vec<String> {
    let mut violations = Violations::new();
    check(&mut violations);
    let error = violations.into_result().err();
    let violations = error.map(|error| error.violations).unwrap_or_default();
    violations.into_iter().map(|one| one.field).collect()
}

fn cluster_faults(change: impl FnOnce(&mut Cluster)) -> Vec<String> {
    let mut cluster = Cluster::default();
    change(&mut cluster);
    found(|violations| drop(ClusterSettings::parse(violations, "cluster", &cluster)))
}

fn policy_faults(change: impl FnOnce(&mut WirePolicy)) -> Vec<String> {
    let mut policy = WirePolicy::default();
    change(&mut policy);
    let wire = Project {
        policy: Some(policy),
        ..Project::default()
    };
    found(|violations| drop(project(violations, "project", &wire)))
}

fn strategy_faults(change: impl FnOnce(&mut Strategy)) -> Vec<String> {
    let mut strategy = Strategy::default();
    change(&mut strategy);
    found(|violations| drop(StrategySettings::parse(violations, "strategy", &strategy)))
}

#[track_caller]
fn check(field: &str, at: impl AsRef<[String]>, past: impl AsRef<[String]>) {
    assert!(
        at.as_ref().is_empty(),
        "{field} at its limit: {:?}",
        at.as_ref()
    );
    assert_eq!(past.as_ref(), [field], "past the limit");
}

fn seconds(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}

type SetLimit = fn(&mut wire::ClusterLimits, i32);
type SetDefault<'a> = &'a dyn Fn(&mut wire::Defaults);
type List = fn(&mut WirePolicy) -> &mut Vec<String>;

#[test]
fn clusters_hold_to_the_unit() {
    let description = |bytes| cluster_faults(|cluster| cluster.description = "x".repeat(bytes));
    check("cluster.description", description(256), description(257));
    let namespace = |bytes| cluster_faults(|cluster| cluster.namespace = "x".repeat(bytes));
    check("cluster.namespace", namespace(63), namespace(64));
    let limits: [(&str, i32, SetLimit); 4] = [
        ("launches_per_second", 10_000, |all, one| {
            all.launches_per_second = one;
        }),
        ("launch_burst", 10_000, |all, one| all.launch_burst = one),
        ("max_live_attempts", 1_000_000, |all, one| {
            all.max_live_attempts = one;
        }),
        ("max_operator_backlog", 1_000_000, |all, one| {
            all.max_operator_backlog = one;
        }),
    ];
    for (name, most, set) in limits {
        let with = |value| {
            let mut limits = wire::ClusterLimits::default();
            set(&mut limits, value);
            cluster_faults(|cluster| cluster.limits = Some(limits))
        };
        let field = format!("cluster.limits.{name}");
        check(&field, with(most), with(most + 1));
        check(&field, with(0), with(-1));
    }
    let patience = |length| {
        let limits = wire::ClusterLimits {
            unreachable_patience: Some(seconds(length)),
            ..wire::ClusterLimits::default()
        };
        cluster_faults(|cluster| cluster.limits = Some(limits))
    };
    for (at, past) in [(1, 0), (2_592_000, 2_592_001)] {
        check(
            "cluster.limits.unreachable_patience",
            patience(at),
            patience(past),
        );
    }
    let class = |tier: &str| {
        cluster_faults(|cluster| {
            cluster.priority_class_by_tier = [(tier.to_owned(), "high".to_owned())].into();
        })
    };
    for (at, past) in [("1", "0"), ("3", "4")] {
        check(
            &format!("cluster.priority_class_by_tier[\"{past}\"]"),
            class(at),
            class(past),
        );
    }
}

#[test]
fn shuffle_profiles_hold_to_the_unit() {
    let profiles = |count: usize, settings: usize| {
        let setting = |n| (format!("spark.x{n}"), String::new());
        let spark_conf: BTreeMap<_, _> = (0..settings).map(setting).collect();
        let profile = |n| {
            let spark_conf = spark_conf.clone();
            (format!("p{n}"), wire::ShuffleProfile { spark_conf })
        };
        cluster_faults(|cluster| cluster.shuffle_profiles = (0..count).map(profile).collect())
    };
    check("cluster.shuffle_profiles", profiles(32, 1), profiles(33, 1));
    let field = "cluster.shuffle_profiles[\"p0\"].spark_conf";
    check(field, profiles(1, 64), profiles(1, 65));
    let owned = cluster_faults(|cluster| {
        let spark_conf = [("spark.eventLog.dir".to_owned(), String::new())].into();
        let profile = wire::ShuffleProfile { spark_conf };
        cluster.shuffle_profiles = [("p".to_owned(), profile)].into();
    });
    let field = "cluster.shuffle_profiles[\"p\"].spark_conf[\"spark.eventLog.dir\"]";
    assert_eq!(owned, [field]);
}

#[test]
fn web_interfaces_have_addresses_that_tell_attempts_apart() {
    let live_ui = |port: i32, template: &str| {
        cluster_faults(|cluster| {
            cluster.live_ui = Some(wire::LiveUi {
                port,
                url_template: template.to_owned(),
            });
        })
    };
    for (at, past) in [(1024, 1023), (65_535, 65_536), (0, -1)] {
        check("cluster.live_ui.port", live_ui(at, ""), live_ui(past, ""));
    }
    let good = "https://ui.example/{application_id}-{attempt}";
    for bad in [
        "https://ui.example/{application_id}",
        "https://ui.example/{attempt}",
        "ftp://ui.example/{application_id}-{attempt}",
        "https://ui.example/{application_id}-{attempt}?a=b",
        "https://ui.example/{application_id}-{attempt}/{queue}",
    ] {
        check(
            "cluster.live_ui.url_template",
            live_ui(0, good),
            live_ui(0, bad),
        );
    }
    let padded = |bytes: usize| {
        let padding = "x".repeat(bytes - good.len());
        live_ui(0, &format!("{good}{padding}"))
    };
    check("cluster.live_ui.url_template", padded(1024), padded(1025));
}

#[test]
fn a_clusters_defaults_decide_nothing_that_comes_before_it() {
    let with = |change: &dyn Fn(&mut wire::Defaults)| {
        let mut defaults = wire::Defaults {
            image: "registry.example/spark:4.0.1".to_owned(),
            ..wire::Defaults::default()
        };
        change(&mut defaults);
        let of_cluster = cluster_faults(|cluster| cluster.defaults = Some(defaults.clone()));
        let wire = Project {
            defaults: Some(defaults),
            ..Project::default()
        };
        let of_project = found(|violations| drop(project(violations, "project", &wire)));
        assert!(of_project.is_empty(), "{of_project:?}");
        of_cluster
    };
    assert!(with(&|_| {}).is_empty());
    let cases: [(&str, SetDefault<'_>); 5] = [
        ("queue", &|all| all.queue = "root.demo".to_owned()),
        ("tier", &|all| all.tier = 1),
        ("shuffle_profile", &|all| {
            all.shuffle_profile = "celeborn".to_owned();
        }),
        ("retry", &|all| {
            all.retry = Some(wire::RetryPolicy::default());
        }),
        ("deadlines", &|all| {
            all.deadlines = Some(wire::Deadlines::default());
        }),
    ];
    for (name, change) in cases {
        assert_eq!(with(change), [format!("cluster.defaults.{name}")]);
    }
    let owned = cluster_faults(|cluster| {
        cluster.defaults = Some(wire::Defaults {
            spark_conf: [("spark.executor.memory".to_owned(), "1g".to_owned())].into(),
            ..wire::Defaults::default()
        });
    });
    assert_eq!(
        owned,
        ["cluster.defaults.spark_conf[\"spark.executor.memory\"]"]
    );
}

#[test]
fn policies_hold_to_the_unit() {
    let lists: [(&str, &str, List); 6] = [
        ("locked_spark_conf", "spark.sql.*", |all| {
            &mut all.locked_spark_conf
        }),
        ("locked_environment", "HOME", |all| {
            &mut all.locked_environment
        }),
        ("image_prefixes", "registry.example/", |all| {
            &mut all.image_prefixes
        }),
        ("service_accounts", "spark", |all| &mut all.service_accounts),
        ("host_path_prefixes", "/mnt", |all| {
            &mut all.host_path_prefixes
        }),
        ("queues", "root.demo", |all| &mut all.queues),
    ];
    for (name, entry, list) in lists {
        let field = format!("project.policy.{name}");
        let with = |entries: Vec<String>| policy_faults(|policy| *list(policy) = entries);
        let many = |count| with(vec![entry.to_owned(); count]);
        check(&field, many(256), many(257));
        let long = |bytes: usize| {
            let padding = "x".repeat(bytes - entry.len());
            // A pattern ends in its star.
            let text = format!("{}{padding}", entry.trim_end_matches('*'));
            with(vec![text + &entry[entry.trim_end_matches('*').len()..]])
        };
        check(&format!("{field}[0]"), long(1024), long(1025));
        assert!(!with(vec![String::new()]).is_empty(), "{name}");
    }
    for (name, entry) in [
        ("locked_spark_conf", "sql.*"),
        ("locked_spark_conf", "spark.*.x"),
        ("locked_environment", "A-B"),
        ("host_path_prefixes", "mnt"),
        ("host_path_prefixes", "/"),
    ] {
        let (_, _, list) = lists.iter().find(|(one, _, _)| *one == name).unwrap();
        let found = policy_faults(|policy| *list(policy) = vec![entry.to_owned()]);
        assert_eq!(found, [format!("project.policy.{name}[0]")], "{entry}");
    }
    let executors = |count| policy_faults(|policy| policy.max_executors = count);
    check(
        "project.policy.max_executors",
        executors(10_000),
        executors(10_001),
    );
    let attempts = |count| policy_faults(|policy| policy.max_attempts = count);
    check("project.policy.max_attempts", attempts(10), attempts(11));
    let memory = |bytes| policy_faults(|policy| policy.max_pod_memory_bytes = bytes);
    check(
        "project.policy.max_pod_memory_bytes",
        memory(4 << 40),
        memory((4 << 40) + 1),
    );
    let tier = |number| policy_faults(|policy| policy.best_tier = number);
    check("project.policy.best_tier", tier(3), tier(4));
}

#[test]
fn strategies_hold_to_the_unit() {
    let clusters = |count: usize| {
        let names = (0..count).map(|n| format!("c{n}")).collect();
        strategy_faults(|strategy| strategy.clusters = names)
    };
    check("strategy.clusters", clusters(100), clusters(101));
    let twice = strategy_faults(|strategy| strategy.clusters = vec!["a".to_owned(); 2]);
    assert_eq!(twice, ["strategy.clusters"]);
    let source = |bytes| strategy_faults(|strategy| strategy.source = "x".repeat(bytes));
    check("strategy.source", source(256), source(257));
    let queue = |bytes| strategy_faults(|strategy| strategy.queue = "x".repeat(bytes));
    check("strategy.queue", queue(1024), queue(1025));
    let level = |length| strategy_faults(|strategy| strategy.service_level = Some(seconds(length)));
    for (at, past) in [(1, 0), (2_592_000, 2_592_001)] {
        check("strategy.service_level", level(at), level(past));
    }
    let instances = |instances| {
        strategy_faults(|strategy| {
            strategy.executor = Some(wire::ExecutorSpec {
                instances,
                memory_bytes: 1 << 30,
                ..wire::ExecutorSpec::default()
            });
        })
    };
    for (at, past) in [(1, 0), (10_000, 10_001)] {
        check(
            "strategy.executor.instances",
            instances(at),
            instances(past),
        );
    }
    let names = |workflow: &str| {
        found(|violations| strategy_names(violations, "strategy", "team-a", workflow))
    };
    check(
        "strategy.workflow",
        names(&"x".repeat(128)),
        names(&"x".repeat(129)),
    );
    assert_eq!(names(""), ["strategy.workflow"]);
}
