//! `cargo xtask cluster …`: a real Kubernetes, YuniKorn and Spark Operator on this machine.

mod cache;
mod children;
mod command;
mod components;
mod containers;
pub mod control_plane;
mod daemon;
mod digest;
mod down;
mod existing;
pub mod images;
mod kubeconfig;
mod kubectl;
mod lock;
mod network;
mod packages;
mod pki;
mod platform;
mod probe;
mod progress;
mod pyspark;
mod requirements;
mod s3a;
mod settings;
mod status;
mod tools;
mod up;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;

use self::platform::{S3, YUNIKORN};
pub use self::{
    cache::{Cache, State},
    pyspark::SPARK_VERSION,
};
pub(crate) use self::{
    children::TiedChild,
    command::{find as find_program, logged, output, tail},
    daemon::{Daemon, stop as stop_daemon},
    kubectl::Kubectl,
    packages::{IMAGES as IMAGE_PACKAGES, ensure as ensure_packages, is_root},
    probe::{Probe, component as wait_for_daemon, wait as wait_for},
    progress::step,
    tools::{binary as tool, ensure as ensure_tools},
};

/// The node's address, on the bridge of its pods.
const NODE_ADDRESS: &str = "10.88.0.1";
/// Where services have their addresses.
const SERVICE_ADDRESSES: &str = "10.96.0.0/16";
const NODE_NAME: &str = "moka-local";
/// Where pods of the platform keep what outlives them.
const NODE_FOLDER: &str = "/var/lib/moka";
const NODE_FOLDER_MARK: &str = ".made-by-local-cluster";

/// The real grpcurl, built when it is not there yet.
///
/// # Errors
/// When there is no Go, or the build fails.
pub async fn grpcurl() -> Result<PathBuf> {
    let cache = Cache::locate()?;
    tools::ensure(&cache, &["grpcurl"]).await?;
    tools::binary(&cache, "grpcurl")
}

/// What to do with the local cluster.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Start the cluster, or repair it, and wait until it is ready.
    Up,
    /// Stop the cluster and remove its state; binaries and images stay in the cache.
    Down,
    /// Say what runs; fails when something is not ready.
    Status,
    /// Print the end of a component's log.
    Logs {
        /// One of the components that `status` names.
        component: String,
        /// How many lines.
        #[arg(long, default_value_t = 100)]
        lines: usize,
    },
    /// Build what the cluster needs without starting it.
    Build,
}

/// How to reach the cluster, from this machine and, where it says so, from its pods.
#[derive(Clone, Debug)]
pub struct ClusterInfo {
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// The node's address, where pods reach the host's agents. Nothing for a foreign cluster.
    pub node_address: Option<String>,
    /// The program `kubectl`.
    pub kubectl: PathBuf,
    /// The program `grpcurl`.
    pub grpcurl: PathBuf,
    /// Spark as pip installs it, for a History Server or a spark-submit on this machine.
    pub spark_home: PathBuf,
    /// The image that applications run in.
    pub spark_image: String,
    /// YuniKorn's REST, reachable from this machine and from pods.
    pub yunikorn_url: String,
    /// The object store, when this tool runs it.
    pub s3: Option<ObjectStore>,
    /// Base of the HTTP API of the node's VictoriaMetrics, when this tool runs it.
    pub metrics_url: Option<String>,
    /// `host:port` of its OpenTSDB listener.
    pub opentsdb_address: Option<String>,
}

impl ClusterInfo {
    /// Calls of `kubectl` against this cluster.
    pub(crate) fn kubectl(&self) -> Kubectl {
        Kubectl {
            program: self.kubectl.clone(),
            kubeconfig: self.kubeconfig.clone(),
        }
    }
}

/// An S3 endpoint with its credentials and a bucket that exists.
#[derive(Clone, Debug)]
pub struct ObjectStore {
    /// Reachable from this machine and from pods.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// The key's id.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
}

/// Runs a command of `cargo xtask cluster`.
///
/// # Errors
/// When it fails; the message says which step, and where its log is.
pub async fn run(command: ClusterCommand) -> Result<()> {
    let cache = Cache::locate()?;
    match command {
        ClusterCommand::Up => {
            let info = ensure_up().await?;
            println!("ready: export KUBECONFIG={}", info.kubeconfig.display());
            Ok(())
        }
        ClusterCommand::Down if existing::kubeconfig().is_some() => {
            bail!("MOKA_KUBECONFIG names a cluster that this tool does not manage")
        }
        ClusterCommand::Down => down::down(&cache).await,
        ClusterCommand::Status => status::print(&cache.state(), &kubectl(&cache).await?).await,
        ClusterCommand::Logs { component, lines } => logs(&cache, &component, lines).await,
        ClusterCommand::Build => {
            requirements::check().await?;
            up::build(&cache).await.map(drop)
        }
    }
}

/// Starts the local cluster unless it runs, and tells how to reach it. With `MOKA_KUBECONFIG` set,
/// checks that cluster instead.
///
/// # Errors
/// When the cluster cannot be started or the existing one lacks something.
pub async fn ensure_up() -> Result<ClusterInfo> {
    let cache = Cache::locate()?;
    let kubectl = kubectl(&cache).await?;
    let local = existing::kubeconfig().is_none();
    if local {
        up::up(&cache).await?;
    } else {
        existing::check(&kubectl).await?;
        tools::ensure(&cache, &["grpcurl"]).await?;
    }
    let on_node = |text: &str| local.then(|| text.to_owned());
    Ok(ClusterInfo {
        node_address: on_node(NODE_ADDRESS),
        grpcurl: tools::binary(&cache, "grpcurl")?,
        spark_home: pyspark::ensure(&cache).await?,
        spark_image: images::catalogue::SPARK.to_owned(),
        yunikorn_url: kubectl
            .service_url(YUNIKORN.namespace, YUNIKORN.name)
            .await?,
        s3: if local {
            Some(object_store(&kubectl).await?)
        } else {
            None
        },
        metrics_url: on_node(&format!("http://{NODE_ADDRESS}:8428")),
        opentsdb_address: on_node(&format!("{NODE_ADDRESS}:18126")),
        kubeconfig: kubectl.kubeconfig,
        kubectl: kubectl.program,
    })
}

/// Ends a component of the local cluster, and what it started, by SIGKILL. [`ensure_up`] starts it
/// anew.
///
/// # Errors
/// When it does not run, or survives.
pub async fn kill(component: &str) -> Result<()> {
    let state = Cache::locate()?.state();
    if daemon::process_id(&state, component).is_none() {
        bail!("{component} does not run");
    }
    daemon::kill(&state, component).await
}

/// Spark as pip installs it, which brings a History Server. Needs no cluster.
///
/// # Errors
/// When it cannot be installed.
pub async fn spark_home() -> Result<PathBuf> {
    pyspark::ensure(&Cache::locate()?).await
}

/// A folder of the jars that Spark needs to read `s3a://`. Needs no cluster.
///
/// # Errors
/// When they cannot be fetched.
pub async fn s3a_jars() -> Result<PathBuf> {
    s3a::ensure(&Cache::locate()?).await
}

/// The program `kubectl`: the machine's, or one built from the cluster's Go module. Needs no
/// cluster.
///
/// # Errors
/// When there is none and it cannot be built.
pub async fn kubectl_program() -> Result<PathBuf> {
    tools::kubectl(&Cache::locate()?).await
}

/// The credentials are those of `deploy/kustomize/platform/s3`.
async fn object_store(kubectl: &Kubectl) -> Result<ObjectStore> {
    Ok(ObjectStore {
        endpoint: kubectl.service_url(S3.namespace, S3.name).await?,
        bucket: "moka".to_owned(),
        access_key_id: "moka".to_owned(),
        secret_access_key: "moka-local-secret".to_owned(),
    })
}

async fn kubectl(cache: &Cache) -> Result<Kubectl> {
    Ok(Kubectl {
        program: tools::kubectl(cache).await?,
        kubeconfig: existing::kubeconfig().unwrap_or_else(|| cache.state().kubeconfig()),
    })
}

async fn logs(cache: &Cache, component: &str, lines: usize) -> Result<()> {
    if let Some(pod) = [YUNIKORN, S3]
        .into_iter()
        .find(|service| service.shown == component)
    {
        let tail = format!("--tail={lines}");
        let owner = if pod.shown == "s3" {
            "deployment/s3"
        } else {
            "deployment/yunikorn-scheduler"
        };
        let kubectl = kubectl(cache).await?;
        print!(
            "{}",
            kubectl
                .run(["--namespace", pod.namespace, "logs", owner, &tail])
                .await?
        );
        return Ok(());
    }
    if !components::NAMES.contains(&component) {
        bail!(
            "there is no {component}; there are {}, yunikorn, s3",
            components::NAMES.join(", ")
        );
    }
    let log = cache.state().log(component);
    let text = std::fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let count = text.lines().count();
    for line in text.lines().skip(count.saturating_sub(lines)) {
        println!("{line}");
    }
    Ok(())
}
