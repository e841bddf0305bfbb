//! Finds files and starts followers.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use moka_process::{Condition, Tasks};
use prometheus_client::metrics::gauge::Gauge;

use crate::{
    domain::{Progress, StreamId},
    follower::Follower,
    log_file::LogFile,
    metrics::KindLabels,
    registry::{Sighting, Stream},
    retention,
    scan::{Found, Scan, Scanner},
    shared::Shared,
    store::Saved,
};

/// A file of the run before that was not found by then is gone. One look is not enough: a file that
/// is renamed during it is seen under neither name, and without what is saved of it its lines would
/// be shipped again, after a truncation under a generation that is not theirs.
const LOOKS_BEFORE_GONE: u64 = 2;

/// Runs as a task until the process stops.
#[derive(Debug)]
pub struct Discovery {
    /// Where to look.
    pub scanner: Scanner,
    /// What followers share.
    pub shared: Arc<Shared>,
    /// Where followers run.
    pub tasks: Tasks,
    /// Offsets of the run before, of files that were not found yet.
    pub saved: Saved,
    /// Holds once everything was looked at.
    pub looked: Condition,
    /// What could not be looked at the last time, so that it is told once.
    pub troubled: BTreeSet<PathBuf>,
}

impl Discovery {
    /// Looks, and looks again.
    ///
    /// # Errors
    ///
    /// When a look panics.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let stop = self.shared.stop.clone();
        let mut look_count = 0_u64;
        while !stop.is_cancelled() {
            let scanner = self.scanner.clone();
            let mut scan = tokio::task::spawn_blocking(move || scanner.scan()).await?;
            for found in &scan.found {
                if let Err(error) = self.sighted(found).await {
                    scan.failures.push((found.path.clone(), error));
                }
            }
            if scan.failures.is_empty() {
                look_count += 1;
                self.forget_missing(&scan, look_count == LOOKS_BEFORE_GONE)
                    .await;
            }
            self.delete_event_logs(&mut scan);
            self.tell_failures(std::mem::take(&mut scan.failures));
            self.measure(&scan);
            self.looked.ready();
            tokio::select! {
                () = tokio::time::sleep(self.shared.look_interval) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    async fn sighted(&mut self, found: &Found) -> io::Result<()> {
        let Found {
            id,
            settled,
            size_bytes,
            ..
        } = found;
        let former = match self.shared.registry.sighting(id, *size_bytes, *settled) {
            Sighting::Known => return Ok(()),
            Sighting::Grown(progress) => Some(progress),
            Sighting::New => self.saved.get(id).cloned(),
        };
        let Some(file) = open(&found.path, id)? else {
            self.missed(found);
            return Ok(());
        };
        let progress = match former {
            Some(progress) => progress,
            None => self.start(id).await,
        };
        self.saved.remove(id);
        self.follow(found, file, progress);
        Ok(())
    }

    /// It may also have been renamed since, and is found under its new name then.
    fn missed(&self, found: &Found) {
        tracing::info!(
            path = %found.path.display(),
            size_bytes = found.size_bytes,
            "a log file was gone before it was opened"
        );
        self.shared.metrics.missed_files.inc();
    }

    async fn start(&self, id: &StreamId) -> Progress {
        let seen = self.shared.uploader.now().as_nanosecond();
        let progress = Progress::start(id, seen);
        if id.birth_nanoseconds.is_none() {
            self.shared.offsets.record_durably(id, &progress).await;
        }
        progress
    }

    fn follow(&self, found: &Found, file: LogFile, progress: Progress) {
        let kind = found.source.kind();
        let key_prefix = found.source.key_prefix(&self.shared.uploader.cluster);
        tracing::info!(
            stream.path = %found.id.path,
            stream.offset_bytes = progress.offset_bytes,
            "following a log file"
        );
        let stream = Stream {
            kind,
            key_prefix: key_prefix.clone(),
            progress: progress.clone(),
            size_bytes: found.size_bytes,
            late_since: None,
            settled: found.settled,
            open: true,
            failure_count: 0,
            last_error: None,
        };
        self.shared.registry.insert(found.id.clone(), stream);
        let follower = Follower {
            shared: Arc::clone(&self.shared),
            id: found.id.clone(),
            labels: KindLabels { kind },
            key_prefix,
            file,
            progress,
        };
        self.tasks
            .spawn(format!("follow {}", found.id.path), follower.run());
    }

    /// Forgets files that nobody follows and that are gone.
    async fn forget_missing(&mut self, scan: &Scan, saved_too: bool) {
        if saved_too {
            for (id, progress) in std::mem::take(&mut self.saved) {
                tracing::warn!(
                    stream.path = %id.path,
                    stream.offset_bytes = progress.offset_bytes,
                    "log file vanished while no shipper ran, lines past the offset are lost"
                );
                self.shared.metrics.files_gone_at_start.inc();
                self.shared.offsets.forget(&id).await;
            }
        }
        let closed = self.shared.registry.closed();
        if closed.is_empty() {
            return;
        }
        let present: BTreeSet<_> = scan.found.iter().map(|found| &found.id).collect();
        for id in closed.iter().filter(|id| !present.contains(id)) {
            self.shared.registry.remove(id);
            self.shared.offsets.forget(id).await;
        }
    }

    fn delete_event_logs(&self, scan: &mut Scan) {
        let now = self.shared.uploader.now();
        let retention: Duration = self.shared.event_log_retention;
        let mut failures = Vec::new();
        for directory in retention::due(scan, &self.shared.registry, now, retention) {
            match retention::delete(directory, scan) {
                Ok(()) => {
                    tracing::info!(path = %directory.path.display(), "deleted shipped event logs");
                    self.shared.metrics.deleted_event_directories.inc();
                }
                Err(error) => failures.push((directory.path.clone(), error)),
            }
        }
        scan.failures.append(&mut failures);
    }

    fn measure(&self, scan: &Scan) {
        let directories = scan.event_directories.iter();
        let foreign: usize = directories.map(|directory| directory.foreign_count).sum();
        let foreign_events = foreign + scan.foreign_event_count;
        let set = |gauge: &Gauge, count| gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        set(&self.shared.metrics.foreign_entries, foreign_events);
        set(
            &self.shared.metrics.foreign_pod_entries,
            scan.foreign_pod_count,
        );
        self.shared.registry.measure(&self.shared.metrics);
    }

    fn tell_failures(&mut self, failures: Vec<(PathBuf, io::Error)>) {
        let mut troubled = BTreeSet::new();
        for (path, error) in failures {
            self.shared.metrics.scan_failures.inc();
            if !self.troubled.contains(&path) {
                tracing::warn!(path = %path.display(), %error, "cannot look at a path, trying again");
            }
            troubled.insert(path);
        }
        self.troubled = troubled;
    }
}

/// A file that went away since it was seen is no failure.
fn open(path: &Path, id: &StreamId) -> io::Result<Option<LogFile>> {
    match LogFile::open(path, id) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result,
    }
}
