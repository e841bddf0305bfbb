//! The store on SQLite. PostgreSQL is in `tests/control-plane`.

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_does_what_a_store_must() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("submission.db");
    let url = format!("sqlite:{}", path.display());
    moka_submission::store::conformance::run(&url)
        .await
        .unwrap();
}
