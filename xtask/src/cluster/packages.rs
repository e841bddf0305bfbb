//! What comes from the distribution.

use std::path::Path;

use anyhow::{Result, bail};
use tokio::process::Command;

use super::{cache::Cache, command, progress::step};

/// A program or file, and the package that brings it.
type Need = (&'static str, &'static str);

/// What the node runs with.
pub(crate) const NODE: [Need; 12] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
    ("socat", "socat"),
    ("ebtables", "ebtables"),
    ("ethtool", "ethtool"),
    ("victoria-metrics", "victoria-metrics"),
    // The Spark Operator runs spark-submit.
    ("java", "openjdk-17-jre-headless"),
    ("setsid", "util-linux"),
];

/// What images are made with.
pub(crate) const IMAGES: [Need; 4] = [
    ("mmdebstrap", "mmdebstrap"),
    ("buildah", "buildah"),
    ("skopeo", "skopeo"),
    ("pip3", "python3-pip"),
];

/// Installs what is missing.
///
/// # Errors
/// When something is missing and this user or this machine cannot install it.
pub(crate) async fn ensure(cache: &Cache, needs: &[Need]) -> Result<()> {
    let missing: Vec<&str> = needs
        .iter()
        .filter(|(thing, _)| !present(thing))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if command::find("apt-get").is_none() {
        bail!("these packages are missing and there is no apt-get to install them: {names}");
    }
    if !is_root() {
        bail!("these packages are missing; install them with `sudo apt-get install {names}`");
    }
    step(&format!("installing {names}"), install(cache, &missing)).await
}

/// Whether this process may change the machine.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

async fn install(cache: &Cache, packages: &[&str]) -> Result<()> {
    let log = cache.build_log("apt-get");
    if command::logged(&mut apt_install(packages), &log)
        .await
        .is_ok()
    {
        return Ok(());
    }
    // The usual reason is that the package lists were never fetched or are old.
    command::logged(Command::new("apt-get").arg("update"), &log).await?;
    command::logged(&mut apt_install(packages), &log).await
}

fn apt_install(packages: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    command
}

fn present(thing: &str) -> bool {
    if thing.starts_with('/') {
        Path::new(thing).exists()
    } else {
        command::find(thing).is_some()
    }
}
