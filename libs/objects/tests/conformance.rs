//! The suite of every store, on those that need no server.

use std::sync::Arc;

use moka_objects::{
    DirectoryStore, FailingStore, FaultRates, MemoryStore, ObjectStore, conformance, open,
};

#[tokio::test]
async fn memory_store_conforms() {
    conformance::run(&MemoryStore::new()).await.unwrap();
}

#[tokio::test]
async fn directory_store_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(directory.path().join("made/on/open"))
        .await
        .unwrap();
    conformance::run(&store).await.unwrap();
}

#[tokio::test]
async fn failing_store_without_faults_conforms() {
    let inner: Arc<dyn ObjectStore> = Arc::new(MemoryStore::new());
    let store = FailingStore::seeded(inner, 1, FaultRates::default());
    conformance::run(&store).await.unwrap();
    assert_eq!(store.fault_count(), 0);
}

#[tokio::test]
async fn urls_open_the_stores_they_name() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("file://{}/a%20b", directory.path().display());
    conformance::run(&*open(&url).await.unwrap()).await.unwrap();
    assert!(directory.path().join("a b/reading/bytes").is_file());
    conformance::run(&*open("memory:").await.unwrap())
        .await
        .unwrap();
}
