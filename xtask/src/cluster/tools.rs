//! Binaries built from the Go modules in `deploy/local/tools`, once per content of a module.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use super::{cache::Cache, command, digest::ContentHash, lock::Lock, progress::step};
use crate::workspace;

/// A folder of `deploy/local/tools` and what is built from it.
struct Module {
    name: &'static str,
    binaries: &'static [(&'static str, &'static str)],
}

/// In the order in which a test is waiting for them.
const MODULES: [Module; 5] = [
    Module {
        name: "etcd",
        binaries: &[("etcd", "go.etcd.io/etcd/server/v3")],
    },
    Module {
        name: "kubernetes",
        binaries: &[
            ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
            (
                "kube-controller-manager",
                "k8s.io/kubernetes/cmd/kube-controller-manager",
            ),
            ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
            ("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
            ("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
            ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
            (
                "spark-operator",
                "github.com/kubeflow/spark-operator/v2/cmd/operator",
            ),
            (
                "yunikorn-scheduler",
                "github.com/apache/yunikorn-k8shim/pkg/cmd/shim",
            ),
        ],
    },
    Module {
        name: "coredns",
        binaries: &[("coredns", "github.com/coredns/coredns")],
    },
    Module {
        name: "versitygw",
        binaries: &[("versitygw", "github.com/versity/versitygw/cmd/versitygw")],
    },
    Module {
        name: "grpcurl",
        binaries: &[("grpcurl", "github.com/fullstorydev/grpcurl/cmd/grpcurl")],
    },
];

const OPERATOR: &str = "github.com/kubeflow/spark-operator/v2";

/// What the whole cluster needs.
pub(crate) const CLUSTER: [&str; 11] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "spark-operator",
    "yunikorn-scheduler",
    "coredns",
    "versitygw",
    "grpcurl",
];

/// Builds the named binaries where they are missing.
///
/// # Errors
/// When there is no Go, or a build fails.
pub(crate) async fn ensure(cache: &Cache, names: &[&str]) -> Result<()> {
    let missing = |name: &&str| binary(cache, name).is_ok_and(|file| !file.is_file());
    if !names.iter().any(missing) {
        return Ok(());
    }
    let path = cache.binaries().join("lock");
    let _lock = Lock::acquire(&path, "another process builds the same binaries").await?;
    for name in names.iter().copied().filter(|name| missing(name)) {
        step(&format!("building {name}"), build(cache, name)).await?;
    }
    Ok(())
}

/// Where a binary is or will be.
///
/// # Errors
/// When no module builds it or the module cannot be read.
pub(crate) fn binary(cache: &Cache, name: &str) -> Result<PathBuf> {
    let (module, _) = find(name)?;
    Ok(folder(cache, module.name)?.join(name))
}

/// `kubectl`: the machine's own, else one of the cluster's version.
///
/// # Errors
/// When it has to be built and that fails.
pub(crate) async fn kubectl(cache: &Cache) -> Result<PathBuf> {
    if let Some(file) = command::find("kubectl") {
        return Ok(file);
    }
    ensure(cache, &["kubectl"]).await?;
    binary(cache, "kubectl")
}

/// The Spark Operator's custom resource definitions, taken from its module.
///
/// # Errors
/// When the module cannot be downloaded or copied.
pub(crate) async fn operator_definitions(cache: &Cache) -> Result<PathBuf> {
    let target = folder(cache, "kubernetes")?.join("crds");
    if target.is_dir() {
        return Ok(target);
    }
    let source = source(OPERATOR).await?.join("config/crd/bases");
    let part = target.with_extension("part");
    fs::create_dir_all(&part)?;
    for entry in fs::read_dir(&source).with_context(|| format!("reading {}", source.display()))? {
        let entry = entry?;
        fs::write(part.join(entry.file_name()), fs::read(entry.path())?)?;
    }
    // Another process may have been faster, with the same content.
    if fs::rename(&part, &target).is_err() && !target.is_dir() {
        bail!("cannot move {} into place", part.display());
    }
    Ok(target)
}

/// The version of a module that `deploy/local/tools/<folder>` requires, without the `v`.
///
/// # Errors
/// When the module is not required there.
pub(crate) fn version(folder: &str, module: &str) -> Result<String> {
    let file = workspace::root()
        .join("deploy/local/tools")
        .join(folder)
        .join("go.mod");
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    text.lines()
        .map(|line| line.trim().trim_start_matches("require "))
        .find_map(|line| line.strip_prefix(module)?.strip_prefix(" v"))
        .and_then(|rest| rest.split_whitespace().next())
        .map(str::to_owned)
        .with_context(|| format!("{} does not require {module}", file.display()))
}

/// The folder of a module's binaries: it changes with everything they are made from.
pub(crate) fn folder(cache: &Cache, module: &str) -> Result<PathBuf> {
    let source = workspace::root().join("deploy/local/tools").join(module);
    let mut hash = ContentHash::default();
    for file in ["go.mod", "go.sum"] {
        hash.add_path(file, &source.join(file))?;
    }
    hash.add("flags", linker_flags(module)?);
    Ok(cache.binaries().join(format!("{module}-{}", hash.finish())))
}

fn find(name: &str) -> Result<(&'static Module, &'static str)> {
    MODULES
        .iter()
        .find_map(|module| {
            let (_, package) = module.binaries.iter().find(|(binary, _)| *binary == name)?;
            Some((module, *package))
        })
        .with_context(|| format!("no module in deploy/local/tools builds {name}"))
}

async fn build(cache: &Cache, name: &str) -> Result<()> {
    let (module, package) = find(name)?;
    let target = binary(cache, name)?;
    let part = target.with_extension("part");
    let mut go = go(module.name)?;
    go.args([
        "build",
        "-trimpath",
        "-ldflags",
        &linker_flags(module.name)?,
        "-o",
    ]);
    go.arg(&part).arg(package).env("CGO_ENABLED", "0");
    command::logged(&mut go, &cache.build_log(name)).await?;
    fs::rename(&part, &target)?;
    Ok(())
}

/// Without a version stamped in, the node would report `v0.0.0`.
fn linker_flags(module: &str) -> Result<String> {
    if module != "kubernetes" {
        return Ok("-s -w".to_owned());
    }
    let version = version(module, "k8s.io/kubernetes")?;
    let (major, rest) = version
        .split_once('.')
        .context("a version has a minor part")?;
    let minor = rest.split('.').next().unwrap_or_default();
    let variable = "-X k8s.io/component-base/version";
    Ok(format!(
        "-s -w {variable}.gitVersion=v{version} {variable}.gitMajor={major} {variable}.gitMinor={minor}"
    ))
}

/// The folder of a module's source, downloaded when needed.
async fn source(module: &str) -> Result<PathBuf> {
    let mut download = go("kubernetes")?;
    command::output(download.args(["mod", "download", module])).await?;
    let mut list = go("kubernetes")?;
    let folder = command::output(list.args(["list", "-m", "-f", "{{.Dir}}", module])).await?;
    Ok(Path::new(folder.trim()).to_owned())
}

fn go(module: &str) -> Result<Command> {
    let Some(program) = command::find("go") else {
        bail!("Go is missing: install Go 1.26 or later to build the cluster's programs");
    };
    let mut command = Command::new(program);
    command.current_dir(workspace::root().join("deploy/local/tools").join(module));
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::{CLUSTER, find, linker_flags, version};

    #[test]
    fn every_cluster_binary_has_a_module() {
        for name in CLUSTER {
            find(name).unwrap();
        }
    }

    #[test]
    fn node_reports_the_version_that_is_required() {
        let required = version("kubernetes", "k8s.io/kubernetes").unwrap();
        let flags = linker_flags("kubernetes").unwrap();
        assert!(
            flags.contains(&format!("gitVersion=v{required} ")),
            "{flags}"
        );
    }

    #[test]
    fn single_line_requirement_is_read() {
        assert_eq!(
            version("etcd", "go.etcd.io/etcd/server/v3").unwrap(),
            "3.6.4"
        );
    }
}
