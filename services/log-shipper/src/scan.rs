//! Looks for files.

use std::{
    fs::{self, DirEntry, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    domain::{EventLogName, PodLogName, Source, SourceKind, StreamId},
    log_file,
};

/// Spark writes one event log per attempt. A driver that makes more files than this cannot take the
/// open files of the whole node: the rest is not shipped.
const MAX_FILES_PER_ATTEMPT: usize = 64;

/// Which directories to look at.
#[derive(Debug, Clone)]
pub struct Scanner {
    /// Of the kubelet.
    pub pods_log_dir: PathBuf,
    /// Of the drivers' event logs.
    pub events_dir: PathBuf,
    /// Whether other pods than those of applications count.
    pub ship_system_pods: bool,
}

/// A file to ship.
#[derive(Debug)]
pub struct Found {
    /// Its name for ever.
    pub id: StreamId,
    /// Whose it is.
    pub source: Source,
    /// Where it is now.
    pub path: PathBuf,
    /// Whether its name says that its writer is done with it.
    pub settled: bool,
    /// Its length.
    pub size_bytes: u64,
    /// When it last changed.
    pub modified: SystemTime,
}

/// An attempt's directory of event logs.
#[derive(Debug)]
pub struct EventDirectory {
    /// Where it is.
    pub path: PathBuf,
    /// When a file last came or went.
    pub modified: SystemTime,
    /// Positions of its files among what was found.
    pub files: Vec<usize>,
    /// Entries that are not shipped: no regular files, names that fit no key, too many.
    pub foreign_count: usize,
}

/// What one look has found.
#[derive(Debug, Default)]
pub struct Scan {
    /// Files.
    pub found: Vec<Found>,
    /// Attempts' directories.
    pub event_directories: Vec<EventDirectory>,
    /// What could not be looked at. When there is none, a file that was not found is not there.
    pub failures: Vec<(PathBuf, io::Error)>,
}

impl Scanner {
    /// Looks at everything once. Blocks.
    pub fn scan(&self) -> Scan {
        let mut scan = Scan::default();
        for pod in scan.entries(&self.pods_log_dir, Missing::IsFailure) {
            let Some(pod_directory) = name_of(&pod) else {
                continue;
            };
            for container in scan.entries(&pod.path(), Missing::IsFine) {
                let Some(container_directory) = name_of(&container) else {
                    continue;
                };
                for file in scan.entries(&container.path(), Missing::IsFine) {
                    self.container_log(&mut scan, &pod_directory, &container_directory, &file);
                }
            }
        }
        for directory in scan.entries(&self.events_dir, Missing::IsFailure) {
            self.event_directory(&mut scan, &directory);
        }
        scan
    }

    fn container_log(&self, scan: &mut Scan, pod: &str, container: &str, file: &DirEntry) {
        let name = name_of(file).and_then(|file| PodLogName::parse(pod, container, &file));
        let Some(name) = name else { return };
        let source = name.source();
        if source.kind() == SourceKind::System && !self.ship_system_pods {
            return;
        }
        let written_path = self.pods_log_dir.join(name.written_path());
        scan.file(&written_path, source, file.path(), name.rotated);
    }

    fn event_directory(&self, scan: &mut Scan, directory: &DirEntry) {
        let path = directory.path();
        let Some(attempt) = name_of(directory) else {
            return;
        };
        // Asked before the files, so that one that comes meanwhile makes the time too old, not new.
        let Some(metadata) = scan.metadata(&path) else {
            return;
        };
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        if attempt.parse::<moka_core::AttemptName>().is_err() || !metadata.is_dir() {
            return;
        }
        let mut files = Vec::new();
        let mut foreign_count = 0;
        let mut entries = scan.entries(&path, Missing::IsFine);
        entries.sort_by_key(DirEntry::file_name);
        for file in entries {
            let name = name_of(&file).filter(|_| files.len() < MAX_FILES_PER_ATTEMPT);
            let name = name.and_then(|file| EventLogName::parse(&attempt, &file));
            let index = name.and_then(|name| {
                let written_path = self.events_dir.join(name.written_path());
                scan.file(&written_path, name.source(), file.path(), !name.in_progress)
            });
            match index {
                Some(index) => files.push(index),
                None => foreign_count += 1,
            }
        }
        scan.event_directories.push(EventDirectory {
            path,
            modified,
            files,
            foreign_count,
        });
    }
}

/// Whether a directory that is not there tells something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It has to be there.
    IsFailure,
    /// It went away since its parent was read.
    IsFine,
}

impl Scan {
    fn entries(&mut self, directory: &Path, missing: Missing) -> Vec<DirEntry> {
        let read = fs::read_dir(directory).and_then(Iterator::collect);
        match read {
            Ok(entries) => entries,
            Err(error) if is_gone(&error) && missing == Missing::IsFine => Vec::new(),
            Err(error) => {
                self.failures.push((directory.to_owned(), error));
                Vec::new()
            }
        }
    }

    /// Links are not followed: a driver could lay one to a file that only the shipper may read.
    fn metadata(&mut self, path: &Path) -> Option<Metadata> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if is_gone(&error) => None,
            Err(error) => {
                self.failures.push((path.to_owned(), error));
                None
            }
        }
    }

    /// Adds a regular file, and returns its position.
    fn file(
        &mut self,
        written_path: &Path,
        source: Source,
        path: PathBuf,
        settled: bool,
    ) -> Option<usize> {
        let metadata = self.metadata(&path)?;
        let written_path = written_path.to_str()?;
        if !metadata.is_file() {
            return None;
        }
        self.found.push(Found {
            id: log_file::stream_id(written_path, &metadata),
            source,
            path,
            settled,
            size_bytes: metadata.size(),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        });
        Some(self.found.len() - 1)
    }
}

/// The entry was removed, or is a file where only directories count.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn name_of(entry: &DirEntry) -> Option<String> {
    entry.file_name().into_string().ok()
}
