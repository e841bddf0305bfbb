//! The settings files of the node, rendered from `deploy/local/node`.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::{
    NODE_ADDRESS, NODE_NAME,
    cache::{Cache, RUN, State},
    kubeconfig,
    pki::{ADMINISTRATOR, Client, Pki},
};
use crate::workspace;

/// The API server, from this machine.
pub(crate) const SERVER: &str = "https://127.0.0.1:6443";

/// Where each file of `deploy/local/node` goes below the settings folder.
const FILES: [(&str, &str); 5] = [
    ("containerd.toml", "containerd.toml"),
    ("cni.conflist", "cni/10-moka.conflist"),
    ("kubelet.yaml", "kubelet.yaml"),
    ("kube-proxy.yaml", "kube-proxy.yaml"),
    ("Corefile", "Corefile"),
];

const COMPONENTS: [Client; 4] = [
    Client {
        file: "kubelet",
        user: "system:node:moka-local",
        group: Some("system:nodes"),
    },
    Client {
        file: "kube-controller-manager",
        user: "system:kube-controller-manager",
        group: None,
    },
    Client {
        file: "kube-scheduler",
        user: "system:kube-scheduler",
        group: None,
    },
    Client {
        file: "kube-proxy",
        user: "system:kube-proxy",
        group: None,
    },
];

/// Writes keys, kubeconfigs and settings. Nothing changes when they are there already.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write(cache: &Cache, state: &State) -> Result<Pki> {
    fs::create_dir_all(state.settings("cni"))?;
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "127.0.0.1",
        "10.96.0.1",
        NODE_ADDRESS,
    ];
    let mut clients = Vec::from(COMPONENTS);
    clients.push(ADMINISTRATOR);
    let pki = Pki::ensure(&state.pki(), &names, Some(NODE_ADDRESS), &clients)?;
    for client in COMPONENTS {
        let file = state.settings(&format!("{}.conf", client.file));
        kubeconfig::write(&file, SERVER, &pki, client.file)?;
    }
    kubeconfig::write(&state.kubeconfig(), SERVER, &pki, ADMINISTRATOR.file)?;
    for (source, target) in FILES {
        let source = workspace::root().join("deploy/local/node").join(source);
        let text =
            fs::read_to_string(&source).with_context(|| format!("reading {}", source.display()))?;
        fs::write(state.settings(target), render(&text, cache, state))?;
    }
    Ok(pki)
}

fn render(text: &str, cache: &Cache, state: &State) -> String {
    let path = |path: &Path| path.display().to_string();
    // CoreDNS refuses to start with nobody to forward to.
    let resolvers = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let forward = if resolvers.lines().any(|line| line.starts_with("nameserver")) {
        "forward . /etc/resolv.conf"
    } else {
        ""
    };
    [
        ("${RUN}", RUN.to_owned()),
        ("${STATE}", path(state.root())),
        ("${PKI}", path(&state.pki())),
        ("${SETTINGS}", path(&state.settings(""))),
        ("${CONTAINERD_ROOT}", path(&cache.containerd_root())),
        ("${ADDRESS}", NODE_ADDRESS.to_owned()),
        ("${NODE}", NODE_NAME.to_owned()),
        ("${FORWARD}", forward.to_owned()),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (variable, value)| {
        text.replace(variable, &value)
    })
}
