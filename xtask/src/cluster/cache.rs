//! Where the heavy things live: outside every clone, so that a second clone finds them ready.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Short-lived files whose paths must be short, because a socket's address holds 108 bytes.
pub(crate) const RUN: &str = "/run/moka-cluster";

/// The folder of binaries, images and cluster state.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache of this user: `MOKA_CACHE`, else `$XDG_CACHE_HOME/moka`, else `~/.cache/moka`.
    ///
    /// # Errors
    /// When none of the three is known or the folder cannot be created.
    pub fn locate() -> Result<Self> {
        let root = environment("MOKA_CACHE")
            .map(PathBuf::from)
            .or_else(|| environment("XDG_CACHE_HOME").map(|path| Path::new(&path).join("moka")))
            .or_else(|| environment("HOME").map(|path| Path::new(&path).join(".cache/moka")))
            .context("nowhere to keep binaries: set MOKA_CACHE, XDG_CACHE_HOME or HOME")?;
        let root = std::path::absolute(root)?;
        std::fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
        Ok(Self { root })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Binaries built from Go modules, in one folder per module and content.
    pub(crate) fn binaries(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Image layouts and what is known of them.
    pub(crate) fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// Where buildah keeps layers.
    pub(crate) fn image_storage(&self) -> PathBuf {
        self.root.join("containers")
    }

    /// The logs of builds.
    pub(crate) fn build_log(&self, name: &str) -> PathBuf {
        self.root.join("log").join(format!("{name}.log"))
    }

    /// What the node's container runtime has unpacked. It outlives the cluster, because unpacking
    /// the Spark image again takes longer than everything else together.
    pub(crate) fn containerd_root(&self) -> PathBuf {
        self.root.join("containerd")
    }

    /// The state of the one local cluster.
    pub fn state(&self) -> State {
        State {
            root: self.root.join("cluster"),
        }
    }
}

/// The files of the running cluster; `down` removes them all.
#[derive(Clone, Debug)]
pub struct State {
    root: PathBuf,
}

impl State {
    /// The state that another cache holds.
    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.root.join("admin.conf")
    }

    /// Keys and certificates.
    pub fn pki(&self) -> PathBuf {
        self.root.join("pki")
    }

    /// The log of a component.
    pub fn log(&self, component: &str) -> PathBuf {
        self.root.join("log").join(format!("{component}.log"))
    }

    /// What is known of a component's process.
    pub(crate) fn process(&self, component: &str) -> PathBuf {
        self.root
            .join("processes")
            .join(format!("{component}.json"))
    }

    /// A settings file that a component reads.
    pub(crate) fn settings(&self, file: &str) -> PathBuf {
        self.root.join("settings").join(file)
    }
}

/// A command line tool and the tests of this repository have no `Config` to take settings through.
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
