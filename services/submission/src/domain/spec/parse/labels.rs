//! Labels of pods, and tags.

use std::collections::BTreeMap;

use moka_rpc::Violations;

use super::text::{at_most, entry, is_dns_name};

pub(super) const MOST_TAGS: usize = 64;
pub(super) const MOST_LABELS: usize = 32;
/// Longest name, and longest value, of a label.
const LABEL_BYTES: usize = 63;
const PREFIX_BYTES: usize = 253;
/// Domains, and what is below them, whose labels have a meaning for a machine.
const RESERVED_DOMAINS: &[&str] = &["kubernetes.io", "k8s.io", "moka.dev", "yunikorn.apache.org"];
/// Labels without a domain that YuniKorn reads.
const RESERVED_NAMES: &[&str] = &["applicationId", "queue"];
/// How Spark's own labels begin.
const SPARK_PREFIX: &str = "spark-";

/// Words to find an application by.
pub(super) fn tags(violations: &mut Violations, tags: &BTreeMap<String, String>) {
    const FIELD: &str = "spec.tags";
    at_most(violations, FIELD, tags.len(), MOST_TAGS);
    for (name, value) in tags.iter().take(MOST_TAGS) {
        if name.is_empty() || !is_label_value(name) || !is_label_value(value) {
            let rule = format!(
                "name and value must be at most {LABEL_BYTES} letters, digits, '-', '_' and '.', \
                 with a letter or digit at both ends"
            );
            violations.add(entry(FIELD, name), rule);
        }
    }
}

/// Labels of pods, of which none is anybody else's.
pub(in crate::domain) fn labels(
    violations: &mut Violations,
    field: &str,
    labels: &BTreeMap<String, String>,
) {
    at_most(violations, field, labels.len(), MOST_LABELS);
    for (name, value) in labels.iter().take(MOST_LABELS) {
        let path = entry(field, name);
        if !is_qualified_name(name) {
            violations.add(path, "the name must be one of a Kubernetes label");
        } else if is_reserved(name) {
            violations.add(path, "is reserved for the platform");
        } else if !is_label_value(value) {
            let rule = format!(
                "the value must be at most {LABEL_BYTES} letters, digits, '-', '_' and '.', with \
                 a letter or digit at both ends"
            );
            violations.add(path, rule);
        }
    }
}

/// Whether Kubernetes takes it as a key: a name, perhaps behind a domain and `/`.
pub(super) fn is_qualified_name(key: &str) -> bool {
    let (domain, name) = match key.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    !name.is_empty()
        && is_label_value(name)
        && domain.is_none_or(|domain| domain.len() <= PREFIX_BYTES && is_dns_name(domain))
}

fn is_reserved(key: &str) -> bool {
    match key.split_once('/') {
        Some((domain, _)) => RESERVED_DOMAINS.iter().any(|reserved| {
            domain
                .strip_suffix(reserved)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }),
        None => RESERVED_NAMES.contains(&key) || key.starts_with(SPARK_PREFIX),
    }
}

fn is_label_value(value: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    value.is_empty()
        || (value.len() <= LABEL_BYTES
            && value.starts_with(alphanumeric)
            && value.ends_with(alphanumeric)
            && value
                .chars()
                .all(|c| alphanumeric(c) || matches!(c, '-' | '_' | '.')))
}
