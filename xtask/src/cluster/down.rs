//! Back to a machine without a cluster. Binaries and images stay in the cache.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;

use super::{
    NODE_FOLDER, NODE_FOLDER_MARK,
    cache::{Cache, RUN, State},
    components, containers, daemon, network, packages,
    progress::step,
    up,
};

/// Ends every process of the cluster and removes its state.
///
/// # Errors
/// When a process survives or something cannot be removed.
pub(crate) async fn down(cache: &Cache) -> Result<()> {
    let state = cache.state();
    if !state.root().exists() {
        eprintln!("no local cluster");
        return Ok(());
    }
    anyhow::ensure!(packages::is_root(), "stopping the local cluster needs root");
    let _lock = up::lock().await?;
    step("stopping the node", stop_processes(&state)).await?;
    step("cleaning up", clean_up(cache, &state)).await
}

async fn stop_processes(state: &State) -> Result<()> {
    let clients = components::NAMES
        .into_iter()
        .filter(|name| !matches!(*name, "containerd" | "etcd" | "kube-apiserver"));
    try_join_all(clients.map(|name| daemon::kill(state, name))).await?;
    try_join_all(["kube-apiserver", "etcd"].map(|name| daemon::kill(state, name))).await?;
    Ok(())
}

async fn clean_up(cache: &Cache, state: &State) -> Result<()> {
    let namespaces = containers::network_namespaces();
    containers::kill_all().await;
    if daemon::process_id(state, "containerd").is_some() {
        containers::forget_all().await?;
    }
    daemon::stop(state, "containerd").await?;
    // What holds the containers is left, and whatever a killed `up` did not record.
    for id in daemon::marked(state) {
        daemon::send("KILL", id).await;
    }
    // Builds of images leave mounts in their storage.
    let folders = [state.root(), Path::new(RUN), &cache.image_storage()];
    containers::unmount_all(&folders, &namespaces).await?;
    network::remove().await?;
    remove_folders(state)
}

fn remove_folders(state: &State) -> Result<()> {
    for folder in ["/var/log/pods", "/var/log/containers"] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            remove(&entry.path())?;
        }
    }
    for entry in fs::read_dir("/var/lib/cni/results")
        .into_iter()
        .flatten()
        .flatten()
    {
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with("moka-pods-")
        {
            remove(&entry.path())?;
        }
    }
    for controller in fs::read_dir("/sys/fs/cgroup")
        .into_iter()
        .flatten()
        .flatten()
    {
        remove_groups(&controller.path().join("kubepods"));
    }
    remove_groups(Path::new("/sys/fs/cgroup/kubepods"));
    if Path::new(NODE_FOLDER).join(NODE_FOLDER_MARK).exists() {
        remove(Path::new(NODE_FOLDER))?;
    }
    remove(&Path::new(RUN).join("containerd"))?;
    remove(&Path::new(RUN).join("owner"))?;
    remove(state.root())
}

/// Control groups are removed from the inside out; one that is in use stays.
fn remove_groups(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}

fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    removed.with_context(|| format!("removing {}", path.display()))
}
