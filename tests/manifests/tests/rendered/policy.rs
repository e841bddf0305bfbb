//! Rules that hold for everything we deploy.

use serde_json::Value;

use crate::{APPLIED, objects};

/// Workloads of ours: name, pod specification.
fn workloads(folder: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for object in objects(folder) {
        let kind = object["kind"].as_str().unwrap_or_default();
        if matches!(kind, "Deployment" | "DaemonSet" | "StatefulSet") {
            let name = object["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            found.push((name, object["spec"]["template"]["spec"].clone()));
        }
    }
    found
}

fn containers(pod: &Value) -> Vec<Value> {
    pod["containers"].as_array().cloned().unwrap_or_default()
}

#[test]
fn every_service_is_deployed() {
    let names: Vec<_> = workloads("overlays/local")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    // metrics-exporter is a sidecar that submission writes into drivers.
    assert_eq!(
        sorted(names),
        [
            "history-index",
            "log-broker",
            "log-shipper",
            "scheduler-adapter",
            "submission"
        ]
    );
}

#[test]
fn every_container_has_probes_requests_and_a_memory_limit() {
    for folder in APPLIED {
        for (name, pod) in workloads(folder) {
            for container in containers(&pod) {
                assert!(
                    container["readinessProbe"].is_object(),
                    "{name}: no readiness probe"
                );
                let resources = &container["resources"];
                assert!(
                    resources["requests"]["cpu"].is_string(),
                    "{name}: no CPU request"
                );
                assert!(
                    resources["requests"]["memory"].is_string(),
                    "{name}: no memory request"
                );
                assert!(
                    resources["limits"]["memory"].is_string(),
                    "{name}: no memory limit"
                );
            }
        }
    }
}

#[test]
fn services_run_with_the_least_privileges() {
    for (name, pod) in workloads("overlays/local") {
        assert_eq!(
            pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
            "{name}"
        );
        assert_eq!(pod["enableServiceLinks"], false, "{name}");
        for container in containers(&pod) {
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(security["capabilities"]["drop"][0], "ALL", "{name}");
            assert_eq!(
                container["livenessProbe"]["httpGet"]["path"], "/livez",
                "{name}"
            );
            assert_eq!(
                container["readinessProbe"]["httpGet"]["path"], "/readyz",
                "{name}"
            );
        }
        // The node agent reads files of root; nothing else is root.
        assert_eq!(
            pod["securityContext"]["runAsNonRoot"] == true,
            name != "log-shipper",
            "{name}"
        );
    }
}

#[test]
fn no_role_has_a_wildcard() {
    for folder in APPLIED {
        for object in objects(folder) {
            let Some(rules) = object["rules"].as_array() else {
                continue;
            };
            for rule in rules {
                let text = rule.to_string();
                assert!(
                    !text.contains("\"*\""),
                    "{}: {text}",
                    object["metadata"]["name"]
                );
            }
        }
    }
}

#[test]
fn only_those_who_call_the_api_server_get_a_token() {
    for (name, pod) in workloads("overlays/local") {
        let expected = matches!(name.as_str(), "submission" | "log-broker");
        assert_eq!(pod["automountServiceAccountToken"], expected, "{name}");
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
