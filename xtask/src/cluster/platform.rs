//! What runs in the cluster before any service of ours: definitions, namespaces, YuniKorn, S3.

use std::{path::Path, time::Duration};

use anyhow::Result;

use super::{
    digest::ContentHash,
    kubectl::Kubectl,
    probe::{self, Probe},
};
use crate::workspace;

const FOLDERS: [&str; 3] = ["spark-jobs", "yunikorn", "s3"];
const PATIENCE: Duration = Duration::from_mins(2);

/// Objects with this label are created once and then belong to a service.
const SEED: &str = "moka.dev/seed";

/// Installs the custom resources of the Spark Operator and waits until the API serves them.
///
/// # Errors
/// When the API refuses.
pub(crate) async fn install_definitions(kubectl: &Kubectl, definitions: &Path) -> Result<()> {
    let folder = definitions.display().to_string();
    kubectl
        .run([
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename",
            &folder,
        ])
        .await?;
    let wait = [
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "--filename",
        &folder,
    ];
    kubectl.run(wait).await.map(drop)
}

/// What [`apply`] would apply: an unchanged cluster that answers needs it no second time.
///
/// # Errors
/// When the manifests cannot be read.
pub(crate) fn fingerprint() -> Result<String> {
    let mut hash = ContentHash::default();
    for folder in FOLDERS {
        hash.add_path(
            folder,
            &workspace::root()
                .join("deploy/kustomize/platform")
                .join(folder),
        )?;
    }
    Ok(hash.finish())
}

/// Whether YuniKorn and S3 answer now.
pub(crate) async fn answers(kubectl: &Kubectl) -> bool {
    for service in [YUNIKORN, S3] {
        match service.probe(kubectl).await {
            Ok(probe) if probe.passes().await => {}
            _ => return false,
        }
    }
    true
}

/// Applies the manifests in `deploy/kustomize/platform`.
///
/// # Errors
/// When the API refuses.
pub(crate) async fn apply(kubectl: &Kubectl) -> Result<()> {
    for folder in FOLDERS {
        let path = workspace::root()
            .join("deploy/kustomize/platform")
            .join(folder);
        let path = path.display().to_string();
        let seeded = kubectl
            .run([
                "get",
                "configmaps",
                "--namespace",
                folder,
                "--selector",
                SEED,
                "--output",
                "name",
            ])
            .await
            .is_ok_and(|names| !names.trim().is_empty());
        let mut arguments = vec![
            "apply",
            "--server-side",
            "--force-conflicts",
            "--kustomize",
            &path,
        ];
        let unless_seed = format!("!{SEED}");
        if seeded {
            arguments.extend(["--selector", &unless_seed]);
        }
        kubectl.run(arguments).await?;
    }
    Ok(())
}

/// Waits until YuniKorn and S3 answer where pods look for them.
///
/// # Errors
/// When one does not in two minutes; the message tells the state of its pods.
pub(crate) async fn wait(kubectl: &Kubectl) -> Result<()> {
    for service in [YUNIKORN, S3] {
        let probe = service.probe(kubectl).await?;
        if let Err(error) = probe::wait(service.shown, &probe, PATIENCE).await {
            let pods = kubectl
                .run(["--namespace", service.namespace, "describe", "pods"])
                .await;
            let pods = super::command::last_lines(&pods.unwrap_or_default(), 15);
            return Err(error.context(format!("its pods:\n{pods}")));
        }
    }
    Ok(())
}

/// A service of the platform and the path that a ready one answers.
#[derive(Clone, Copy)]
pub(crate) struct Service {
    pub(crate) shown: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    path: &'static str,
}

pub(crate) const YUNIKORN: Service = Service {
    shown: "yunikorn",
    namespace: "yunikorn",
    name: "yunikorn-service",
    path: "/ws/v1/partition/default/queues",
};

pub(crate) const S3: Service = Service {
    shown: "s3",
    namespace: "moka",
    name: "s3",
    path: "/health",
};

impl Service {
    /// A request through the service's address.
    ///
    /// # Errors
    /// When there is no such service.
    pub(crate) async fn probe(&self, kubectl: &Kubectl) -> Result<Probe> {
        let url = kubectl.service_url(self.namespace, self.name).await?;
        Ok(Probe::Http(format!("{url}{}", self.path)))
    }
}
