//! What `kubectl kustomize` makes of every folder that is applied: as agreed, and within the rules.

mod policy;
mod snapshots;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Every folder that somebody applies.
const APPLIED: [&str; 4] = [
    "overlays/local",
    "platform/s3",
    "platform/spark-jobs",
    "platform/yunikorn",
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The YAML that kustomize renders.
fn render(folder: &str) -> String {
    let path = workspace().join("deploy/kustomize").join(folder);
    let output = Command::new("kubectl")
        .arg("kustomize")
        .arg(&path)
        .output()
        .expect("kubectl renders the manifests and must be installed");
    assert!(
        output.status.success(),
        "{folder}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("manifests are UTF-8")
}

/// The objects in rendered YAML.
fn objects(folder: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&render(folder)).expect("rendered manifests are YAML")
}
