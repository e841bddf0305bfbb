//! SQLite: the suite of both databases, and what only a file has to promise.

use std::time::Duration;

use moka_db::{Database, DatabaseMetrics, Error, Migration, PoolOptions, conformance};
use prometheus_client::{encoding::text::encode, registry::Registry};
use sqlx::Row as _;

fn url(directory: &tempfile::TempDir) -> String {
    format!("sqlite:{}", directory.path().join("moka.db").display())
}

const TABLE: &[Migration] = &[Migration {
    name: "20260101000000_rows",
    sqlite: "CREATE TABLE rows (id BIGINT NOT NULL PRIMARY KEY)",
    postgres: "CREATE TABLE rows (id BIGINT NOT NULL PRIMARY KEY)",
}];

#[tokio::test]
async fn sqlite_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conformance::run(&url(&directory)).await.unwrap();
}

#[tokio::test]
async fn sessions_are_durable_and_check_foreign_keys() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::connect(&url(&directory), PoolOptions::default())
        .await
        .unwrap();
    let settings = database
        .read("settings", async |mut tx| {
            let mut settings = Vec::new();
            for pragma in [
                "PRAGMA journal_mode",
                "PRAGMA synchronous",
                "PRAGMA foreign_keys",
            ] {
                let row = sqlx::query(pragma).fetch_one(&mut *tx).await?;
                let number = row.try_get::<i64, _>(0).map(|number| number.to_string());
                settings.push(number.or_else(|_| row.try_get::<String, _>(0))?);
            }
            Ok::<_, Error>(settings)
        })
        .await
        .unwrap();
    assert_eq!(settings, ["wal", "2", "1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_of_two_pools_all_commit() {
    let directory = tempfile::tempdir().unwrap();
    let one = Database::connect(&url(&directory), PoolOptions::default())
        .await
        .unwrap();
    let two = Database::connect(&url(&directory), PoolOptions::default())
        .await
        .unwrap();
    one.migrate(TABLE).await.unwrap();
    let inserts = (0..200).map(|id| insert(if id % 2 == 0 { &one } else { &two }, id));
    futures::future::try_join_all(inserts).await.unwrap();
    let count = one
        .read("count", async |mut tx| {
            Ok::<i64, Error>(
                sqlx::query_scalar("SELECT count(*) FROM rows")
                    .fetch_one(&mut *tx)
                    .await?,
            )
        })
        .await
        .unwrap();
    assert_eq!(count, 200);
}

async fn insert(database: &Database, id: i64) -> Result<(), Error> {
    database
        .transaction("insert", async |mut tx| {
            sqlx::query("INSERT INTO rows (id) VALUES ($1)")
                .bind(id)
                .execute(&mut *tx)
                .await?;
            Ok(())
        })
        .await
}

#[tokio::test]
async fn memory_database_keeps_its_rows_between_transactions() {
    let database = Database::connect("sqlite::memory:", PoolOptions::default())
        .await
        .unwrap();
    assert_eq!(database.migrate(TABLE).await.unwrap(), 1);
    assert_eq!(database.migrate(TABLE).await.unwrap(), 0);
    database.ping().await.unwrap();
}

#[tokio::test]
async fn edited_and_disordered_migrations_are_refused() {
    let database = Database::connect("sqlite::memory:", PoolOptions::default())
        .await
        .unwrap();
    database.migrate(TABLE).await.unwrap();
    let edited = Migration {
        sqlite: "SELECT 1",
        ..TABLE[0]
    };
    for wrong in [
        &[edited][..],
        &[TABLE[0], TABLE[0]],
        &[Migration {
            name: "20260102000000_broken",
            sqlite: "CREATE TABEL x",
            postgres: "",
        }],
    ] {
        let refused = database.migrate(wrong).await;
        assert!(
            matches!(refused, Err(Error::Migration { .. })),
            "{refused:?}"
        );
    }
    // A later release was here and went away again: this one still runs.
    assert_eq!(database.migrate(&[]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_transaction_that_takes_too_long_is_rolled_back() {
    let options = PoolOptions {
        transaction_timeout: Duration::from_millis(50),
        ..PoolOptions::default()
    };
    let database = Database::connect("sqlite::memory:", options).await.unwrap();
    database.migrate(TABLE).await.unwrap();
    let late = database
        .transaction("late", async |mut tx| {
            sqlx::query("INSERT INTO rows (id) VALUES (1)")
                .execute(&mut *tx)
                .await?;
            tokio::time::sleep(Duration::from_mins(1)).await;
            Ok::<_, Error>(())
        })
        .await;
    assert!(
        matches!(late, Err(Error::TimedOut { name: "late" })),
        "{late:?}"
    );
    let count = database
        .read("count", async |mut tx| {
            Ok::<i64, Error>(
                sqlx::query_scalar("SELECT count(*) FROM rows")
                    .fetch_one(&mut *tx)
                    .await?,
            )
        })
        .await;
    assert_eq!(count.unwrap(), 0);
}

#[tokio::test]
async fn a_busy_writer_of_another_process_makes_the_transaction_try_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut registry = Registry::default();
    let impatient = PoolOptions {
        statement_timeout: Duration::from_millis(1),
        max_attempts: 100,
        metrics: DatabaseMetrics::register(&mut registry),
        ..PoolOptions::default()
    };
    let database = Database::connect(&url(&directory), impatient)
        .await
        .unwrap();
    database.migrate(TABLE).await.unwrap();
    let other = Database::connect(&url(&directory), PoolOptions::default())
        .await
        .unwrap();
    let hold = other.transaction("hold", async |mut tx| {
        sqlx::query("INSERT INTO rows (id) VALUES (1)")
            .execute(&mut *tx)
            .await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Error>(())
    });
    let insert = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        insert(&database, 2).await
    };
    let (held, inserted) = tokio::join!(hold, insert);
    held.unwrap();
    inserted.unwrap();
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert!(
        text.contains(r#"db_transactions_total{transaction="insert",outcome="Committed"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(r#"db_transaction_retries_total{transaction="insert"}"#),
        "{text}"
    );
}

#[tokio::test]
async fn unusable_urls_are_told_apart_from_outages() {
    for url in [
        "mysql://localhost/moka",
        "moka.db",
        "sqlite:x.db?mode=never",
    ] {
        let refused = Database::connect(url, PoolOptions::default()).await;
        assert!(
            matches!(refused, Err(Error::InvalidUrl { .. })),
            "{url}: {refused:?}"
        );
    }
    let options = PoolOptions {
        acquire_timeout: Duration::from_millis(300),
        ..PoolOptions::default()
    };
    for url in [
        "postgres://127.0.0.1:1/moka",
        "sqlite:/no/such/directory/moka.db",
    ] {
        let refused = Database::connect(url, options.clone()).await;
        assert!(
            matches!(refused, Err(Error::Unavailable(_))),
            "{url}: {refused:?}"
        );
    }
}
