//! A VictoriaMetrics that lives as long as a test, and vmalert to play rules over what is in it.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    cluster::{Cache, TiedChild, ensure_packages, output, tail},
    throwaway::on_free_port,
};

/// VictoriaMetrics with its data in a temporary folder, on a free port of the loopback interface.
/// It ends when this is dropped or this process ends.
#[derive(Debug)]
pub struct TemporaryMetrics {
    // Fields are dropped in this order: the process first, then its files.
    _server: TiedChild,
    _folder: TempDir,
    port: u16,
}

impl TemporaryMetrics {
    /// Starts one and waits until it takes connections.
    ///
    /// # Errors
    /// When VictoriaMetrics is missing and cannot be installed, or does not start.
    pub async fn start() -> Result<Self> {
        let needs = [
            ("victoria-metrics", "victoria-metrics"),
            ("vmalert", "victoria-metrics"),
        ];
        ensure_packages(&Cache::locate()?, &needs).await?;
        let folder = TempDir::with_prefix("moka-metrics-")?;
        if let Some((server, port)) = on_free_port(|port| serve(folder.path(), port)).await? {
            return Ok(Self {
                _server: server,
                _folder: folder,
                port,
            });
        }
        let log = tail(&folder.path().join("metrics.log"));
        bail!("VictoriaMetrics does not start; {log}")
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Evaluates the rules of a file over a span of time, as vmalert would have then, and writes
    /// the series `ALERTS`.
    ///
    /// # Errors
    /// When vmalert does not take the file, or fails.
    pub async fn replay(&self, rules: &Path, from: Timestamp, to: Timestamp) -> Result<()> {
        let mut vmalert = Command::new("vmalert");
        vmalert
            .arg(format!("-rule={}", rules.display()))
            .arg(format!("-datasource.url={}", self.url()))
            .arg(format!("-remoteWrite.url={}", self.url()))
            // No longer than a group's interval: a longer gap sets a pending alert back.
            .arg("-datasource.queryStep=30s")
            // No rule reads what another one wrote.
            .arg("-replay.rulesDelay=0s")
            .arg(format!("-replay.timeFrom={}", whole_seconds(from)))
            .arg(format!("-replay.timeTo={}", whole_seconds(to)))
            .args(["-replay.disableProgressBar", "-loggerLevel=ERROR"]);
        output(&mut vmalert)
            .await
            .map(drop)
            .with_context(|| format!("replaying {}", rules.display()))
    }
}

fn whole_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn serve(folder: &Path, port: u16) -> Result<TiedChild> {
    let data = folder.join("data");
    fs::create_dir_all(&data)?;
    let log = File::create(folder.join("metrics.log"))?;
    let errors = log.try_clone()?;
    TiedChild::start("KILL", |command| {
        command
            .arg("victoria-metrics")
            .arg(format!("-storageDataPath={}", data.display()))
            .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
            .args(["-search.latencyOffset=0s", "-search.disableCache"])
            .args([
                "-retentionPeriod=1y",
                "-memory.allowedBytes=64MB",
                "-loggerLevel=ERROR",
            ])
            .current_dir("/");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
    })
}
