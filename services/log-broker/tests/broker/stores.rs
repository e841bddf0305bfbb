//! The real stores: a directory and an S3 server.

use std::sync::Arc;

use moka_objects::{DirectoryStore, ObjectStore};
use moka_xtask::s3_server::TemporaryS3;
use tempfile::TempDir;

/// A directory that lives as long as the guard.
pub(crate) async fn directory() -> (Arc<dyn ObjectStore>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(directory.path()).await.unwrap();
    (Arc::new(store), directory)
}

/// A bucket of a server that lives as long as the guard.
pub(crate) async fn s3() -> (Arc<dyn ObjectStore>, TemporaryS3) {
    let server = TemporaryS3::start().await.unwrap();
    let store = server.bucket("logs").await.unwrap();
    (Arc::new(store), server)
}
