//! An S3 server that lives as long as a test.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use moka_objects::{S3Credentials, S3Options, S3Store};
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
    /// Where it says that it is.
    pub const REGION: &str = "us-east-1";

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

    /// An empty bucket, made with the server's key.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn bucket(&self, name: &str) -> Result<S3Store> {
        let options = S3Options {
            endpoint: Some(self.endpoint()),
            region: Some(Self::REGION.to_owned()),
            path_style: true,
            credentials: Some(S3Credentials {
                access_key_id: Self::ACCESS_KEY_ID.to_owned(),
                secret_access_key: Self::SECRET_ACCESS_KEY.to_owned(),
                session_token: None,
            }),
            ..S3Options::new(name)
        };
        let store = S3Store::open(options).await;
        store.create_bucket().await?;
        Ok(store)
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
