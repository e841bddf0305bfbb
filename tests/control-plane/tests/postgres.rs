//! moka-db on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use moka_db::{Database, Error, Migration, PoolOptions};
use moka_tests_control_plane::VirtualAddress;
use moka_xtask::postgres::TemporaryPostgres;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

const TABLE: &[Migration] = &[Migration {
    name: "20260101000000_rows",
    sqlite: "",
    postgres: "CREATE TABLE rows (id BIGINT NOT NULL PRIMARY KEY); INSERT INTO rows VALUES (1)",
}];
const PATIENCE: Duration = Duration::from_mins(1);
const LOCK: &str = "SELECT id FROM rows FOR UPDATE";

#[tokio::test(flavor = "multi_thread")]
async fn postgres_does_what_a_database_must() {
    let server = TemporaryPostgres::start().await.unwrap();
    moka_db::conformance::run(&server.url()).await.unwrap();
}

/// One connection and little patience.
async fn impatient(url: &str) -> Database {
    let options = PoolOptions {
        max_connections: 1,
        acquire_timeout: Duration::from_secs(1),
        statement_timeout: Duration::from_millis(500),
        transaction_timeout: Duration::from_secs(1),
        max_attempts: 2,
        ..PoolOptions::default()
    };
    let database = Database::connect(url, options).await.unwrap();
    database.migrate(TABLE).await.unwrap();
    database
}

async fn count(database: &Database) -> Result<i64, Error> {
    database
        .read("count", async |mut tx| {
            let count = sqlx::query_scalar("SELECT count(*) FROM rows");
            Ok(count.fetch_one(&mut *tx).await?)
        })
        .await
}

async fn lock(database: &Database) -> Result<(), Error> {
    let work = async |_| Ok(());
    database.locking_transaction(LOCK, "lock", work).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_refused_spoils_no_connection() {
    let server = TemporaryPostgres::start().await.unwrap();
    let database = impatient(&server.url()).await;
    let other = Database::connect(&server.url(), PoolOptions::default())
        .await
        .unwrap();
    let (locked, is_locked) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let ends = std::sync::Mutex::new(Some((locked, released)));
    let hold = other.locking_transaction(LOCK, "hold", async |_| {
        let (locked, released) = ends.lock().unwrap().take().unwrap();
        locked.send(()).unwrap();
        released.await.unwrap();
        Ok::<_, Error>(())
    });
    let attempts = async {
        is_locked.await.unwrap();
        let refused = lock(&database).await.unwrap_err();
        assert!(matches!(refused, Error::Contended(_)), "{refused:?}");
        assert_eq!(count(&database).await.unwrap(), 1);
        release.send(()).unwrap();
    };
    let (held, ()) = tokio::join!(hold, attempts);
    held.unwrap();
    lock(&database).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_an_outage() {
    let server = TemporaryPostgres::start().await.unwrap();
    let database = impatient(&server.url()).await;
    let slow = sleep_there(&database, "60").await.unwrap_err();
    assert!(matches!(slow, Error::Unavailable(_)), "{slow:?}");
    assert_eq!(count(&database).await.unwrap(), 1);
}

async fn sleep_there(database: &Database, seconds: &str) -> Result<(), Error> {
    database
        .read("sleep", async |mut tx| {
            let sleep = "SELECT CAST(pg_sleep(CAST($1 AS FLOAT8)) AS TEXT)";
            sqlx::query(sleep).bind(seconds).execute(&mut *tx).await?;
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_a_server_that_is_gone_are_given_up() {
    let server = TemporaryPostgres::start().await.unwrap();
    let address = VirtualAddress::of(server.port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", address.port());
    let database = impatient(&url).await;
    assert_eq!(count(&database).await.unwrap(), 1);
    let goes = async {
        sleep(Duration::from_millis(100)).await;
        address.silence();
    };
    let (unanswered, ()) = tokio::join!(sleep_there(&database, "0.3"), goes);
    let unanswered = unanswered.unwrap_err();
    assert!(unanswered.is_retryable(), "{unanswered:?}");
    address.move_to(server.port());
    let comes_back = async {
        while let Err(error) = count(&database).await {
            assert!(error.is_retryable(), "{error:?}");
        }
    };
    timeout(PATIENCE, comes_back).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_accepts_and_closes_is_an_outage() {
    let server = TemporaryPostgres::start().await.unwrap();
    let address = VirtualAddress::of(server.port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", address.port());
    let database = impatient(&url).await;
    // Port 1 refuses, so the address closes what it accepts.
    address.move_to(1);
    let refused = count(&database).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert!(database.ping().await.is_err());
    address.move_to(server.port());
    assert_eq!(count(&database).await.unwrap(), 1);
}
