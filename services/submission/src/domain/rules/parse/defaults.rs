//! Defaults.

use moka_proto::submission::v1 as wire;
use moka_rpc::Violations;

use crate::domain::{
    rules::Defaults,
    spec::parse::{
        IMAGE_BYTES, QUEUE_BYTES, deadlines, dns_name, environment, labels, retry, settings,
        spark_version, tier, word_or_nothing,
    },
};

/// Whose defaults they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Cluster,
    Project,
}

pub(super) fn defaults(
    violations: &mut Violations,
    path: &str,
    defaults: Option<&wire::Defaults>,
    owner: Owner,
) -> Defaults {
    let Some(defaults) = defaults else {
        return Defaults::default();
    };
    let field = |name: &str| format!("{path}.{name}");
    let v = violations;
    word_or_nothing(v, &field("image"), &defaults.image, IMAGE_BYTES);
    if !defaults.spark_version.is_empty() {
        spark_version(v, &field("spark_version"), &defaults.spark_version);
    }
    settings(v, &field("spark_conf"), &defaults.spark_conf);
    environment(v, &field("environment"), &defaults.environment);
    if !defaults.service_account.is_empty() {
        dns_name(v, &field("service_account"), &defaults.service_account);
    }
    labels(v, &field("labels"), &defaults.labels);
    if owner == Owner::Cluster {
        refuse_choices(v, path, defaults);
    }
    word_or_nothing(v, &field("queue"), &defaults.queue, QUEUE_BYTES);
    if !defaults.shuffle_profile.is_empty() {
        v.dns_label(&field("shuffle_profile"), &defaults.shuffle_profile);
    }
    Defaults {
        image: defaults.image.clone(),
        spark_version: defaults.spark_version.clone(),
        spark_conf: defaults.spark_conf.clone(),
        environment: defaults.environment.clone(),
        queue: defaults.queue.clone(),
        service_account: defaults.service_account.clone(),
        tier: tier(v, &field("tier"), defaults.tier),
        shuffle_profile: defaults.shuffle_profile.clone(),
        retry: defaults
            .retry
            .as_ref()
            .map(|policy| retry(v, &field("retry"), policy)),
        deadlines: deadlines(v, &field("deadlines"), defaults.deadlines.as_ref()),
        labels: defaults.labels.clone(),
    }
}

/// These decide about the cluster, or hold before one is known, so that no cluster can have them.
fn refuse_choices(violations: &mut Violations, path: &str, defaults: &wire::Defaults) {
    for (name, is_set) in [
        ("queue", !defaults.queue.is_empty()),
        ("tier", defaults.tier != 0),
        ("shuffle_profile", !defaults.shuffle_profile.is_empty()),
        ("retry", defaults.retry.is_some()),
        ("deadlines", defaults.deadlines.is_some()),
    ] {
        if is_set {
            violations.add(format!("{path}.{name}"), "is not allowed for a cluster");
        }
    }
}
