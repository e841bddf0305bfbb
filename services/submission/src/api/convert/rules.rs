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
