//! A real Spark History Server on this machine, as the judge of assembled event logs.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::cluster::{TiedChild, tail};

const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(200);
const ANSWER: Duration = Duration::from_secs(30);
/// Ports are chosen before they are used, so another process may take one in between.
const TRIES: usize = 3;

/// A running History Server. It ends when this is dropped or this process ends.
#[derive(Debug)]
pub struct HistoryServer {
    // Fields are dropped in this order: the process first, then its files.
    _server: TiedChild,
    _folder: TempDir,
    base_url: String,
    client: reqwest::Client,
}

impl HistoryServer {
    /// Starts one over a folder of event logs and waits until it answers.
    ///
    /// # Errors
    /// When it does not start; the message has the end of its log.
    pub async fn start(spark_home: &Path, log_directory: &Path) -> Result<Self> {
        let folder = TempDir::with_prefix("moka-history-server-")?;
        // Fails when a provider is set already, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(ANSWER).build()?;
        for _ in 0..TRIES {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let mut server = serve(spark_home, log_directory, folder.path(), port)?;
            let base_url = format!("http://127.0.0.1:{port}");
            if ready(&client, &base_url, &mut server).await {
                return Ok(Self {
                    _server: server,
                    _folder: folder,
                    base_url,
                    client,
                });
            }
        }
        bail!(
            "the History Server does not start; {}",
            tail(&folder.path().join("history-server.log"))
        )
    }

    /// `http://host:port`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The answer to a GET of `path`, which starts with `/`. An application that is not listed yet
    /// is asked for again, because the server looks for new logs once a second.
    ///
    /// # Errors
    /// When there is no good answer in time; the message has the last bad one.
    pub async fn get_json(&self, path: &str) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self
                .client
                .get(format!("{}{path}", self.base_url))
                .send()
                .await?;
            let status = answer.status();
            let text = answer.text().await?;
            if status.is_success() {
                return serde_json::from_str(&text).with_context(|| format!("GET {path}: {text}"));
            }
            if status.as_u16() != 404 || Instant::now() > deadline {
                bail!("GET {path} of the History Server: {status}: {text}");
            }
            sleep(POLL).await;
        }
    }
}

fn serve(spark_home: &Path, logs: &Path, folder: &Path, port: u16) -> Result<TiedChild> {
    let properties = folder.join("history-server.conf");
    let settings = [
        format!("spark.history.fs.logDirectory file:{}", logs.display()),
        format!("spark.history.ui.port {port}"),
        "spark.history.fs.update.interval 1s".to_owned(),
    ];
    fs::write(&properties, settings.join("\n"))?;
    let log = File::create(folder.join("history-server.log"))?;
    let errors = log.try_clone()?;
    TiedChild::start("TERM", |command| {
        command
            .arg(spark_home.join("bin/spark-class"))
            .arg("org.apache.spark.deploy.history.HistoryServer")
            .arg("--properties-file")
            .arg(&properties)
            .env("SPARK_HOME", spark_home)
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("SPARK_DAEMON_MEMORY", "512m")
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
    })
}

async fn ready(client: &reqwest::Client, base_url: &str, server: &mut TiedChild) -> bool {
    let deadline = Instant::now() + PATIENCE;
    let url = format!("{base_url}/api/v1/applications");
    while Instant::now() < deadline && !server.ended() {
        if client
            .get(&url)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            return true;
        }
        sleep(POLL).await;
    }
    false
}
