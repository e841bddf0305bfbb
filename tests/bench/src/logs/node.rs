//! A node's directories, and log-shipper on them.

use std::{fs, path::PathBuf};

use anyhow::Result;
use moka_core::{ApplicationId, AttemptName, clock::SystemClock, entropy::SystemEntropy};
use tempfile::TempDir;
use tokio::time::{Duration, Instant, sleep};

use super::store::LogStore;
use crate::programs::{Program, Programs};

const PATIENCE: Duration = Duration::from_mins(10);
const POLL: Duration = Duration::from_millis(20);
const SHIPPED: &str = "moka_log_shipper_shipped_bytes_total{kind=\"event\"}";

/// The directories. They go when this is dropped.
pub(super) struct Node(TempDir);

impl Node {
    pub(super) fn new() -> Result<Self> {
        let folder = TempDir::with_prefix("moka-bench-")?;
        for name in ["pods", "events", "state"] {
            fs::create_dir(folder.path().join(name))?;
        }
        Ok(Self(folder))
    }

    /// Writes an event log of an attempt.
    pub(super) fn write(&self, attempt: AttemptName, file: &str, text: &[u8]) -> Result<()> {
        let folder = self.path("events").join(attempt.to_string());
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(file), text)?)
    }

    /// Starts the shipper.
    pub(super) async fn ship(&self, programs: &Programs, store: &LogStore) -> Result<Program> {
        let mut environment = store.environment();
        for (name, folder) in [
            ("MOKA_PODS_LOG_DIR", "pods"),
            ("MOKA_EVENTS_DIR", "events"),
            ("MOKA_STATE_DIR", "state"),
        ] {
            environment.push((name, self.path(folder).display().to_string()));
        }
        // As its DaemonSet has it.
        environment.push(("MALLOC_ARENA_MAX", "2".to_owned()));
        environment.push(("MALLOC_MMAP_THRESHOLD_", "131072".to_owned()));
        programs.start("log-shipper", &environment).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A name that no other attempt has.
pub(super) fn new_attempt() -> AttemptName {
    AttemptName::new(ApplicationId::mint(&SystemClock, &SystemEntropy), 1)
}

/// Waits until the store has acknowledged so many bytes.
pub(super) async fn shipped(shipper: &Program, size_bytes: usize) -> Result<()> {
    let begun = Instant::now();
    while shipper.counter(SHIPPED).await? < size_bytes {
        anyhow::ensure!(
            begun.elapsed() < PATIENCE,
            "not shipped:\n{}",
            shipper.log()
        );
        sleep(POLL).await;
    }
    Ok(())
}
