//! An S3 server that lives as long as a test.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{
    cluster::{Cache, TiedChild, ensure_tools, tail, tool},
    throwaway::on_free_port,
};

/// Versity S3 Gateway with its data in a temporary folder, on a free port of the loopback
/// interface. It ends when this is dropped or this process ends.
#[derive(Debug)]
pub struct TemporaryS3 {
    // Fields are dropped in this order: the process first, then its files.
    _server: TiedChild,
    _folder: TempDir,
    port: u16,
}

impl TemporaryS3 {
    /// Name of the server's only key.
    pub const ACCESS_KEY_ID: &str = "moka";
    /// That key.
    pub const SECRET_ACCESS_KEY: &str = "moka-test-secret";

    /// Starts one and waits until it takes connections.
    ///
    /// # Errors
    /// When the server cannot be built or does not start.
    pub async fn start() -> Result<Self> {
        let cache = Cache::locate()?;
        ensure_tools(&cache, &["versitygw"]).await?;
        let program = tool(&cache, "versitygw")?;
        let folder = TempDir::with_prefix("moka-s3-")?;
        fs::create_dir(folder.path().join("data"))?;
        let serve = |port| serve(&program, folder.path(), port);
        if let Some((server, port)) = on_free_port(serve).await? {
            return Ok(Self {
                _server: server,
                _folder: folder,
                port,
            });
        }
        let log = tail(&folder.path().join("versitygw.log"));
        bail!("versitygw does not start; {log}")
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn serve(program: &Path, folder: &Path, port: u16) -> Result<TiedChild> {
    let log = File::create(folder.join("versitygw.log"))?;
    let errors = log.try_clone()?;
    TiedChild::start("KILL", |command| {
        command
            .arg(program)
            .args(["--port", &format!("127.0.0.1:{port}")])
            .args(["--access", TemporaryS3::ACCESS_KEY_ID])
            .args(["--secret", TemporaryS3::SECRET_ACCESS_KEY])
            .arg("posix")
            .arg(folder.join("data"))
            .current_dir(folder);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
    })
    .context("starting versitygw")
}
