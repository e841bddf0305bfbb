//! The real stores: a directory and an S3 server.

use std::sync::Arc;

use moka_objects::{DirectoryStore, ObjectStore, S3Credentials, S3Options, S3Store};
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
    let options = S3Options {
        endpoint: Some(server.endpoint()),
        region: Some("us-east-1".to_owned()),
        path_style: true,
        credentials: Some(S3Credentials {
            access_key_id: TemporaryS3::ACCESS_KEY_ID.to_owned(),
            secret_access_key: TemporaryS3::SECRET_ACCESS_KEY.to_owned(),
            session_token: None,
        }),
        ..S3Options::new("logs")
    };
    let store = S3Store::open(options).await;
    store.create_bucket().await.unwrap();
    (Arc::new(store), server)
}
