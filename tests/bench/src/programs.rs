//! The services' own programs, with the benchmark's own optimisations.

use std::{
    fs::File,
    net::TcpListener,
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::cpu::cpu_seconds;

const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// Where the programs are.
pub(crate) struct Programs {
    folder: PathBuf,
    logs: TempDir,
    started: AtomicU32,
}

impl Programs {
    /// The programs that were built with this one: `cargo xtask bench` does.
    ///
    /// # Errors
    /// When this program's folder is not known.
    pub(crate) fn beside_this_one() -> Result<Self> {
        let own = std::env::current_exe()?;
        let folder = own.parent().context("a program is in a folder")?;
        Ok(Self {
            folder: folder.to_owned(),
            logs: tempfile::tempdir()?,
            started: AtomicU32::new(0),
        })
    }

    /// Where a program is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("moka-{name}"))
    }

    /// Starts one and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub(crate) async fn start(
        &self,
        name: &str,
        environment: &[(&str, String)],
    ) -> Result<Program> {
        let (port, admin_port) = (free_port()?, free_port()?);
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = self.logs.path().join(format!("{name}-{number}.log"));
        let file = File::create(&log)?;
        let child = Command::new(self.path(name))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("MOKA_LISTEN", format!("127.0.0.1:{port}"))
            .env("MOKA_ADMIN_LISTEN", format!("127.0.0.1:{admin_port}"))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("moka-{name} does not start"))?;
        let program = Program {
            port,
            admin_port,
            log,
            child,
        };
        let begun = Instant::now();
        while !program.is_ready().await {
            ensure!(
                begun.elapsed() < PATIENCE,
                "{name} is not ready:\n{}",
                program.log()
            );
            sleep(POLL).await;
        }
        Ok(program)
    }
}

/// A running service. It ends when this is dropped.
pub(crate) struct Program {
    port: u16,
    admin_port: u16,
    log: PathBuf,
    child: Child,
}

impl Program {
    /// Where its gRPC port is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a counter of its metrics shows; 0 before it counted.
    pub(crate) async fn counter(&self, name: &str) -> Result<usize> {
        let metrics = self.admin("metrics").await?.text().await?;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        match line {
            Some(value) => Ok(value.trim().parse()?),
            None => Ok(0),
        }
    }

    /// How much of its memory is in RAM.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        resident_bytes(self.process()?)
    }

    /// The most of its memory that ever was in RAM.
    pub(crate) fn peak_resident_bytes(&self) -> Result<u64> {
        memory_bytes(self.process()?, "VmHWM:")
    }

    /// Seconds that it was on a core, the kernel's part included.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.process()?)
    }

    fn process(&self) -> Result<u32> {
        self.child.id().context("the program has ended")
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    async fn is_ready(&self) -> bool {
        self.admin("readyz")
            .await
            .is_ok_and(|answer| answer.status().is_success())
    }

    async fn admin(&self, page: &str) -> reqwest::Result<reqwest::Response> {
        reqwest::get(format!("http://127.0.0.1:{}/{page}", self.admin_port)).await
    }
}

/// How much of a process' memory is in RAM.
///
/// # Errors
/// When there is no such process.
pub(crate) fn resident_bytes(process: u32) -> Result<u64> {
    memory_bytes(process, "VmRSS:")
}

fn memory_bytes(process: u32, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .context("Linux tells every process' memory")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
