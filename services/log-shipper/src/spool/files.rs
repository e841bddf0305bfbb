//! One file per batch.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use super::SpoolError;

/// What file systems give at least, so that a thousand short batches do not take more than is
/// counted.
const BLOCK_BYTES: u64 = 4096;
const BATCH: &str = "batch";
const UNFINISHED: &str = "new";
const DAMAGED: &str = "damaged";

/// What a file of that length takes.
pub(super) fn size_on_disk(length_bytes: u64) -> u64 {
    length_bytes.div_ceil(BLOCK_BYTES) * BLOCK_BYTES
}

/// `<number>.batch`, its digits such that names sort as numbers do.
pub(super) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.{BATCH}"))
}

/// Makes the directory when it is absent; gives the sizes of the batches in it by their numbers,
/// and removes what a crash left unfinished.
pub(super) fn open(directory: &Path) -> io::Result<BTreeMap<u64, u64>> {
    fs::create_dir_all(directory)?;
    let mut sizes = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let file = entry.path();
        let extension = file.extension().and_then(|extension| extension.to_str());
        let number = file
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        match (number, extension) {
            (Some(number), Some(BATCH)) if file == path(directory, number) => {
                sizes.insert(number, size_on_disk(entry.metadata()?.len()));
            }
            (Some(_), Some(UNFINISHED)) => fs::remove_file(&file)?,
            _ => {}
        }
    }
    Ok(sizes)
}

/// Writes a batch durably, all or nothing.
pub(super) fn write(path: &Path, head: &[u8], object: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(UNFINISHED);
    let written = write_all(&unfinished, head, object)
        .and_then(|()| fs::rename(&unfinished, path))
        .and_then(|()| {
            path.parent()
                .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        });
    if written.is_err() {
        // Whatever is left of it would take room that is not counted.
        let _ = fs::remove_file(&unfinished);
        let _ = fs::remove_file(path);
    }
    written
}

fn write_all(path: &Path, head: &[u8], object: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(head)?;
    file.write_all(object)?;
    file.sync_all()
}

/// Removes a batch. One that cannot be removed is sent again after the next start.
pub(super) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot remove a batch from the spool");
        }
        _ => {}
    }
}

/// Puts a damaged batch aside, for whoever wants to look at it.
pub(super) fn put_aside(path: &Path) -> io::Result<()> {
    fs::rename(path, path.with_extension(DAMAGED))
}

/// A full disk is a full spool.
pub(super) fn error(error: io::Error) -> SpoolError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => SpoolError::Full,
        _ => SpoolError::Disk(error),
    }
}
