//! What every database must do, as one function that tests stamp on SQLite and PostgreSQL.

use sqlx::Row as _;

use crate::{Connection, Database, Error, Isolation, Migration, PoolOptions, TransactionError};

const MIGRATIONS: &[Migration] = &[Migration {
    name: "20260101000000_conformance",
    sqlite: "CREATE TABLE conformance_rows (
        id TEXT NOT NULL PRIMARY KEY, label TEXT, amount BIGINT, content BLOB, share DOUBLE PRECISION);
        CREATE TABLE conformance_counters (id TEXT NOT NULL PRIMARY KEY, count BIGINT NOT NULL);",
    postgres: "CREATE TABLE conformance_rows (
        id TEXT NOT NULL PRIMARY KEY, label TEXT, amount BIGINT, content BYTEA, share DOUBLE PRECISION);
        CREATE TABLE conformance_counters (id TEXT NOT NULL PRIMARY KEY, count BIGINT NOT NULL);",
}];

/// Runs the whole suite against the empty database at `url`.
///
/// # Errors
/// The first database error that no step expects.
///
/// # Panics
/// When the database answers otherwise than the suite demands.
pub async fn run(url: &str) -> Result<(), Error> {
    let database = send(Database::connect(url, PoolOptions::default())).await?;
    migrations_are_applied_once(url).await?;
    values_and_nulls_read_back(&database).await?;
    a_second_row_with_the_same_key_is_a_unique_violation(&database).await?;
    a_failed_transaction_leaves_nothing(&database).await?;
    concurrent_increments_all_count(&database).await?;
    a_lock_taken_at_the_beginning_holds_until_the_end(&database).await?;
    Ok(())
}

/// Handlers run on a multi-threaded runtime: every future here must be able to move.
fn send<F: Future + Send>(future: F) -> F {
    future
}

async fn migrations_are_applied_once(url: &str) -> Result<(), Error> {
    let first = Database::connect(url, PoolOptions::default()).await?;
    let second = Database::connect(url, PoolOptions::default()).await?;
    let (first, second) = tokio::join!(
        send(first.migrate(MIGRATIONS)),
        send(second.migrate(MIGRATIONS))
    );
    assert_eq!(
        first? + second?,
        1,
        "one of two replicas applies the migration"
    );
    Ok(())
}

async fn values_and_nulls_read_back(database: &Database) -> Result<(), Error> {
    let label = Some("ä label".to_owned());
    for (id, label, amount, content, share) in [
        (
            "all",
            label,
            Some(i64::MAX),
            Some(vec![0_u8, 255]),
            Some(0.5),
        ),
        (
            "none",
            None::<String>,
            None::<i64>,
            None::<Vec<u8>>,
            None::<f64>,
        ),
    ] {
        send(database.transaction("insert", async |mut tx| {
            sqlx::query("INSERT INTO conformance_rows (id, label, amount, content, share) VALUES ($1, $2, $3, $4, $5)")
                .bind(id)
                .bind(label.clone())
                .bind(amount)
                .bind(content.clone())
                .bind(share)
                .execute(&mut *tx)
                .await?;
            Ok::<_, Error>(())
        }))
        .await?;
        let row = send(database.read("get", async |mut tx| {
            let row = sqlx::query("SELECT * FROM conformance_rows WHERE id = $1")
                .bind(id)
                .fetch_one(&mut *tx)
                .await?;
            Ok::<_, Error>(row)
        }))
        .await?;
        assert_eq!(row.try_get::<Option<String>, _>("label")?, label);
        assert_eq!(row.try_get::<Option<i64>, _>("amount")?, amount);
        assert_eq!(row.try_get::<Option<Vec<u8>>, _>("content")?, content);
        assert_eq!(row.try_get::<Option<f64>, _>("share")?, share);
    }
    Ok(())
}

async fn a_second_row_with_the_same_key_is_a_unique_violation(
    database: &Database,
) -> Result<(), Error> {
    database
        .transaction("first", async |mut tx| increment(&mut tx, "taken").await)
        .await?;
    let second = database
        .transaction("second", async |mut tx| {
            sqlx::query("INSERT INTO conformance_counters (id, count) VALUES ('taken', 0)")
                .execute(&mut *tx)
                .await?;
            Ok::<_, Error>(())
        })
        .await;
    let refused = second.expect_err("the key is taken");
    assert!(
        refused.is_unique_violation() && !refused.is_retryable(),
        "{refused:?}"
    );
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error("refused")]
    Refused,
    #[error(transparent)]
    Database(#[from] Error),
}

impl TransactionError for WorkError {
    fn database_error(&self) -> Option<&Error> {
        match self {
            Self::Refused => None,
            Self::Database(error) => Some(error),
        }
    }
}

async fn a_failed_transaction_leaves_nothing(database: &Database) -> Result<(), Error> {
    let refused = send(database.transaction("refused", async |mut tx| {
        increment(&mut tx, "refused").await?;
        Err::<(), _>(WorkError::Refused)
    }))
    .await;
    assert!(matches!(refused, Err(WorkError::Refused)), "{refused:?}");
    assert_eq!(count(database, "refused").await?, None);
    Ok(())
}

async fn concurrent_increments_all_count(database: &Database) -> Result<(), Error> {
    for isolation in [
        Isolation::Snapshot,
        Isolation::Serializable,
        Isolation::ReadCommitted,
    ] {
        let id = format!("{isolation:?}");
        let one = async || {
            database
                .transaction_at(isolation, "increment", async |mut tx| {
                    increment(&mut tx, &id).await
                })
                .await
        };
        tokio::try_join!(send(one()), one(), one(), one())?;
        assert_eq!(count(database, &id).await?, Some(4), "{isolation:?}");
    }
    Ok(())
}

async fn a_lock_taken_at_the_beginning_holds_until_the_end(
    database: &Database,
) -> Result<(), Error> {
    const LOCK: &str = "SELECT count FROM conformance_counters WHERE id = 'taken' FOR UPDATE";
    let before = count(database, "taken").await?;
    let one = async || {
        database
            .locking_transaction(LOCK, "raise", async |mut tx| {
                let found: i64 =
                    sqlx::query_scalar("SELECT count FROM conformance_counters WHERE id = 'taken'")
                        .fetch_one(&mut *tx)
                        .await?;
                sqlx::query("UPDATE conformance_counters SET count = $1 WHERE id = 'taken'")
                    .bind(found + 1)
                    .execute(&mut *tx)
                    .await?;
                Ok::<_, Error>(())
            })
            .await
    };
    tokio::try_join!(send(one()), one(), one(), one())?;
    assert_eq!(
        count(database, "taken").await?,
        before.map(|count| count + 4)
    );
    Ok(())
}

async fn increment(tx: &mut Connection, id: &str) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO conformance_counters (id, count) VALUES ($1, 1)
         ON CONFLICT (id) DO UPDATE SET count = conformance_counters.count + 1",
    )
    .bind(id)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

async fn count(database: &Database, id: &str) -> Result<Option<i64>, Error> {
    database
        .read("count", async |mut tx| {
            let count = sqlx::query_scalar("SELECT count FROM conformance_counters WHERE id = $1")
                .bind(id)
                .fetch_optional(&mut *tx)
                .await?;
            Ok(count)
        })
        .await
}
