//! The containers' environment.

use serde_json::{Value, json};

use super::super::launch_spec::LaunchSpec;

/// Variables with values, then those from secrets, each in a fixed order.
pub(super) fn variables(spec: &LaunchSpec) -> Vec<Value> {
    let plain = spec.environment.iter().map(|(name, value)| {
        // Kubernetes would replace `$(NAME)` in a value; a doubled `$` keeps it.
        json!({ "name": name, "value": value.replace("$(", "$$(") })
    });
    let secret = spec.secret_environment.iter().map(|variable| {
        let reference = json!({ "name": variable.secret, "key": variable.key });
        json!({ "name": variable.name, "valueFrom": { "secretKeyRef": reference } })
    });
    plain.chain(secret).collect()
}
