//! Locks between processes: one local cluster per machine, one build of a thing at a time.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context as _, Result};

/// Held until dropped; the kernel releases it when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock. `waiting` is told to the user when somebody else holds it.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub(crate) async fn acquire(path: &Path, waiting: &str) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .with_context(|| format!("opening the lock file {}", path.display()))?;
        if file.try_lock().is_ok() {
            return Ok(Self { _file: file });
        }
        eprintln!("waiting: {waiting}");
        let file = tokio::task::spawn_blocking(move || file.lock().map(|()| file))
            .await
            .context("waiting for a lock")??;
        Ok(Self { _file: file })
    }
}
