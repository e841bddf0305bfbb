//! A node with pods and drivers that write logs, and a log shipper on it.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::{Args, FromArgMatches};
use moka_core::clock::Clock;
use moka_log_shipper::{Config, SERVICE, start_with, store::StateDirectory};
use moka_objects::ObjectStore;
use moka_process::ProcessContext;
use tempfile::TempDir;

use crate::records::reassembled;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);
const GRACE: Duration = Duration::from_secs(20);

pub(crate) struct Node {
    pub(crate) directory: TempDir,
    /// Lives as long as the node.
    pub(crate) also: Option<TempDir>,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) more_options: Vec<String>,
    shipper: Option<ProcessContext>,
}

impl Node {
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("pods")).unwrap();
        Self {
            directory,
            also: None,
            store,
            clock: None,
            more_options: Vec::new(),
            shipper: None,
        }
    }

    pub(crate) fn pod_log(&self, pod: &str, file: &str) -> PathBuf {
        let path = self
            .directory
            .path()
            .join("pods")
            .join(pod)
            .join("main")
            .join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn event_log(&self, attempt: &str, file: &str) -> PathBuf {
        let path = self
            .directory
            .path()
            .join("events")
            .join(attempt)
            .join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// The options of a shipper of this node that is in a hurry.
    pub(crate) fn options(&self) -> Vec<String> {
        let path = |name| self.directory.path().join(name).display().to_string();
        let mut options = vec![
            format!("--pods-log-dir={}", path("pods")),
            format!("--events-dir={}", path("events")),
            format!("--state-dir={}", path("state")),
            "--scan-interval-milliseconds=10".to_owned(),
            "--flush-interval-seconds=0".to_owned(),
        ];
        let name = |option: &str| option.split('=').next().map(str::to_owned);
        options.retain(|option| {
            !self
                .more_options
                .iter()
                .any(|more| name(more) == name(option))
        });
        options.extend(self.more_options.iter().cloned());
        options
    }

    pub(crate) fn start(&mut self) {
        let command = Config::augment_args(clap::Command::new("log-shipper").no_binary_name(true));
        let matches = command.try_get_matches_from(self.options()).unwrap();
        let config = Config::from_arg_matches(&matches).unwrap();
        let mut context = ProcessContext::new(SERVICE);
        if let Some(clock) = &self.clock {
            context.clock = Arc::clone(clock);
        }
        start_with(&context, config, Arc::clone(&self.store)).unwrap();
        self.shipper = Some(context);
    }

    pub(crate) fn shipper(&self) -> &ProcessContext {
        self.shipper.as_ref().unwrap()
    }

    /// As SIGTERM does.
    pub(crate) async fn stop(&mut self) {
        let shipper = self.shipper.take().unwrap();
        shipper.tasks.drain(GRACE).await.unwrap();
    }

    /// As SIGKILL does, save that what runs in the kernel goes on.
    pub(crate) async fn kill(&mut self) {
        let shipper = self.shipper.take().unwrap();
        shipper.tasks.abort();
        shipper.tasks.drain(GRACE).await.unwrap();
        // A write to the disk that was under way holds the lock until it is done.
        let state = self.directory.path().join("state");
        until(async || StateDirectory::open(&state).is_ok()).await;
    }

    /// Waits until the store holds `expected` as one generation of the file written at `path`.
    pub(crate) async fn until_shipped(&self, path: &Path, expected: &[u8]) {
        let path = path.display().to_string();
        let arrived = async || {
            let streams = reassembled(&*self.store).await;
            streams
                .iter()
                .any(|((shipped, _), bytes)| *shipped == path && bytes == expected)
        };
        until(arrived).await;
    }

    /// A metric of the shipper, summed over its labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.shipper().metrics_text().unwrap();
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        lines
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
            .sum()
    }
}

/// Waits for a condition that must come true.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(came.is_ok(), "waited in vain");
}

pub(crate) fn append(path: &Path, bytes: &[u8]) -> File {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Some CRI lines.
pub(crate) fn cri_lines(range: std::ops::Range<u32>) -> Vec<u8> {
    range
        .flat_map(|number| {
            format!("2026-11-21T03:04:05.{number:09}Z stdout F line {number}\n").into_bytes()
        })
        .collect()
}
