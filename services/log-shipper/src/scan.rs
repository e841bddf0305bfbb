//! Looks for files.

use std::{
    fs::{self, DirEntry, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use moka_core::AttemptName;

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
    /// Entries beside the attempts' directories that are none.
    pub foreign_event_count: usize,
    /// Entries among the pods' logs that the kubelet did not make.
    pub foreign_pod_count: usize,
    /// What could not be looked at. When there is none, a file that was not found is not there.
    pub failures: Vec<(PathBuf, io::Error)>,
}

impl Scanner {
    /// Looks at everything once. Blocks.
    pub fn scan(&self) -> Scan {
        let mut scan = Scan::default();
        for (pod, pod_path) in scan.pod_directories(&self.pods_log_dir, Missing::IsFailure) {
            for (container, path) in scan.pod_directories(&pod_path, Missing::IsFine) {
                for file in scan.entries(&path, Missing::IsFine) {
                    self.container_log(&mut scan, &pod, &container, &file);
                }
            }
        }
        for directory in scan.entries(&self.events_dir, Missing::IsFailure) {
            self.event_directory(&mut scan, &directory);
        }
        scan
    }

    fn container_log(&self, scan: &mut Scan, pod: &str, container: &str, file: &DirEntry) {
        let file_name = name_of(file).unwrap_or_default();
        if PodLogName::is_copy(&file_name) {
            return;
        }
        let Some(name) = PodLogName::parse(pod, container, &file_name) else {
            scan.foreign_pod_count += 1;
            return;
        };
        let source = name.source();
        if source.kind() == SourceKind::System && !self.ship_system_pods {
            return;
        }
        let written_path = self.pods_log_dir.join(name.written_path());
        let added = scan.file(&written_path, source, file.path(), name.rotated);
        scan.foreign_pod_count += usize::from(added == Added::Foreign);
    }

    fn event_directory(&self, scan: &mut Scan, directory: &DirEntry) {
        let path = directory.path();
        let attempt = name_of(directory).filter(|name| name.parse::<AttemptName>().is_ok());
        // Asked before the files, so that one that comes meanwhile makes the time too old, not new.
        let Some(metadata) = scan.metadata(&path) else {
            return;
        };
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let Some(attempt) = attempt.filter(|_| metadata.is_dir()) else {
            scan.foreign_event_count += 1;
            return;
        };
        let mut files = Vec::new();
        let mut foreign_count = 0;
        let mut entries = scan.entries(&path, Missing::IsFine);
        entries.sort_by_key(DirEntry::file_name);
        for file in entries {
            let name = name_of(&file).filter(|_| files.len() < MAX_FILES_PER_ATTEMPT);
            let name = name.and_then(|file| EventLogName::parse(&attempt, &file));
            let added = name.map_or(Added::Foreign, |name| {
                let written_path = self.events_dir.join(name.written_path());
                scan.file(&written_path, name.source(), file.path(), !name.in_progress)
            });
            match added {
                Added::At(index) => files.push(index),
                Added::Foreign => foreign_count += 1,
                Added::Gone => {}
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

/// What became of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Added {
    /// A regular file, at that position among what was found.
    At(usize),
    /// Something else.
    Foreign,
    /// Removed, or renamed, since it was listed.
    Gone,
}

impl Scan {
    /// Names and paths of the directories in a directory of the kubelet. Links are not followed
    /// here either: what they lead to is not the kubelet's.
    fn pod_directories(&mut self, parent: &Path, missing: Missing) -> Vec<(String, PathBuf)> {
        let mut directories = Vec::new();
        for entry in self.entries(parent, missing) {
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            match name_of(&entry).filter(|_| is_directory) {
                Some(name) => directories.push((name, entry.path())),
                None => self.foreign_pod_count += 1,
            }
        }
        directories
    }

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

    /// Adds a regular file.
    fn file(&mut self, written_path: &Path, source: Source, path: PathBuf, settled: bool) -> Added {
        let Some(metadata) = self.metadata(&path) else {
            return Added::Gone;
        };
        let Some(written_path) = written_path.to_str().filter(|_| metadata.is_file()) else {
            return Added::Foreign;
        };
        self.found.push(Found {
            id: log_file::stream_id(written_path, &metadata),
            source,
            path,
            settled,
            size_bytes: metadata.size(),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        });
        Added::At(self.found.len() - 1)
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
