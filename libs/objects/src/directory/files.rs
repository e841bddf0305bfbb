//! Objects as files: written beside, moved into place, versioned by their times.

use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    ops::Range,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use moka_core::entropy::Entropy;

use super::Failure;
use crate::{
    ETag, Error, Object, ObjectKey, ObjectMeta, PutCondition,
    store::{check_size, clip},
};

/// Where the store keeps what is no object. No key can name it.
pub(super) const OWN_DIRECTORY: &str = ".moka-store";
/// Writers of one key meet at one of these many lock files.
const LOCK_COUNT: u64 = 64;
/// A temporary file this much older than now was left by a crash.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);
/// How often a directory may be removed by a delete between its making and its use.
const PLACE_ATTEMPTS: u32 = 16;

#[derive(Debug)]
pub(super) struct Files {
    root: PathBuf,
    entropy: Arc<dyn Entropy>,
}

impl Files {
    pub(super) fn open(root: PathBuf, entropy: Arc<dyn Entropy>) -> io::Result<Self> {
        let files = Self { root, entropy };
        fs::create_dir_all(files.own("locks"))?;
        fs::create_dir_all(files.own("temporary"))?;
        files.remove_abandoned()?;
        Ok(files)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn put(
        &self,
        key: &ObjectKey,
        bytes: &[u8],
        condition: &PutCondition,
    ) -> Result<ETag, Failure> {
        let _lock = self.lock(key)?;
        let path = self.path(key);
        let present = object_metadata(&path)?;
        let holds = match (condition, &present) {
            (PutCondition::Always, _) | (PutCondition::IfAbsent, None) => true,
            (PutCondition::IfAbsent, Some(_)) => false,
            (PutCondition::IfMatch(wanted), Some(present)) => etag(present) == *wanted,
            (PutCondition::IfMatch(_), None) => false,
        };
        if !holds {
            return Err(Failure::Store(Error::PreconditionFailed {
                key: key.clone(),
            }));
        }
        let temporary = self.temporary_path();
        let placed = self
            .write(&temporary, bytes, present.as_ref())
            .and_then(|written| self.place(&temporary, &path).map(|()| written));
        match placed {
            Ok(written) => Ok(etag(&written)),
            Err(error) => {
                // Nobody sees it; whatever keeps it from going will be met again by the next put.
                let _ = fs::remove_file(&temporary);
                Err(error.into())
            }
        }
    }

    pub(super) fn get(
        &self,
        key: &ObjectKey,
        range: &Range<u64>,
    ) -> Result<Option<Object>, Failure> {
        let Some(mut file) = absent_as_none(File::open(self.path(key)))? else {
            return Ok(None);
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let range = clip(range, metadata.len());
        let length = range.end - range.start;
        check_size(key, length).map_err(Failure::Store)?;
        file.seek(SeekFrom::Start(range.start))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(Some(Object {
            bytes: bytes.into(),
            etag: etag(&metadata),
            size_bytes: metadata.len(),
        }))
    }

    pub(super) fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, Failure> {
        let metadata = object_metadata(&self.path(key))?;
        Ok(metadata.map(|metadata| object_meta(key.clone(), &metadata)))
    }

    pub(super) fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        let _lock = self.lock(key)?;
        let path = self.path(key);
        if object_metadata(&path)?.is_none() {
            return Ok(());
        }
        if absent_as_none(fs::remove_file(&path))?.is_none() {
            return Ok(());
        }
        sync_parent(&path)?;
        // An empty directory is no object, but would keep one from having its name.
        let parents = path
            .ancestors()
            .skip(1)
            .take_while(|parent| *parent != self.root);
        for parent in parents {
            if fs::remove_dir(parent).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn own(&self, name: &str) -> PathBuf {
        self.root.join(OWN_DIRECTORY).join(name)
    }

    fn path(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// Held until the file is dropped, also against other processes.
    fn lock(&self, key: &ObjectKey) -> io::Result<File> {
        let name = format!("{:02}", fnv1a(key.as_str()) % LOCK_COUNT);
        let file = File::create(self.own("locks").join(name))?;
        file.lock()?;
        Ok(file)
    }

    fn temporary_path(&self) -> PathBuf {
        let mut random = [0; 16];
        self.entropy.fill(&mut random);
        self.own("temporary")
            .join(format!("{:032x}", u128::from_le_bytes(random)))
    }

    fn write(&self, path: &Path, bytes: &[u8], present: Option<&Metadata>) -> io::Result<Metadata> {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.set_modified(self.version_time(file.metadata()?.modified()?, present)?)?;
        file.sync_all()?;
        file.metadata()
    }

    /// The time is most of the version. File systems step it in milliseconds, so that two writes
    /// could share one: a random part below a millisecond, and being later than the
    /// predecessor, forbid that.
    fn version_time(
        &self,
        written: SystemTime,
        present: Option<&Metadata>,
    ) -> io::Result<SystemTime> {
        let mut random = [0; 4];
        self.entropy.fill(&mut random);
        let step = Duration::from_nanos(1 + u64::from(u32::from_le_bytes(random)) % 1_000_000);
        let base = match present {
            Some(present) => written.max(present.modified()?),
            None => written,
        };
        Ok(base + step)
    }

    fn place(&self, temporary: &Path, path: &Path) -> io::Result<()> {
        let mut attempt = 1;
        loop {
            self.create_parents(path)?;
            match fs::rename(temporary, path) {
                Ok(()) => return sync_parent(path),
                // A delete found the new directory empty and took it away.
                Err(error) if error.kind() == ErrorKind::NotFound && attempt < PLACE_ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes the directories above a file, and their names durable.
    fn create_parents(&self, path: &Path) -> io::Result<()> {
        let missing: Vec<_> = path
            .ancestors()
            .skip(1)
            .take_while(|parent| *parent != self.root && !parent.is_dir())
            .collect();
        if let Some(lowest) = missing.first() {
            fs::create_dir_all(lowest)?;
        }
        missing.iter().try_for_each(|made| match sync_parent(made) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            synced => synced,
        })
    }

    fn remove_abandoned(&self) -> io::Result<()> {
        let probe = self.temporary_path();
        let now = File::create_new(&probe)?.metadata()?.modified()?;
        fs::remove_file(&probe)?;
        for entry in fs::read_dir(self.own("temporary"))? {
            let entry = entry?;
            let Some(metadata) = absent_as_none(entry.metadata())? else {
                continue;
            };
            let age = now.duration_since(metadata.modified()?).unwrap_or_default();
            if age > ABANDONED_AFTER {
                absent_as_none(fs::remove_file(entry.path()))?;
            }
        }
        Ok(())
    }
}

pub(super) fn object_meta(key: ObjectKey, metadata: &Metadata) -> ObjectMeta {
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| Timestamp::try_from(time).ok());
    ObjectMeta {
        key,
        size_bytes: metadata.len(),
        etag: etag(metadata),
        modified: modified.unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

/// Metadata of a file; `None` when nothing, or a directory, has the path.
pub(super) fn object_metadata(path: &Path) -> io::Result<Option<Metadata>> {
    Ok(absent_as_none(fs::metadata(path))?.filter(Metadata::is_file))
}

fn etag(metadata: &Metadata) -> ETag {
    ETag::new(format!(
        "{:x}.{:x}-{:x}-{:x}",
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ino(),
        metadata.len()
    ))
}

/// A file in the place of a directory means that nothing is below it.
pub(super) fn absent_as_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().expect("objects lie below the root");
    File::open(parent)?.sync_all()
}

/// The same in every process and every release, unlike the standard library's hashes.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
