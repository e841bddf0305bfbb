//! Policies.

use std::ops::RangeInclusive;

use moka_proto::submission::v1 as wire;
use moka_rpc::Violations;

use crate::domain::{
    rules::OverridePolicy,
    spec::{
        ATTEMPTS,
        parse::{at_most, is_clean_absolute_path, is_identifier, name_of_setting, tier, word},
    },
};

const MOST_ENTRIES: usize = 256;
const ENTRY_BYTES: usize = 1024;
const EXECUTORS: RangeInclusive<i32> = 0..=10_000;
/// A heap and what is beside it may be a TiB each, and a sidecar comes on top.
const POD_MEMORY_BYTES: RangeInclusive<i64> = 0..=4 << 40;

pub(super) fn policy(
    violations: &mut Violations,
    path: &str,
    policy: Option<&wire::OverridePolicy>,
) -> OverridePolicy {
    let Some(policy) = policy else {
        return OverridePolicy::default();
    };
    let field = |name: &str| format!("{path}.{name}");
    let v = violations;
    let mut list = |name: &str, entries: &[String], is_allowed: fn(&str) -> bool, rule: &str| {
        let field = field(name);
        at_most(v, &field, entries.len(), MOST_ENTRIES);
        for (index, entry) in entries.iter().take(MOST_ENTRIES).enumerate() {
            let path = format!("{field}[{index}]");
            word(v, &path, entry, ENTRY_BYTES);
            if !is_allowed(entry) {
                v.add(path, rule);
            }
        }
        entries.to_vec()
    };
    let anything = |_: &str| true;
    let checked = OverridePolicy {
        locked_spark_conf: list(
            "locked_spark_conf",
            &policy.locked_spark_conf,
            is_pattern,
            "must be a setting such as spark.sql.ansi.enabled, or a prefix such as spark.sql.*",
        ),
        locked_environment: list(
            "locked_environment",
            &policy.locked_environment,
            is_identifier,
            "must be a C identifier",
        ),
        image_prefixes: list("image_prefixes", &policy.image_prefixes, anything, ""),
        service_accounts: list("service_accounts", &policy.service_accounts, anything, ""),
        host_path_prefixes: list(
            "host_path_prefixes",
            &policy.host_path_prefixes,
            is_clean_absolute_path,
            "must be an absolute path other than '/'",
        ),
        queues: list("queues", &policy.queues, anything, ""),
        max_executors: policy.max_executors.unsigned_abs(),
        max_pod_memory_bytes: policy.max_pod_memory_bytes.unsigned_abs(),
        max_attempts: policy.max_attempts.unsigned_abs(),
        best_tier: None,
    };
    v.range(&field("max_executors"), &policy.max_executors, &EXECUTORS);
    v.range(
        &field("max_pod_memory_bytes"),
        &policy.max_pod_memory_bytes,
        &POD_MEMORY_BYTES,
    );
    let attempts = 0..=*ATTEMPTS.end();
    v.range(&field("max_attempts"), &policy.max_attempts, &attempts);
    OverridePolicy {
        best_tier: tier(v, &field("best_tier"), policy.best_tier),
        ..checked
    }
}

/// The name of a setting, or a prefix of such names before `*`.
fn is_pattern(text: &str) -> bool {
    let name = text.strip_suffix('*').unwrap_or(text);
    name_of_setting(name) && !name.contains('*')
}
