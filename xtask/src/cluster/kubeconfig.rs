//! Kubeconfig files that hold their certificates, so that they can be copied.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use k8s_openapi::ByteString;
use serde_json::json;

use super::pki::Pki;

/// Writes a kubeconfig for one of the client certificates. It is JSON, which YAML includes.
///
/// # Errors
/// When a certificate cannot be read or the file not be written.
pub(crate) fn write(file: &Path, server: &str, pki: &Pki, client: &str) -> Result<()> {
    let read = |path: &Path| {
        fs::read(path)
            .map(ByteString)
            .with_context(|| format!("reading {}", path.display()))
    };
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "moka-local", "cluster": {
            "server": server,
            "certificate-authority-data": read(&pki.certificate("ca"))?,
        }}],
        "users": [{ "name": client, "user": {
            "client-certificate-data": read(&pki.certificate(client))?,
            "client-key-data": read(&pki.key(client))?,
        }}],
        "contexts": [{ "name": "moka-local", "context": { "cluster": "moka-local", "user": client }}],
        "current-context": "moka-local",
    });
    fs::write(file, serde_json::to_vec_pretty(&config)?)
        .with_context(|| format!("writing {}", file.display()))
}
