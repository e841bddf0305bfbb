//! The real program, to be killed, stopped and started again.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use moka_xtask::{mesh::images::target_folder, s3_server::TemporaryS3};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

const POLL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_mins(1);
const LONG_PATIENCE: Duration = Duration::from_mins(5);

/// A shipper of a node, running or not.
#[derive(Debug)]
pub(crate) struct Shipper {
    program: PathBuf,
    options: Vec<String>,
    log: PathBuf,
    spool: PathBuf,
    child: Option<Child>,
}

/// A stream as `/streams` shows it.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) offset_bytes: u64,
    pub(crate) size_bytes: u64,
}

/// Builds the program the way this test was built, into a folder of its own: who builds it anew
/// meanwhile changes nothing.
pub(crate) async fn build(folder: &Path) -> PathBuf {
    let target = target_folder();
    let status = Command::new(env!("CARGO"))
        .current_dir(moka_xtask::workspace::root())
        .env("CARGO_TARGET_DIR", &target)
        .args([
            "build",
            "--locked",
            "--quiet",
            "--package",
            "moka-log-shipper",
        ])
        .status()
        .await
        .unwrap();
    assert!(status.success(), "moka-log-shipper does not build");
    let program = folder.join("moka-log-shipper");
    std::fs::copy(target.join("debug/moka-log-shipper"), &program).unwrap();
    program
}

impl Shipper {
    /// A shipper of the node below `folder`; it does not run yet.
    pub(crate) fn new(program: &Path, folder: &Path, objects_url: &str, batch_bytes: u64) -> Self {
        let path = |name| folder.join(name).display().to_string();
        let options = vec![
            "--admin-listen=127.0.0.1:0".to_owned(),
            "--log-format=json".to_owned(),
            format!("--pods-log-dir={}", path("pods")),
            format!("--events-dir={}", path("events")),
            format!("--state-dir={}", path("state")),
            format!("--objects-url={objects_url}"),
            "--scan-interval-milliseconds=20".to_owned(),
            "--flush-interval-seconds=0".to_owned(),
            "--upload-timeout-seconds=1".to_owned(),
            format!("--batch-bytes={batch_bytes}"),
        ];
        Self {
            program: program.to_owned(),
            options,
            log: folder.join("shipper.log"),
            spool: folder.join("state/spool"),
            child: None,
        }
    }

    /// With one more option, or another value of one.
    #[must_use]
    pub(crate) fn with(mut self, option: &str, value: u64) -> Self {
        self.options.retain(|present| !present.starts_with(option));
        self.options.push(format!("{option}={value}"));
        self
    }

    pub(crate) fn start(&mut self) {
        let log = File::create(&self.log).unwrap();
        let child = Command::new(&self.program)
            .args(&self.options)
            .env("AWS_ACCESS_KEY_ID", TemporaryS3::ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", TemporaryS3::SECRET_ACCESS_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// SIGKILL.
    pub(crate) async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    /// SIGTERM, and its end.
    pub(crate) async fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        let id = child.id().unwrap().to_string();
        let kill = Command::new("kill").arg(id).status().await.unwrap();
        assert!(kill.success());
        let ended = timeout(PATIENCE, child.wait()).await;
        let status = ended.expect("the shipper ends when it is told to").unwrap();
        // A signal before it has learnt to listen to signals ends it as well.
        assert!(
            status.success() || status.code().is_none(),
            "{status}: {}",
            self.log()
        );
    }

    /// Waits until a file is shipped to its end, whatever fails; says whether it came to that.
    pub(crate) async fn has_shipped(&mut self, path: &Path, patience: Duration) -> bool {
        let length = path.metadata().unwrap().len();
        let name = path.display().to_string();
        let waiting = async {
            loop {
                let rows = self.streams().await.unwrap_or_default();
                if rows.iter().any(|row| {
                    row.path == name && row.size_bytes == length && row.offset_bytes == length
                }) {
                    return;
                }
                sleep(POLL).await;
            }
        };
        timeout(patience, waiting).await.is_ok()
    }

    /// Whether something waits in its spool.
    pub(crate) fn has_spooled(&self) -> bool {
        let files = std::fs::read_dir(&self.spool);
        files.is_ok_and(|mut files| files.next().is_some())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until a metric, summed over its labels, is as it should be; gives its value.
    pub(crate) async fn until_metric(&self, name: &str, is_right: impl Fn(u64) -> bool) -> u64 {
        let waiting = async {
            loop {
                match self.metric(name).await {
                    Some(value) if is_right(value) => return value,
                    _ => sleep(POLL).await,
                }
            }
        };
        let waited = timeout(LONG_PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("{name} does not come: {}", self.log()))
    }

    /// Most memory that it has had.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        let id = self.child.as_ref().unwrap().id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
        kibibytes.parse::<u64>().unwrap() * 1024
    }

    async fn metric(&self, name: &str) -> Option<u64> {
        let name = format!("moka_log_shipper_{name}");
        let text = self.get("/metrics").await?;
        let values: Vec<_> = text
            .lines()
            .filter_map(|line| {
                let rest = line.strip_prefix(&name)?;
                let value = rest.rsplit_once(' ')?.1.parse::<u64>().ok()?;
                rest.starts_with([' ', '{']).then_some(value)
            })
            .collect();
        // Before it is registered it is not 0.
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// What it follows; `None` when it does not answer yet.
    async fn streams(&self) -> Option<Vec<Row>> {
        serde_json::from_str(&self.get("/streams").await?).ok()
    }

    /// A page of its admin port.
    async fn get(&self, page: &str) -> Option<String> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.admin_port()?))
            .await
            .ok()?;
        let request = format!("GET {page} HTTP/1.1\r\nhost: shipper\r\nconnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some(body.to_owned())
    }

    fn admin_port(&self) -> Option<u16> {
        let log = self.log();
        let line = log
            .lines()
            .find(|line| line.contains("admin port is open"))?;
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["address"].as_str()?.rsplit_once(':')?.1.parse().ok()
    }
}
