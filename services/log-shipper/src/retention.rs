//! Frees the node of event logs that are safe in the store.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jiff::Timestamp;

use crate::{
    registry::Registry,
    scan::{EventDirectory, Found, Scan},
};

/// Whether something that last changed at `modified` has been quiet for `retention`.
pub fn is_past(modified: SystemTime, now: Timestamp, retention: Duration) -> bool {
    let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u128::try_from(now.as_nanosecond()).unwrap_or_default();
    now.saturating_sub(modified.as_nanos()) >= retention.as_nanos()
}

/// The directories that may go: past their retention, as are all their files, and every byte of
/// these acknowledged. A directory that holds anything which is not shipped stays.
pub fn due<'a>(
    scan: &'a Scan,
    registry: &Registry,
    now: Timestamp,
    retention: Duration,
) -> Vec<&'a EventDirectory> {
    let is_safe = |file: &Found| {
        let stream = registry.get(&file.id);
        is_past(file.modified, now, retention)
            && stream.is_some_and(|stream| stream.progress.offset_bytes == file.size_bytes)
    };
    let directories = scan.event_directories.iter();
    directories
        .filter(|directory| {
            directory.foreign_count == 0
                && is_past(directory.modified, now, retention)
                && directory
                    .files
                    .iter()
                    .all(|index| is_safe(&scan.found[*index]))
        })
        .collect()
}

/// Deletes a directory and the files that were found in it, but none that came since: then the
/// directory is not empty and stays. A crash in between leaves less for the next time.
///
/// # Errors
///
/// When the disk refuses.
pub fn delete(directory: &EventDirectory, scan: &Scan) -> io::Result<()> {
    for index in &directory.files {
        gone(fs::remove_file(&scan.found[*index].path))?;
    }
    gone(remove_empty(&directory.path))
}

fn remove_empty(path: &Path) -> io::Result<()> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
        result => result,
    }
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_counts_from_the_last_change() {
        let now = Timestamp::from_second(1_000).unwrap();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let retention = Duration::from_secs(100);
        for (modified, expected) in [(at(900), true), (at(901), false), (at(2_000), false)] {
            assert_eq!(is_past(modified, now, retention), expected, "{modified:?}");
        }
    }
}
