//! An S3 server that lives as long as a test.

use std::{
    fs::{self, File},
    net::TcpListener,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::cluster::{Cache, TiedChild, ensure_tools, tail, tool};

const POLL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(1);

/// Ports are chosen before they are used, so another process may take one in between.
const TRIES: usize = 3;

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
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        for _ in 0..TRIES {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let log = File::create(folder.path().join("versitygw.log"))?;
            let errors = log.try_clone()?;
            let mut server = TiedChild::start("KILL", |command| {
                command
                    .arg(&program)
                    .args(["--port", &format!("127.0.0.1:{port}")])
                    .args(["--access", Self::ACCESS_KEY_ID])
                    .args(["--secret", Self::SECRET_ACCESS_KEY])
                    .arg("posix")
                    .arg(&data)
                    .current_dir(folder.path());
                command.stdin(Stdio::null()).stdout(log).stderr(errors);
            })
            .context("starting versitygw")?;
            if ready(&mut server, port).await {
                return Ok(Self {
                    _server: server,
                    _folder: folder,
                    port,
                });
            }
        }
        let log = tail(&folder.path().join("versitygw.log"));
        bail!("versitygw does not start; {log}")
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

async fn ready(server: &mut TiedChild, port: u16) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && !server.ended() {
        let connected = timeout(CONNECT, TcpStream::connect(("127.0.0.1", port))).await;
        if matches!(connected, Ok(Ok(_))) {
            return true;
        }
        sleep(POLL).await;
    }
    false
}
