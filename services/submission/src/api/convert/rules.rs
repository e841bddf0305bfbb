//! What clusters, projects and workflows say, to the wire.

use std::collections::BTreeMap;

use moka_proto::submission::v1 as wire;
use moka_rpc::timestamp::to_proto;

use super::{
    architecture, count, signed,
    spec::{deadlines, driver, executor, retry, seconds, tier},
};
use crate::domain::{
    launch_spec::LiveUi,
    rules::{
        Cluster, ClusterLimits, ClusterSettings, ClusterState, Defaults, OverridePolicy, Project,
        Strategy, StrategySettings,
    },
};

/// A cluster; its health is for the caller to add.
pub(in crate::api) fn cluster(cluster: Cluster) -> wire::Cluster {
    let Cluster {
        name,
        state,
        settings,
        revision,
        create_time,
        update_time,
    } = cluster;
    let ClusterSettings {
        description,
        namespace,
        architectures,
        defaults,
        policy,
        shuffle_profiles,
        priority_class_by_tier,
        limits,
        live_ui,
    } = settings;
    wire::Cluster {
        name,
        state: cluster_state(state).into(),
        description,
        namespace,
        architectures: architectures
            .into_iter()
            .map(|one| architecture(one).into())
            .collect(),
        defaults: self::defaults(defaults),
        policy: self::policy(policy),
        shuffle_profiles: shuffle_profiles
            .into_iter()
            .map(|(name, spark_conf)| (name, wire::ShuffleProfile { spark_conf }))
            .collect(),
        priority_class_by_tier: priority_class_by_tier
            .into_iter()
            .map(|(tier, class)| (tier.number().to_owned(), class))
            .collect::<BTreeMap<_, _>>(),
        limits: self::limits(limits),
        live_ui: live_ui.map(self::live_ui),
        revision,
        create_time: Some(to_proto(create_time)),
        update_time: Some(to_proto(update_time)),
        health: None,
    }
}

/// A project.
pub(in crate::api) fn project(project: Project) -> wire::Project {
    let Project {
        name,
        defaults,
        policy,
        revision,
        create_time,
        update_time,
    } = project;
    wire::Project {
        name,
        defaults: self::defaults(defaults),
        policy: self::policy(policy),
        revision,
        create_time: Some(to_proto(create_time)),
        update_time: Some(to_proto(update_time)),
    }
}

/// A workflow's strategy.
pub(in crate::api) fn strategy(strategy: Strategy) -> wire::Strategy {
    let Strategy {
        project,
        workflow,
        settings,
        revision,
        create_time,
        update_time,
    } = strategy;
    let StrategySettings {
        clusters,
        queue,
        tier,
        driver,
        executor,
        service_level_seconds,
        source,
    } = settings;
    wire::Strategy {
        project,
        workflow,
        clusters,
        queue,
        tier: self::tier(tier).into(),
        driver: driver.map(self::driver),
        executor: executor.map(self::executor),
        service_level: service_level_seconds.map(seconds),
        source,
        revision,
        create_time: Some(to_proto(create_time)),
        update_time: Some(to_proto(update_time)),
    }
}

fn cluster_state(state: ClusterState) -> wire::ClusterState {
    match state {
        ClusterState::Active => wire::ClusterState::Active,
        ClusterState::Draining => wire::ClusterState::Draining,
        ClusterState::Drained => wire::ClusterState::Drained,
    }
}

/// `None` when nothing is said.
fn defaults(defaults: Defaults) -> Option<wire::Defaults> {
    if defaults == Defaults::default() {
        return None;
    }
    let Defaults {
        image,
        spark_version,
        spark_conf,
        environment,
        queue,
        service_account,
        tier,
        shuffle_profile,
        retry,
        deadlines,
        labels,
    } = defaults;
    Some(wire::Defaults {
        image,
        spark_version,
        spark_conf,
        environment,
        queue,
        service_account,
        tier: self::tier(tier).into(),
        shuffle_profile,
        retry: retry.map(self::retry),
        deadlines: self::deadlines(deadlines),
        labels,
    })
}

/// `None` when nothing is said.
fn policy(policy: OverridePolicy) -> Option<wire::OverridePolicy> {
    if policy == OverridePolicy::default() {
        return None;
    }
    let OverridePolicy {
        locked_spark_conf,
        locked_environment,
        image_prefixes,
        service_accounts,
        host_path_prefixes,
        queues,
        max_executors,
        max_pod_memory_bytes,
        max_attempts,
        best_tier,
    } = policy;
    Some(wire::OverridePolicy {
        locked_spark_conf,
        locked_environment,
        image_prefixes,
        service_accounts,
        host_path_prefixes,
        queues,
        max_executors: count(max_executors),
        max_pod_memory_bytes: signed(max_pod_memory_bytes),
        max_attempts: count(max_attempts),
        best_tier: tier(best_tier).into(),
    })
}

/// `None` when nothing is said.
fn limits(limits: ClusterLimits) -> Option<wire::ClusterLimits> {
    (limits != ClusterLimits::default()).then(|| wire::ClusterLimits {
        launches_per_second: count(limits.launches_per_second),
        launch_burst: count(limits.launch_burst),
        max_live_attempts: count(limits.max_live_attempts),
        max_operator_backlog: count(limits.max_operator_backlog),
        unreachable_patience: limits.unreachable_patience_seconds.map(seconds),
    })
}

fn live_ui(live_ui: LiveUi) -> wire::LiveUi {
    wire::LiveUi {
        port: live_ui.port.into(),
        url_template: live_ui.url_template.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use moka_rpc::Violations;

    use super::*;
    use crate::domain::rules::parse;

    /// Every field has a value of its own, so that one that is forgotten or mixed up is found.
    fn full_defaults() -> wire::Defaults {
        let entry = |key: &str| BTreeMap::from([(key.to_owned(), "value".to_owned())]);
        wire::Defaults {
            image: "registry.example/spark:4.0.1".to_owned(),
            spark_version: "4.0.1".to_owned(),
            spark_conf: entry("spark.x"),
            environment: entry("VARIABLE"),
            service_account: "reporter".to_owned(),
            labels: entry("label"),
            ..wire::Defaults::default()
        }
    }

    fn full_policy() -> wire::OverridePolicy {
        let list = |text: &str| vec![text.to_owned()];
        wire::OverridePolicy {
            locked_spark_conf: list("spark.a.*"),
            locked_environment: list("B"),
            image_prefixes: list("c/"),
            service_accounts: list("d"),
            host_path_prefixes: list("/e"),
            queues: list("root.f"),
            max_executors: 7,
            max_pod_memory_bytes: 8,
            max_attempts: 9,
            best_tier: wire::Tier::Tier2.into(),
        }
    }

    fn parsed<T>(parse: impl FnOnce(&mut Violations) -> T) -> T {
        let mut violations = Violations::new();
        let parsed = parse(&mut violations);
        violations.into_result().unwrap();
        parsed
    }

    #[test]
    fn a_cluster_comes_back_as_it_was_said() {
        let epoch = Timestamp::UNIX_EPOCH;
        let conf = BTreeMap::from([("spark.shuffle.x".to_owned(), "y".to_owned())]);
        let said = wire::Cluster {
            name: "west".to_owned(),
            state: wire::ClusterState::Draining.into(),
            description: "the western one".to_owned(),
            namespace: "batch".to_owned(),
            architectures: vec![wire::Architecture::Arm64.into()],
            defaults: Some(full_defaults()),
            policy: Some(full_policy()),
            shuffle_profiles: [(
                "celeborn".to_owned(),
                wire::ShuffleProfile { spark_conf: conf },
            )]
            .into(),
            priority_class_by_tier: [("2".to_owned(), "second".to_owned())].into(),
            limits: Some(wire::ClusterLimits {
                launches_per_second: 1,
                launch_burst: 2,
                max_live_attempts: 3,
                max_operator_backlog: 4,
                unreachable_patience: Some(seconds(5)),
            }),
            live_ui: Some(wire::LiveUi {
                port: 4045,
                url_template: "https://ui.example/{application_id}/{attempt}".to_owned(),
            }),
            revision: 6,
            create_time: Some(to_proto(epoch)),
            update_time: Some(to_proto(epoch)),
            health: None,
        };
        let settings = parsed(|violations| ClusterSettings::parse(violations, "cluster", &said));
        let kept = Cluster {
            name: "west".to_owned(),
            state: ClusterState::Draining,
            settings,
            revision: 6,
            create_time: epoch,
            update_time: epoch,
        };
        assert_eq!(cluster(kept), said);
    }

    #[test]
    fn a_project_comes_back_as_it_was_said() {
        let epoch = Timestamp::UNIX_EPOCH;
        let said = wire::Project {
            name: "team-a".to_owned(),
            defaults: Some(wire::Defaults {
                queue: "root.team".to_owned(),
                tier: wire::Tier::Tier1.into(),
                shuffle_profile: "celeborn".to_owned(),
                retry: Some(wire::RetryPolicy {
                    max_attempts: 2,
                    categories: vec![wire::ExitCategory::NodeLost.into()],
                    initial_backoff: Some(seconds(3)),
                    max_backoff: Some(seconds(4)),
                    memory_growth_percent: 150,
                    max_memory_bytes: 6,
                }),
                deadlines: Some(wire::Deadlines {
                    queue: Some(seconds(7)),
                    run: Some(seconds(8)),
                    total: Some(seconds(9)),
                }),
                ..full_defaults()
            }),
            policy: Some(full_policy()),
            revision: 10,
            create_time: Some(to_proto(epoch)),
            update_time: Some(to_proto(epoch)),
        };
        let (defaults, policy) = parsed(|violations| parse::project(violations, "project", &said));
        let kept = Project {
            name: "team-a".to_owned(),
            defaults,
            policy,
            revision: 10,
            create_time: epoch,
            update_time: epoch,
        };
        assert_eq!(project(kept), said);
    }

    #[test]
    fn a_strategy_comes_back_as_it_was_said() {
        let epoch = Timestamp::UNIX_EPOCH;
        let devices = BTreeMap::from([("nvidia.com/gpu".to_owned(), 1)]);
        let said = wire::Strategy {
            project: "team-a".to_owned(),
            workflow: "nightly".to_owned(),
            clusters: vec!["west".to_owned(), "east".to_owned()],
            queue: "root.team".to_owned(),
            tier: wire::Tier::Tier3.into(),
            driver: Some(wire::DriverSpec {
                cores: 1,
                cpu_request_millicores: 20,
                memory_bytes: 1 << 30,
                memory_overhead_bytes: 1 << 29,
                extended_resources: devices.clone(),
            }),
            executor: Some(wire::ExecutorSpec {
                instances: 3,
                cores: 2,
                cpu_request_millicores: 40,
                memory_bytes: 1 << 31,
                memory_overhead_bytes: 1 << 28,
                extended_resources: devices,
            }),
            service_level: Some(seconds(5)),
            source: "by hand".to_owned(),
            revision: 6,
            create_time: Some(to_proto(epoch)),
            update_time: Some(to_proto(epoch)),
        };
        let settings = parsed(|violations| StrategySettings::parse(violations, "strategy", &said));
        let kept = Strategy {
            project: "team-a".to_owned(),
            workflow: "nightly".to_owned(),
            settings,
            revision: 6,
            create_time: epoch,
            update_time: epoch,
        };
        assert_eq!(strategy(kept), said);
    }
}
