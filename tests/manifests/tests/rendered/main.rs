//! What `kubectl kustomize` makes of every folder that is applied: as agreed, and within the rules.

mod fluent_bit;
mod policy;
mod snapshots;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use serde_json::Value;

/// Every folder that somebody applies.
const APPLIED: [&str; 7] = [
    "overlays/local",
    "overlays/submission-fleet",
    "platform/alerts",
    "platform/fluent-bit",
    "platform/s3",
    "platform/spark-jobs",
    "platform/yunikorn",
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The YAML that kustomize renders.
fn render(folder: &str) -> String {
    static KUBECTL: LazyLock<PathBuf> = LazyLock::new(|| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
        runtime
            .block_on(moka_xtask::cluster::kubectl_program())
            .expect("kubectl is here or is built")
    });
    let path = workspace().join("deploy/kustomize").join(folder);
    let output = Command::new(&*KUBECTL)
        .arg("kustomize")
        .arg(&path)
        .output()
        .expect("kubectl runs");
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
