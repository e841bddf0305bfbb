//! One TLS stack, rustls, and one crypto provider, aws-lc-rs: two of either would each want to be
//! told about certificates, and the linker would not notice.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, ensure};

use super::Finding;
use crate::workspace;

const OTHERS: [&str; 3] = ["ring", "openssl-sys", "native-tls"];

pub(super) fn check() -> anyhow::Result<Vec<Finding>> {
    // The lock file names crates that no feature turns on, so cargo is asked what is really built.
    let output = Command::new("cargo")
        .current_dir(workspace::root())
        .args([
            "tree",
            "--locked",
            "--workspace",
            "--prefix=none",
            "--format={p}",
        ])
        .output()
        .context("running cargo tree")?;
    ensure!(
        output.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8_lossy(&output.stdout);
    let built = |name: &str| {
        tree.lines()
            .any(|line| line.split(' ').next() == Some(name))
    };
    ensure!(
        built("aws-lc-rs"),
        "cargo tree does not name aws-lc-rs any more: this rule looks in the wrong place"
    );
    Ok(OTHERS
        .into_iter()
        .filter(|name| built(name))
        .map(|name| Finding {
            path: PathBuf::from("Cargo.lock"),
            line: 0,
            rule: format!("`{name}` is built beside rustls with aws-lc-rs; `cargo tree --invert {name}` tells for whom"),
        })
        .collect())
}
