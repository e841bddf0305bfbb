//! The containers of the node, and how to be rid of them even when their runtime is dead.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde::Deserialize;
use tokio::process::Command;

use super::{cache::RUN, command, daemon};

/// A call of containerd's client, in the namespace that the kubelet uses.
pub(crate) fn ctr(arguments: &[&str]) -> Command {
    let mut command = Command::new("ctr");
    command.args([
        "--address",
        &format!("{RUN}/containerd.sock"),
        "--namespace",
        "k8s.io",
    ]);
    command.args(arguments);
    command
}

/// Kills every container of this cluster.
pub(crate) async fn kill_all() {
    for bundle in bundles() {
        if let Some(id) = first_process(&bundle) {
            daemon::send("KILL", id).await;
        }
    }
}

/// Forgets the containers of an earlier cluster. Their images stay.
///
/// # Errors
/// When the runtime does not answer.
pub(crate) async fn forget_all() -> Result<()> {
    for id in command::output(&mut ctr(&["tasks", "ls", "-q"]))
        .await?
        .lines()
    {
        let _ = command::output(&mut ctr(&["tasks", "rm", "--force", id])).await;
    }
    for id in command::output(&mut ctr(&["containers", "ls", "-q"]))
        .await?
        .lines()
    {
        command::output(&mut ctr(&["containers", "rm", id])).await?;
    }
    Ok(())
}

/// Unmounts everything below some folders, and the pods' network namespaces.
///
/// # Errors
/// When a mount cannot be removed.
pub(crate) async fn unmount_all(folders: &[&Path], namespaces: &[PathBuf]) -> Result<()> {
    // Deepest first: the last mount is on top.
    for mount in mounts().iter().rev() {
        let inside = folders.iter().any(|folder| mount.starts_with(folder));
        if inside || namespaces.contains(mount) {
            command::output(Command::new("umount").arg("--lazy").arg(mount)).await?;
        }
    }
    for namespace in namespaces {
        let _ = fs::remove_file(namespace);
    }
    Ok(())
}

/// The network namespaces that the runtime made for pods of this cluster.
pub(crate) fn network_namespaces() -> Vec<PathBuf> {
    #[derive(Deserialize)]
    struct Config {
        linux: Linux,
    }
    #[derive(Deserialize)]
    struct Linux {
        namespaces: Vec<Namespace>,
    }
    #[derive(Deserialize)]
    struct Namespace {
        path: Option<PathBuf>,
    }
    let read = |bundle: PathBuf| -> Option<Config> {
        serde_json::from_slice(&fs::read(bundle.join("config.json")).ok()?).ok()
    };
    let mut found: Vec<PathBuf> = bundles()
        .into_iter()
        .filter_map(read)
        .flat_map(|config| config.linux.namespaces)
        .filter_map(|namespace| namespace.path)
        .filter(|path| path.starts_with("/var/run/netns") || path.starts_with("/run/netns"))
        .flat_map(|path| {
            // /var/run is a link to /run, and mounts are listed by their real path.
            let real = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            [path, real]
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The runtime's folder of each container that it has started.
fn bundles() -> Vec<PathBuf> {
    let folder = Path::new(RUN).join("containerd/io.containerd.runtime.v2.task/k8s.io");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The first process of a container, whose end ends all of it. The control group's name holds
/// the container's id, so a process id that was given to somebody else since is noticed.
fn first_process(bundle: &Path) -> Option<u32> {
    let container = bundle.file_name()?.to_str()?;
    let id: u32 = fs::read_to_string(bundle.join("init.pid"))
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let groups = fs::read_to_string(format!("/proc/{id}/cgroup")).ok()?;
    groups.contains(container).then_some(id)
}

fn mounts() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split(' ').nth(1))
        // The kernel writes a blank as \040.
        .map(|path| PathBuf::from(path.replace("\\040", " ")))
        .collect()
}
