//! A store in a directory, for one machine and for tests. Other programs may read the files as they
//! are; who writes must go through this store.
//!
//! An object `x` and an object `x/y` cannot both exist.

mod files;
mod listing;

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use moka_core::entropy::{Entropy, SystemEntropy};

use self::files::Files;
use crate::{
    ETag, Error, Object, ObjectKey, ObjectMeta, ObjectStore, OpenError, Page, PrefixPage,
    PutCondition, page::page_size, store::check_size,
};

/// Objects as files. Safe between processes on one machine, not over a network file system.
#[derive(Debug, Clone)]
pub struct DirectoryStore {
    files: Arc<Files>,
}

impl DirectoryStore {
    /// Opens a directory, which is made when it is missing.
    ///
    /// # Errors
    /// [`OpenError::Directory`] when it cannot be made or written.
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::with_entropy(root, Arc::new(SystemEntropy)).await
    }

    /// Opens a directory whose versions are told apart by `entropy`.
    ///
    /// # Errors
    /// [`OpenError::Directory`] when it cannot be made or written.
    pub async fn with_entropy(
        root: impl Into<PathBuf>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, OpenError> {
        let root = root.into();
        let path = root.display().to_string();
        let files = match tokio::task::spawn_blocking(move || Files::open(root, entropy)).await {
            Ok(files) => files,
            Err(error) => Err(std::io::Error::other(error)),
        };
        let files = files.map_err(|source| OpenError::Directory { path, source })?;
        Ok(Self {
            files: Arc::new(files),
        })
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        self.files.root()
    }

    /// Runs file operations where they may block. They run to their end even when nobody waits.
    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        subject: &str,
        work: impl FnOnce(&Files) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Error> {
        let files = Arc::clone(&self.files);
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        let failure = match done {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(failure)) => failure,
            Err(error) => Failure::Io(std::io::Error::other(error)),
        };
        let subject = subject.to_owned();
        Err(match failure {
            Failure::Store(error) => error,
            Failure::Io(source) if is_permanent(&source) => Error::Refused {
                operation,
                subject,
                source: source.into(),
            },
            Failure::Io(source) => Error::Unavailable {
                operation,
                subject,
                source: source.into(),
            },
        })
    }
}

/// What file operations fail with, before it is known which operation of the store it was.
#[derive(Debug)]
enum Failure {
    Store(Error),
    Io(std::io::Error),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

fn is_permanent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::DirectoryNotEmpty
            | ErrorKind::AlreadyExists
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidFilename
    )
}

#[async_trait]
impl ObjectStore for DirectoryStore {
    async fn put(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        condition: PutCondition,
    ) -> Result<ETag, Error> {
        check_size(key, bytes.len() as u64)?;
        let owned = key.clone();
        self.run("put", key.as_str(), move |files| {
            files.put(&owned, &bytes, &condition)
        })
        .await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Error> {
        let owned = key.clone();
        self.run("get", key.as_str(), move |files| {
            files.get(&owned, &(0..u64::MAX))
        })
        .await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Option<Object>, Error> {
        let owned = key.clone();
        self.run("get_range", key.as_str(), move |files| {
            files.get(&owned, &range)
        })
        .await
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<ObjectMeta>, Error> {
        let owned = key.clone();
        self.run("head", key.as_str(), move |files| files.head(&owned))
            .await
    }

    async fn list(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<Page, Error> {
        let (owned, start_after) = (prefix.to_owned(), start_after.map(str::to_owned));
        let limit = page_size(limit);
        self.run("list", prefix, move |files| {
            Ok(listing::objects(
                files.root(),
                &owned,
                start_after.as_deref(),
                limit,
            )?)
        })
        .await
    }

    async fn list_prefixes(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
    ) -> Result<PrefixPage, Error> {
        let (owned, start_after) = (prefix.to_owned(), start_after.map(str::to_owned));
        let limit = page_size(limit);
        self.run("list_prefixes", prefix, move |files| {
            Ok(listing::prefixes(
                files.root(),
                &owned,
                start_after.as_deref(),
                limit,
            )?)
        })
        .await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Error> {
        let owned = key.clone();
        self.run("delete", key.as_str(), move |files| files.delete(&owned))
            .await
    }
}
