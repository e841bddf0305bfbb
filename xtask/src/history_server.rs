//! A real Spark History Server on this machine, as the judge of assembled event logs.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::cluster::{ObjectStore, TiedChild, s3a_jars, tail};

const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(200);
const ANSWER: Duration = Duration::from_secs(30);
/// Those that are named beside it, and none of the machine's.
const CREDENTIALS: &str = "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider";
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
        let logs = EventLogs {
            url: format!("file:{}", log_directory.display()),
            settings: Vec::new(),
            jars: None,
        };
        Self::start_over(spark_home, logs).await
    }

    /// Starts one over the event logs below a prefix of an S3 bucket, which it reads through
    /// Hadoop's own client, and waits until it answers.
    ///
    /// # Errors
    /// When the client cannot be fetched or the server does not start; the message has the end of
    /// its log.
    pub async fn start_on_s3(spark_home: &Path, store: &ObjectStore, prefix: &str) -> Result<Self> {
        let ObjectStore {
            endpoint,
            bucket,
            access_key_id,
            secret_access_key,
        } = store;
        let settings = [
            ("endpoint", endpoint.as_str()),
            ("endpoint.region", "us-east-1"),
            ("path.style.access", "true"),
            ("aws.credentials.provider", CREDENTIALS),
            ("access.key", access_key_id),
            ("secret.key", secret_access_key),
        ]
        .map(|(name, value)| format!("spark.hadoop.fs.s3a.{name} {value}"));
        let logs = EventLogs {
            url: format!("s3a://{bucket}/{prefix}"),
            settings: settings.into(),
            jars: Some(s3a_jars().await?),
        };
        Self::start_over(spark_home, logs).await
    }

    async fn start_over(spark_home: &Path, logs: EventLogs) -> Result<Self> {
        let folder = TempDir::with_prefix("moka-history-server-")?;
        // Fails when a provider is set already, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(ANSWER).build()?;
        for _ in 0..TRIES {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let mut server = serve(spark_home, &logs, folder.path(), port)?;
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

/// Where a server looks, and what it needs for that.
struct EventLogs {
    url: String,
    settings: Vec<String>,
    /// A folder.
    jars: Option<PathBuf>,
}

fn serve(spark_home: &Path, logs: &EventLogs, folder: &Path, port: u16) -> Result<TiedChild> {
    let properties = folder.join("history-server.conf");
    let mut settings = vec![
        format!("spark.history.fs.logDirectory {}", logs.url),
        format!("spark.history.ui.port {port}"),
        "spark.history.fs.update.interval 1s".to_owned(),
    ];
    settings.extend_from_slice(&logs.settings);
    fs::write(&properties, settings.join("\n"))?;
    let log = File::create(folder.join("history-server.log"))?;
    let errors = log.try_clone()?;
    let class_path = logs.jars.as_ref().map(|jars| jars.join("*"));
    TiedChild::start("TERM", |command| {
        command
            .arg(spark_home.join("bin/spark-class"))
            .arg("org.apache.spark.deploy.history.HistoryServer")
            .arg("--properties-file")
            .arg(&properties)
            .env("SPARK_HOME", spark_home)
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("SPARK_DAEMON_MEMORY", "512m")
            .envs(class_path.map(|jars| ("SPARK_DAEMON_CLASSPATH", jars)))
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
