//! A cluster that somebody else runs, named by `MOKA_KUBECONFIG`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::{cache::environment, kubectl::Kubectl};

/// The kubeconfig in `MOKA_KUBECONFIG`, if it is set.
pub(crate) fn kubeconfig() -> Option<PathBuf> {
    environment("MOKA_KUBECONFIG").map(PathBuf::from)
}

/// Whether the cluster has what our services and applications need.
///
/// # Errors
/// When it does not answer, or lacks the Spark Operator or YuniKorn.
pub(crate) async fn check(kubectl: &Kubectl) -> Result<()> {
    let file = kubectl.kubeconfig.display();
    kubectl
        .run(["get", "--raw", "/readyz"])
        .await
        .with_context(|| format!("the cluster of MOKA_KUBECONFIG={file} does not answer"))?;
    kubectl
        .run(["get", "crd", "sparkapplications.sparkoperator.k8s.io"])
        .await
        .with_context(|| format!("the cluster of {file} has no Spark Operator"))?;
    kubectl
        .run([
            "--namespace",
            "yunikorn",
            "get",
            "service",
            "yunikorn-service",
        ])
        .await
        .with_context(|| format!("the cluster of {file} has no YuniKorn in namespace yunikorn"))?;
    Ok(())
}
