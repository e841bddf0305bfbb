//! The history catalogue on a real PostgreSQL.

use moka_history_index::store::conformance;
use moka_xtask::postgres::TemporaryPostgres;

#[tokio::test(flavor = "multi_thread")]
async fn history_catalogue_conforms_on_postgres() {
    let postgres = TemporaryPostgres::start().await.unwrap();
    conformance::run(&postgres.url()).await.unwrap();
}
