//! The real program of a service, to be killed and started again.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use moka_xtask::mesh::images::target_folder;
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// A service with its options, running or not. Its ports stay the same over restarts.
#[derive(Debug)]
pub struct Program {
    name: &'static str,
    file: PathBuf,
    environment: Vec<(String, String)>,
    log: PathBuf,
    port: u16,
    admin_port: u16,
    child: Option<Child>,
}

impl Program {
    /// Builds the service and chooses its ports. `environment` are its `MOKA_…` variables; its log
    /// is kept in `folder`.
    pub async fn new(name: &'static str, folder: &Path, environment: &[(&str, &str)]) -> Self {
        let environment = environment
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            name,
            file: build(name).await,
            environment: environment.collect(),
            log: folder.join(format!("{name}.log")),
            port: free_port(),
            admin_port: free_port(),
            child: None,
        }
    }

    /// The same service once more, with ports and a log of its own; it does not run yet.
    #[must_use]
    pub fn replica(&self) -> Self {
        let port = free_port();
        Self {
            name: self.name,
            file: self.file.clone(),
            environment: self.environment.clone(),
            log: self.log.with_extension(format!("{port}.log")),
            port,
            admin_port: free_port(),
            child: None,
        }
    }

    /// `http://127.0.0.1:<port>` of its gRPC port.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        let child = Command::new(&self.file)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("MOKA_LISTEN", format!("127.0.0.1:{}", self.port))
            .env(
                "MOKA_ADMIN_LISTEN",
                format!("127.0.0.1:{}", self.admin_port),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let url = format!("http://127.0.0.1:{}/readyz", self.admin_port);
        let begun = Instant::now();
        while !reqwest::get(&url)
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{} ended with {ended:?}:\n{}",
                self.name,
                self.log()
            );
            assert!(
                begun.elapsed() < PATIENCE,
                "{} is not ready:\n{}",
                self.name,
                self.log()
            );
            sleep(POLL).await;
        }
    }

    /// Kills it as the kernel does when memory is short: SIGKILL, no goodbye.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().await.unwrap();
    }

    /// What its admin port answers: whether it succeeds, and the text.
    pub async fn admin(&self, path: &str) -> (bool, String) {
        let url = format!("http://127.0.0.1:{}{path}", self.admin_port);
        let answer = reqwest::get(&url).await.unwrap();
        (answer.status().is_success(), answer.text().await.unwrap())
    }

    /// Waits until it says that it is ready, or is not, and gives what it says.
    pub async fn says_ready(&self, expected: bool) -> String {
        let begun = Instant::now();
        loop {
            let (ready, text) = self.admin("/readyz").await;
            if ready == expected {
                return text;
            }
            assert!(begun.elapsed() < PATIENCE, "{text}\n{}", self.log());
            sleep(POLL).await;
        }
    }

    /// Whether the process that was started last is still there.
    pub fn runs(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Builds a service the way this test was built and returns its program.
async fn build(name: &str) -> PathBuf {
    let target = target_folder();
    let status = Command::new(env!("CARGO"))
        .current_dir(moka_xtask::workspace::root())
        .env("CARGO_TARGET_DIR", &target)
        .args([
            "build",
            "--locked",
            "--quiet",
            "--package",
            &format!("moka-{name}"),
        ])
        .status()
        .await
        .unwrap();
    assert!(status.success(), "moka-{name} does not build");
    target.join("debug").join(format!("moka-{name}"))
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
