//! A cluster.

use std::{collections::BTreeMap, ops::RangeInclusive};

use moka_proto::submission::v1 as wire;
use moka_rpc::Violations;

use super::{Owner, defaults, policy};
use crate::domain::{
    launch_spec::LiveUi,
    rules::{ClusterLimits, ClusterSettings},
    spec::{
        Tier,
        parse::{architectures, at_most, dns_name, seconds, settings, url},
    },
};

const DESCRIPTION_BYTES: usize = 256;
const MOST_PROFILES: usize = 32;
const MOST_PROFILE_SETTINGS: usize = 64;
const RATE: RangeInclusive<i32> = 0..=10_000;
const ATTEMPTS: RangeInclusive<i32> = 0..=1_000_000;
const PATIENCE_SECONDS: RangeInclusive<i64> = 1..=30 * 86_400;
const PORTS: RangeInclusive<i32> = 1024..=65_535;

pub(super) fn parse(
    violations: &mut Violations,
    path: &str,
    cluster: &wire::Cluster,
) -> ClusterSettings {
    let field = |name: &str| format!("{path}.{name}");
    let v = violations;
    v.max_length(
        &field("description"),
        &cluster.description,
        DESCRIPTION_BYTES,
    );
    if !cluster.namespace.is_empty() {
        v.dns_label(&field("namespace"), &cluster.namespace);
    }
    ClusterSettings {
        description: cluster.description.clone(),
        namespace: cluster.namespace.clone(),
        architectures: architectures(v, &field("architectures"), &cluster.architectures),
        defaults: defaults(
            v,
            &field("defaults"),
            cluster.defaults.as_ref(),
            Owner::Cluster,
        ),
        policy: policy(v, &field("policy"), cluster.policy.as_ref()),
        shuffle_profiles: profiles(v, &field("shuffle_profiles"), &cluster.shuffle_profiles),
        priority_class_by_tier: priority_classes(
            v,
            &field("priority_class_by_tier"),
            &cluster.priority_class_by_tier,
        ),
        limits: limits(v, &field("limits"), cluster.limits.as_ref()),
        live_ui: cluster
            .live_ui
            .as_ref()
            .map(|live_ui| self::live_ui(v, &field("live_ui"), live_ui)),
    }
}

fn profiles(
    violations: &mut Violations,
    field: &str,
    profiles: &BTreeMap<String, wire::ShuffleProfile>,
) -> BTreeMap<String, BTreeMap<String, String>> {
    at_most(violations, field, profiles.len(), MOST_PROFILES);
    for (name, profile) in profiles.iter().take(MOST_PROFILES) {
        let path = format!("{field}[\"{name}\"]");
        violations.dns_label(&path, name);
        let conf = format!("{path}.spark_conf");
        at_most(
            violations,
            &conf,
            profile.spark_conf.len(),
            MOST_PROFILE_SETTINGS,
        );
        settings(violations, &conf, &profile.spark_conf);
    }
    let checked = |(name, profile): (&String, &wire::ShuffleProfile)| {
        (name.clone(), profile.spark_conf.clone())
    };
    profiles.iter().map(checked).collect()
}

fn priority_classes(
    violations: &mut Violations,
    field: &str,
    classes: &BTreeMap<String, String>,
) -> BTreeMap<Tier, String> {
    let mut checked = BTreeMap::new();
    for (number, class) in classes {
        let path = format!("{field}[\"{number}\"]");
        match Tier::ALL.into_iter().find(|tier| tier.number() == number) {
            None => violations.add(path, "must be 1, 2 or 3"),
            Some(tier) => {
                dns_name(violations, &path, class);
                checked.insert(tier, class.clone());
            }
        }
    }
    checked
}

fn limits(
    violations: &mut Violations,
    path: &str,
    limits: Option<&wire::ClusterLimits>,
) -> ClusterLimits {
    let limits = limits.copied().unwrap_or_default();
    for (name, count, allowed) in [
        ("launches_per_second", limits.launches_per_second, &RATE),
        ("launch_burst", limits.launch_burst, &RATE),
        ("max_live_attempts", limits.max_live_attempts, &ATTEMPTS),
        (
            "max_operator_backlog",
            limits.max_operator_backlog,
            &ATTEMPTS,
        ),
    ] {
        violations.range(&format!("{path}.{name}"), &count, allowed);
    }
    ClusterLimits {
        launches_per_second: limits.launches_per_second.unsigned_abs(),
        launch_burst: limits.launch_burst.unsigned_abs(),
        max_live_attempts: limits.max_live_attempts.unsigned_abs(),
        max_operator_backlog: limits.max_operator_backlog.unsigned_abs(),
        unreachable_patience_seconds: seconds(
            violations,
            &format!("{path}.unreachable_patience"),
            limits.unreachable_patience.as_ref(),
            &PATIENCE_SECONDS,
        ),
    }
}

fn live_ui(violations: &mut Violations, path: &str, live_ui: &wire::LiveUi) -> LiveUi {
    if live_ui.port != 0 {
        violations.range(&format!("{path}.port"), &live_ui.port, &PORTS);
    }
    let template = &live_ui.url_template;
    if !template.is_empty() {
        check_template(violations, &format!("{path}.url_template"), template);
    }
    let port = u16::try_from(live_ui.port).unwrap_or_default();
    LiveUi {
        port: if port == 0 {
            LiveUi::DEFAULT_PORT
        } else {
            port
        },
        url_template: (!template.is_empty()).then(|| template.clone()),
    }
}

/// A template that does not tell attempts apart would send every caller to the same driver.
fn check_template(violations: &mut Violations, field: &str, template: &str) {
    url(violations, field, template);
    if !template.starts_with("https://") && !template.starts_with("http://") {
        violations.add(field, "must begin with https:// or http://");
    }
    if template.contains(['?', '#']) {
        violations.add(field, "must have neither a query nor a fragment");
    }
    for placeholder in LiveUi::PLACEHOLDERS {
        if !template.contains(placeholder) {
            violations.add(field, format!("must have {placeholder}"));
        }
    }
    let rest = LiveUi::PLACEHOLDERS
        .iter()
        .fold(template.to_owned(), |rest, known| rest.replace(known, ""));
    if rest.contains(['{', '}']) {
        violations.add(field, "must have no other placeholder");
    }
}
