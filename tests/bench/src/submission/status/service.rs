//! submission's own program, with both roles and one cluster.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use moka_proto::submission::v1::{
    ListApplicationsRequest, submission_service_client::SubmissionServiceClient,
};
use moka_rpc::ClientOptions;
use moka_xtask::{mesh::images::target_folder, workspace};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);
/// What it keeps in memory of every call is bounded all the same.
const PROFILE: &str = "image";

/// The running program. It ends when this is dropped.
pub(super) struct Service {
    url: String,
    program: Child,
    _folder: TempDir,
}

impl Service {
    /// Starts it and waits until it answers. Nothing is there to place applications.
    pub(super) async fn start(database_url: &str, kubeconfig: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = std::fs::File::create(folder.path().join("submission.log"))?;
        let (port, admin_port) = (free_port()?, free_port()?);
        let program = Command::new(build().await?)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--admin-listen", &format!("127.0.0.1:{admin_port}")])
            .args(["--database-url", database_url])
            .args(["--clusters", &format!("bench={}", kubeconfig.display())])
            .args(["--scheduler-adapter-url", "http://127.0.0.1:9"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let service = Self {
            url: format!("http://127.0.0.1:{port}"),
            program,
            _folder: folder,
        };
        let begun = Instant::now();
        while let Err(problem) = service.answers().await {
            ensure!(
                begun.elapsed() < PATIENCE,
                "submission does not answer: {problem}"
            );
            sleep(POLL).await;
        }
        Ok(service)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    async fn answers(&self) -> Result<()> {
        let channel = moka_rpc::client::connect(&self.url, &ClientOptions::default())?;
        let mut client = SubmissionServiceClient::new(channel);
        client
            .list_applications(ListApplicationsRequest::default())
            .await?;
        Ok(())
    }

    /// How much of its memory is in RAM.
    pub(super) fn resident_bytes(&self) -> Result<u64> {
        let id = self.program.id().context("submission has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("Linux tells every process' memory")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }
}

async fn build() -> Result<PathBuf> {
    let target = target_folder();
    let status = Command::new("cargo")
        .current_dir(workspace::root())
        .env("CARGO_TARGET_DIR", &target)
        .args(["build", "--locked", "--quiet", "--profile", PROFILE])
        .args(["--package", "moka-submission"])
        .status()
        .await?;
    ensure!(status.success(), "moka-submission does not build");
    Ok(target.join(PROFILE).join("moka-submission"))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
