//! Spark's settings and the containers' environment.

use std::collections::{BTreeMap, BTreeSet};

use moka_proto::submission::v1::{ApplicationSpec, SecretVariable as WireSecretVariable};
use moka_rpc::Violations;

use super::text::{ONE_ARGUMENT_BYTES, at_most, dns_name, entry, is_identifier, map_size};
use crate::domain::{platform_settings, spec::SecretVariable};

pub(super) const MOST_SETTINGS: usize = 1024;
pub(super) const SETTINGS_BYTES: usize = 256 * 1024;
pub(super) const MOST_VARIABLES: usize = 256;
pub(super) const VARIABLES_BYTES: usize = 64 * 1024;
pub(super) const MOST_SECRETS: usize = 64;
const SECRET_KEY_BYTES: usize = 253;

/// Spark's settings, of which none is the platform's.
pub(in crate::domain) fn settings(
    violations: &mut Violations,
    field: &str,
    settings: &BTreeMap<String, String>,
) {
    map_size(violations, field, settings, MOST_SETTINGS, SETTINGS_BYTES);
    for (key, value) in settings {
        if platform_settings::is_owned(key) {
            violations.add(entry(field, key), "the platform sets this itself");
        } else if !name_of_setting(key) {
            violations.add(
                entry(field, key),
                "must be the name of a setting, such as spark.sql.ansi.enabled",
            );
        } else if value.contains('\0') {
            violations.add(entry(field, key), "must not have NUL characters");
        } else if key.len() + "=".len() + value.len() > ONE_ARGUMENT_BYTES {
            // Each is an argument of spark-submit.
            let rule = format!("must be at most {ONE_ARGUMENT_BYTES} bytes with '=' between");
            violations.add(entry(field, key), rule);
        }
    }
}

/// Whether Spark takes it as the name of a setting.
pub(in crate::domain) fn name_of_setting(key: &str) -> bool {
    key.starts_with("spark.")
        && !key.contains(|c: char| c.is_whitespace() || c.is_control() || c == '=')
}

/// Variables with their values.
pub(in crate::domain) fn environment(
    violations: &mut Violations,
    field: &str,
    variables: &BTreeMap<String, String>,
) {
    map_size(
        violations,
        field,
        variables,
        MOST_VARIABLES,
        VARIABLES_BYTES,
    );
    for (name, value) in variables {
        if !is_identifier(name) {
            violations.add(entry(field, name), "must be a C identifier");
        } else if value.contains('\0') {
            violations.add(entry(field, name), "must not have NUL characters");
        }
    }
}

/// Variables whose values are in secrets. No name may stand for two values.
pub(super) fn secrets(violations: &mut Violations, spec: &ApplicationSpec) -> Vec<SecretVariable> {
    const FIELD: &str = "spec.secret_environment";
    let variables = &spec.secret_environment;
    at_most(violations, FIELD, variables.len(), MOST_SECRETS);
    let mut names = BTreeSet::new();
    for (index, variable) in variables.iter().take(MOST_SECRETS).enumerate() {
        let WireSecretVariable { name, secret, key } = variable;
        let path = format!("{FIELD}[{index}]");
        let name_path = format!("{path}.name");
        if !is_identifier(name) {
            violations.add(name_path, "must be a C identifier");
        } else if spec.environment.contains_key(name) {
            violations.add(name_path, "is in spec.environment too");
        } else if !names.insert(name) {
            violations.add(name_path, "must not be there twice");
        }
        dns_name(violations, &format!("{path}.secret"), secret);
        if !is_secret_key(key) {
            let rule = format!(
                "must be 1 to {SECRET_KEY_BYTES} letters, digits, '-', '_' and '.', and not '.' or '..'"
            );
            violations.add(format!("{path}.key"), rule);
        }
    }
    let checked = |variable: &WireSecretVariable| SecretVariable {
        name: variable.name.clone(),
        secret: variable.secret.clone(),
        key: variable.key.clone(),
    };
    variables.iter().map(checked).collect()
}

fn is_secret_key(key: &str) -> bool {
    (1..=SECRET_KEY_BYTES).contains(&key.len())
        && !matches!(key, "." | "..")
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
