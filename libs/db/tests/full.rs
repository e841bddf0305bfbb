//! A database that has no room left: nothing is written, callers may come back, and when there is
//! room again it goes on.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use moka_db::{Database, Error, Migration, PoolOptions};

const TABLE: &[Migration] = &[Migration {
    name: "20260101000000_rows",
    sqlite: "CREATE TABLE rows (id BIGINT NOT NULL PRIMARY KEY, content BLOB NOT NULL)",
    postgres: "",
}];

/// One connection: SQLite keeps the limit for each of them.
async fn open(url: &str) -> Database {
    let options = PoolOptions {
        max_connections: 1,
        acquire_timeout: Duration::from_secs(5),
        ..PoolOptions::default()
    };
    let database = Database::connect(url, options).await.unwrap();
    database.migrate(TABLE).await.unwrap();
    database
}

async fn limit(database: &Database, pages: i64) {
    let limit = format!("PRAGMA max_page_count = {pages}");
    database
        .read("limit", async |mut tx| {
            let statement = sqlx::AssertSqlSafe(limit.clone());
            sqlx::query(statement).fetch_all(&mut *tx).await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
}

async fn insert(database: &Database, id: i64) -> Result<(), Error> {
    database
        .transaction("insert", async |mut tx| {
            sqlx::query("INSERT INTO rows (id, content) VALUES ($1, zeroblob(10000))")
                .bind(id)
                .execute(&mut *tx)
                .await?;
            Ok(())
        })
        .await
}

async fn ids(database: &Database) -> Vec<i64> {
    database
        .read("ids", async |mut tx| {
            let ids = sqlx::query_scalar("SELECT id FROM rows ORDER BY id");
            Ok::<_, Error>(ids.fetch_all(&mut *tx).await?)
        })
        .await
        .unwrap()
}

async fn fills_and_goes_on(url: &str) {
    let database = open(url).await;
    limit(&database, 100).await;
    let mut written = Vec::new();
    let refused = loop {
        let id = i64::try_from(written.len()).unwrap();
        match insert(&database, id).await {
            Ok(()) => written.push(id),
            Err(error) => break error,
        }
        assert!(written.len() < 1000, "the limit does not hold");
    };
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert!(!written.is_empty());
    assert_eq!(ids(&database).await, written);
    // Whatever connection it is by now, it is of use.
    limit(&database, 100).await;
    let refused = insert(&database, -1).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    limit(&database, 1000).await;
    insert(&database, 1000).await.unwrap();
    written.push(1000);
    assert_eq!(ids(&database).await, written);
}

#[tokio::test]
async fn a_full_file_is_an_outage_that_passes() {
    let directory = tempfile::tempdir().unwrap();
    fills_and_goes_on(&format!(
        "sqlite:{}",
        directory.path().join("moka.db").display()
    ))
    .await;
}

#[tokio::test]
async fn a_full_memory_is_an_outage_that_passes() {
    fills_and_goes_on("sqlite::memory:").await;
}
