//! The catalogue on SQLite; `tests/control-plane` runs the same suite on PostgreSQL.

use moka_history_index::store::conformance;

#[tokio::test]
async fn catalogue_conforms_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("history.sqlite");
    conformance::run(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
}

#[tokio::test]
async fn catalogue_conforms_in_memory() {
    conformance::run("sqlite::memory:").await.unwrap();
}
