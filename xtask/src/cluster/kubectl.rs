//! Calls of `kubectl` against one cluster.

use std::{ffi::OsStr, path::PathBuf};

use anyhow::Result;
use tokio::process::Command;

use super::{command, probe::Probe};

/// The program and whom it talks to.
#[derive(Clone, Debug)]
pub(crate) struct Kubectl {
    pub(crate) program: PathBuf,
    pub(crate) kubeconfig: PathBuf,
}

impl Kubectl {
    /// Runs it and returns what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) async fn run<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<String> {
        let mut command = Command::new(&self.program);
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(arguments);
        command::output(&mut command).await
    }

    /// A probe that passes when this call succeeds.
    pub(crate) fn probe(&self, arguments: &[&str]) -> Probe {
        let kubeconfig = self.kubeconfig.display().to_string();
        let arguments = ["--kubeconfig", &kubeconfig]
            .into_iter()
            .chain(arguments.iter().copied());
        let arguments = arguments.map(str::to_owned).collect();
        Probe::Command(self.program.clone(), arguments)
    }

    /// Where a service answers, from this machine and from every pod.
    ///
    /// # Errors
    /// When there is no such service.
    pub(crate) async fn service_url(&self, namespace: &str, name: &str) -> Result<String> {
        let template = "jsonpath=http://{.spec.clusterIP}:{.spec.ports[0].port}";
        self.run([
            "--namespace",
            namespace,
            "get",
            "service",
            name,
            "--output",
            template,
        ])
        .await
    }
}
