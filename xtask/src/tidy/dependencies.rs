//! Which crate of the workspace may depend on which: services meet in `proto` and in the client
//! that everybody else uses too, libraries lean on `core`, nothing leans on tests. Tests of a
//! service may get tools from `xtask`.

use super::{Finding, Source};
use crate::workspace;

const LIBRARIES: &[&str] = &[
    "client", "core", "db", "kube", "objects", "process", "proto", "rpc",
];

pub(super) fn check() -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for folder in ["clients", "libs", "services"] {
        for path in workspace::files(folder, "Cargo.toml")? {
            findings.extend(check_manifest(&Source::read(path)?));
        }
    }
    Ok(findings)
}

fn check_manifest(manifest: &Source) -> Vec<Finding> {
    let mut parts = manifest.path_text().split('/');
    let (Some(kind), Some(name)) = (parts.next(), parts.next()) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let mut of_tests = false;
    for (number, line) in (1..).zip(manifest.text.lines()) {
        if line.starts_with('[') {
            of_tests = line == "[dev-dependencies]";
        }
        let Some(dependency) = line.strip_prefix("moka-") else {
            continue;
        };
        let dependency = dependency.split(['.', ' ', '=']).next().unwrap_or_default();
        let is_tool = of_tests && kind == "services" && dependency == "xtask";
        if !is_tool && !allowed(kind, name, dependency) {
            let rule = format!("{kind}/{name} may not depend on moka-{dependency}");
            findings.push(Finding::new(manifest, number, rule));
        }
    }
    findings
}

fn allowed(kind: &str, name: &str, dependency: &str) -> bool {
    match (kind, name) {
        ("clients", _) => matches!(dependency, "core" | "proto" | "rpc"),
        ("libs", "core" | "proto") => false,
        ("libs", "rpc") => matches!(dependency, "core" | "proto"),
        ("libs", _) => dependency == "core",
        ("services", _) => LIBRARIES.contains(&dependency),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_meet_in_proto_only() {
        assert!(allowed("services", "submission", "proto"));
        assert!(!allowed("services", "submission", "log-broker"));
        assert!(!allowed("libs", "core", "proto"));
        assert!(!allowed("libs", "kube", "db"));
        assert!(allowed("libs", "rpc", "proto"));
        assert!(allowed("services", "log-broker", "client"));
        assert!(!allowed("libs", "rpc", "client"));
        assert!(!allowed("clients", "rust", "db"));
    }

    #[test]
    fn tools_are_for_tests_only() {
        let lines = |text: &str| {
            let manifest = Source {
                path: "services/log-broker/Cargo.toml".into(),
                text: text.to_owned(),
            };
            let findings = check_manifest(&manifest);
            findings.len()
        };
        assert_eq!(
            lines("[dev-dependencies]\nmoka-xtask.workspace = true\n"),
            0
        );
        assert_eq!(lines("[dependencies]\nmoka-xtask.workspace = true\n"), 1);
        assert_eq!(
            lines("[dev-dependencies]\n[dependencies]\nmoka-xtask.workspace = true\n"),
            1
        );
    }
}
