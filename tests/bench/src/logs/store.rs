//! Where the logs go.

use std::sync::Arc;

use anyhow::Result;
use moka_objects::{DirectoryStore, ObjectStore};
use moka_xtask::s3_server::TemporaryS3;
use tempfile::TempDir;

const BUCKET: &str = "bench";
const REGION: &str = TemporaryS3::REGION;

/// An empty object store. It goes when this is dropped.
pub(super) struct LogStore {
    /// `s3` or `directory`.
    pub(super) kind: Kind,
    url: String,
    store: Arc<dyn ObjectStore>,
    _folder: Option<TempDir>,
    _server: Option<TemporaryS3>,
}

/// What holds the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A real S3 server.
    S3,
    /// A directory.
    Directory,
}

impl LogStore {
    /// A bucket on a real S3 server.
    pub(super) async fn s3() -> Result<Self> {
        let server = TemporaryS3::start().await?;
        let endpoint = server.endpoint();
        let store = server.bucket(BUCKET).await?;
        Ok(Self {
            kind: Kind::S3,
            url: format!("s3://{BUCKET}?endpoint={endpoint}&path_style=true&region={REGION}"),
            store: Arc::new(store),
            _folder: None,
            _server: Some(server),
        })
    }

    /// A directory.
    pub(super) async fn directory() -> Result<Self> {
        let folder = TempDir::with_prefix("moka-bench-")?;
        Ok(Self {
            kind: Kind::Directory,
            url: format!("file://{}", folder.path().display()),
            store: Arc::new(DirectoryStore::open(folder.path().to_owned()).await?),
            _folder: Some(folder),
            _server: None,
        })
    }

    /// Its URL.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The store itself.
    pub(super) fn objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// The variables with which a program finds it.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = Self::credentials().to_vec();
        environment.push(("MOKA_OBJECTS_URL", self.url.clone()));
        environment
    }

    /// The variables with which a program may use it.
    pub(super) fn credentials() -> [(&'static str, String); 2] {
        [
            ("AWS_ACCESS_KEY_ID", TemporaryS3::ACCESS_KEY_ID.to_owned()),
            (
                "AWS_SECRET_ACCESS_KEY",
                TemporaryS3::SECRET_ACCESS_KEY.to_owned(),
            ),
        ]
    }

    /// The name of a figure that was taken here.
    pub(super) fn figure(&self, on_s3: &'static str, on_directory: &'static str) -> &'static str {
        match self.kind {
            Kind::S3 => on_s3,
            Kind::Directory => on_directory,
        }
    }
}
