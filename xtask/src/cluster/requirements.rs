//! What a machine must have before a cluster can run on it.

use std::{fs, path::Path};

use anyhow::{Result, bail};
use tokio::process::Command;

use super::{command, packages};

/// Names everything that is missing at once.
///
/// # Errors
/// When something is missing.
pub(crate) async fn check() -> Result<()> {
    let mut missing = Vec::new();
    if !cfg!(target_os = "linux") {
        missing.push("Linux");
    }
    if !packages::is_root() {
        missing.push("root (containers, network and mounts need it)");
    }
    if command::find("go").is_none() {
        missing.push("Go 1.26 or later (https://go.dev/dl)");
    }
    if !has_overlay().await {
        missing.push("the overlay file system in the kernel");
    }
    if !has_control_groups() {
        missing.push("mounted control groups with cpu, memory and pids");
    }
    if packages::is_root()
        && !command::succeeds(Command::new("unshare").args(["--net", "true"])).await
    {
        missing.push("permission to make network namespaces");
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "the local cluster cannot run here; missing: {}. Set MOKA_KUBECONFIG=<file> to use a \
         cluster that exists",
        missing.join("; ")
    )
}

async fn has_overlay() -> bool {
    let known = || {
        fs::read_to_string("/proc/filesystems")
            .unwrap_or_default()
            .contains("overlay")
    };
    known() || command::succeeds(Command::new("modprobe").arg("overlay")).await && known()
}

fn has_control_groups() -> bool {
    let folder = Path::new("/sys/fs/cgroup");
    let unified = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
    ["cpu", "memory", "pids"].into_iter().all(|controller| {
        unified.split_whitespace().any(|name| name == controller)
            || folder.join(controller).is_dir()
    })
}
