//! The conformance suites on PostgreSQL.

use moka_xtask::postgres::TemporaryPostgres;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_does_what_a_store_of_applications_must() {
    let server = TemporaryPostgres::start().await.unwrap();
    moka_submission::store::conformance::run(&server.url())
        .await
        .unwrap();
}
