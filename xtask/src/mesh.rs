//! The mesh in the local cluster: images, manifests, and clients that reach its services.

mod clients;
mod host;
pub mod images;

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Subcommand;

pub use self::clients::{Clients, Endpoints, exporter};
use crate::{
    cluster::{self, Cache, ClusterInfo, Kubectl, Probe, step, wait_for},
    workspace,
};

const NAMESPACE: &str = "moka";
const OVERLAY: &str = "deploy/kustomize/overlays/local";
const PATIENCE: Duration = Duration::from_mins(3);

/// What to do with the mesh.
#[derive(Debug, Subcommand)]
pub enum MeshCommand {
    /// Build the images and apply deploy/kustomize/overlays/local to the local cluster.
    Install,
    /// Run the services as processes of this machine instead, for a quick inner loop.
    Up,
    /// Stop those processes.
    Down,
}

/// Runs a command of `cargo xtask mesh`.
///
/// # Errors
/// When it fails; the message says which step.
pub async fn run(command: MeshCommand) -> Result<()> {
    match command {
        MeshCommand::Install => {
            let endpoints = install(&cluster::ensure_up().await?).await?;
            println!("submission answers on {}", endpoints.submission);
            Ok(())
        }
        MeshCommand::Up => host::up(&cluster::ensure_up().await?).await,
        MeshCommand::Down => host::down().await,
    }
}

/// Builds the images and applies the local overlay, which is all there is to an installation.
/// Services whose image changed are started anew, because their tag stays the same.
///
/// # Errors
/// When an image cannot be built, or a service is not ready in three minutes.
pub async fn install(cluster: &ClusterInfo) -> Result<Endpoints> {
    let renewed = images::build_and_load(&Cache::locate()?).await?;
    let kubectl = cluster.kubectl();
    let overlay = workspace::root().join(OVERLAY);
    let apply = async {
        kubectl
            .run([
                "apply",
                "--server-side",
                "--kustomize",
                &overlay.display().to_string(),
            ])
            .await?;
        for service in renewed
            .iter()
            .filter(|service| **service != "metrics-exporter")
        {
            let name = workload(service);
            kubectl
                .run(["--namespace", NAMESPACE, "rollout", "restart", &name])
                .await?;
        }
        for service in images::SERVICES
            .iter()
            .filter(|service| **service != "metrics-exporter")
        {
            wait(&kubectl, service).await?;
        }
        // A service is ready some time before kube-proxy has its address.
        let endpoints = Endpoints::find(&kubectl).await?;
        for (service, url) in endpoints.services() {
            let address = url.trim_start_matches("http://").to_owned();
            wait_for(service, &Probe::Tcp(address), PATIENCE).await?;
        }
        Ok(endpoints)
    };
    step("installing the mesh", apply).await
}

/// What a service runs as.
fn workload(service: &str) -> String {
    match service {
        "log-shipper" => format!("daemonset/{service}"),
        _ => format!("deployment/{service}"),
    }
}

async fn wait(kubectl: &Kubectl, service: &str) -> Result<()> {
    let timeout = format!("--timeout={}s", PATIENCE.as_secs());
    let name = workload(service);
    let status = kubectl
        .run([
            "--namespace",
            NAMESPACE,
            "rollout",
            "status",
            &name,
            &timeout,
        ])
        .await;
    let Err(error) = status else { return Ok(()) };
    let selector = format!("app.kubernetes.io/name={service}");
    let log = kubectl
        .run([
            "--namespace",
            NAMESPACE,
            "logs",
            "--tail=15",
            "--prefix",
            "--selector",
            &selector,
        ])
        .await
        .unwrap_or_default();
    let pods = kubectl
        .run([
            "--namespace",
            NAMESPACE,
            "get",
            "pods",
            "--selector",
            &selector,
        ])
        .await
        .unwrap_or_default();
    Err(error).with_context(|| format!("{service} is not ready:\n{pods}\n{log}"))
}
