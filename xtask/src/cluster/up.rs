//! From nothing, or from whatever is left, to a cluster that is truly ready.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};

use super::{
    NODE_NAME,
    cache::{Cache, RUN, State},
    components::{self, Components},
    containers, daemon,
    daemon::Daemon,
    images,
    kubectl::Kubectl,
    lock::Lock,
    network, packages, platform,
    probe::{self, Probe},
    progress::step,
    pyspark, requirements, settings, tools,
};

const PATIENCE: Duration = Duration::from_secs(90);

/// What is done once the cluster's state is known to be new.
const CLEAN: &str = "clean";

/// Builds what a cluster needs, so that a later start takes seconds.
///
/// # Errors
/// When something is missing or a build fails.
pub(crate) async fn build(cache: &Cache) -> Result<Vec<String>> {
    packages::ensure(cache, &packages::NODE).await?;
    tools::ensure(cache, &tools::CLUSTER).await?;
    tools::operator_definitions(cache).await?;
    pyspark::ensure(cache).await?;
    images::catalogue::build_all(cache).await
}

/// Starts what does not run and waits until everything answers.
///
/// # Errors
/// When a step fails; the message has the last lines of the log that tells why.
pub(crate) async fn up(cache: &Cache) -> Result<()> {
    requirements::check().await?;
    let _lock = lock().await?;
    let state = cache.state();
    claim(&state)?;
    let tags = build(cache).await?;
    let pki = settings::write(cache, &state)?;
    let kubectl = Kubectl {
        program: tools::kubectl(cache).await?,
        kubeconfig: state.kubeconfig(),
    };
    let components = Components {
        cache,
        state: &state,
        pki: &pki,
    };

    let foundation = [
        components.containerd()?,
        components.etcd()?,
        components.api_server()?,
    ];
    step(
        "starting the container runtime and the control plane",
        async {
            network::create().await?;
            start(&state, &foundation, &kubectl).await
        },
    )
    .await?;
    forget_earlier_containers(&state).await?;
    for tag in &tags {
        images::load(cache, tag).await?;
    }
    step("starting the node and the Spark Operator", async {
        let definitions = tools::operator_definitions(cache).await?;
        let mark = state.root().join("definitions");
        if fs::read_to_string(&mark).unwrap_or_default() != definitions.to_string_lossy() {
            platform::install_definitions(&kubectl, &definitions).await?;
            fs::write(mark, definitions.as_os_str().as_encoded_bytes())?;
        }
        start(&state, &components.others().await?, &kubectl).await?;
        wait_for_node(&kubectl).await
    })
    .await?;
    step("starting YuniKorn and S3", async {
        mark_node_folder()?;
        let (mark, wanted) = (state.root().join("platform"), platform::fingerprint()?);
        let applied = fs::read_to_string(&mark).unwrap_or_default() == wanted;
        if applied && platform::answers(&kubectl).await {
            return Ok(());
        }
        platform::apply(&kubectl).await?;
        platform::wait(&kubectl).await?;
        fs::write(mark, wanted).map_err(Into::into)
    })
    .await
}

/// One local cluster per machine, and one command at a time that changes it.
pub(crate) async fn lock() -> Result<Lock> {
    let file = Path::new(RUN).join("lock");
    Lock::acquire(&file, "another command starts or stops the local cluster").await
}

/// Refuses to start beside the cluster of another cache.
fn claim(state: &State) -> Result<()> {
    let file = Path::new(RUN).join("owner");
    let owner = fs::read_to_string(&file).unwrap_or_default();
    let other = State::at(owner.trim().into());
    if other.root() != state.root()
        && components::NAMES
            .iter()
            .any(|name| daemon::process_id(&other, name).is_some())
    {
        bail!(
            "another local cluster runs on this machine, with its state in {}; stop it with \
             `cargo xtask cluster down` under its MOKA_CACHE",
            other.root().display()
        );
    }
    fs::write(&file, state.root().as_os_str().as_encoded_bytes())
        .with_context(|| format!("writing {}", file.display()))
}

async fn start(state: &State, daemons: &[Daemon], kubectl: &Kubectl) -> Result<()> {
    for daemon in daemons {
        daemon.ensure(state).await?;
    }
    for daemon in daemons {
        let probe = components::probe(daemon.name, kubectl);
        probe::component(state, daemon.name, &probe, PATIENCE).await?;
    }
    Ok(())
}

/// The container runtime's data outlives clusters; containers of an earlier one must not.
async fn forget_earlier_containers(state: &State) -> Result<()> {
    let mark = state.root().join(CLEAN);
    if !mark.exists() {
        containers::forget_all().await?;
        fs::write(mark, "")?;
    }
    Ok(())
}

async fn wait_for_node(kubectl: &Kubectl) -> Result<()> {
    let node = format!("node/{NODE_NAME}");
    let ready: Probe = kubectl.probe(&["wait", "--for=condition=Ready", &node, "--timeout=2s"]);
    probe::wait("the node", &ready, PATIENCE).await
}

/// What pods keep on the node's disk is removed with the cluster, but only if it began with it.
fn mark_node_folder() -> Result<()> {
    let folder = Path::new(super::NODE_FOLDER);
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(super::NODE_FOLDER_MARK), "")?;
    }
    // The persistent volumes of deploy/kustomize/overlays/local; the kubelet does not make them.
    for service in ["history-index", "submission"] {
        fs::create_dir_all(folder.join("volumes").join(service))?;
    }
    Ok(())
}
