//! moka-db on a real PostgreSQL.

use moka_xtask::postgres::TemporaryPostgres;

#[tokio::test(flavor = "multi_thread")]
async fn postgres_does_what_a_database_must() {
    let server = TemporaryPostgres::start().await.unwrap();
    moka_db::conformance::run(&server.url()).await.unwrap();
}
