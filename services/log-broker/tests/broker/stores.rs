//! The real stores: a directory and an S3 server.

use std::sync::Arc;

use moka_objects::{DirectoryStore, ObjectStore};
use moka_xtask::{cluster, s3_server::TemporaryS3};
use tempfile::TempDir;

const BUCKET: &str = "logs";

/// A directory that lives as long as the guard.
pub(crate) async fn directory() -> (Arc<dyn ObjectStore>, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(directory.path()).await.unwrap();
    (Arc::new(store), directory)
}

/// A bucket of a server that lives as long as the guard.
pub(crate) async fn s3() -> (Arc<dyn ObjectStore>, TemporaryS3) {
    let server = TemporaryS3::start().await.unwrap();
    let store = server.bucket(BUCKET).await.unwrap();
    (Arc::new(store), server)
}

/// The bucket as a program's option.
pub(crate) fn url(server: &TemporaryS3) -> String {
    let endpoint = server.endpoint();
    format!("s3://{BUCKET}?endpoint={endpoint}&region=us-east-1&path_style=true")
}

/// The bucket for a History Server.
pub(crate) fn place(server: &TemporaryS3) -> cluster::ObjectStore {
    cluster::ObjectStore {
        endpoint: server.endpoint(),
        bucket: BUCKET.to_owned(),
        access_key_id: TemporaryS3::ACCESS_KEY_ID.to_owned(),
        secret_access_key: TemporaryS3::SECRET_ACCESS_KEY.to_owned(),
    }
}
