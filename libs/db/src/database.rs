//! A pool of connections to one database.

use std::{sync::Arc, time::Duration};

use moka_core::entropy::Entropy;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor, any::AnyPoolOptions};
use tokio::sync::Semaphore;

use crate::{DatabaseKind, DatabaseMetrics, Error, PoolOptions};

/// A connection that was used within this time is taken for alive: asking it would cost as much as
/// a statement. Whoever gets one that has died meanwhile fails as he would had it died later.
const TRUSTED: Duration = Duration::from_secs(1);

/// A database, open and limited. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub struct Database {
    pub(crate) pool: AnyPool,
    pub(crate) kind: DatabaseKind,
    pub(crate) is_in_memory: bool,
    /// SQLite has one writer; its own way of waiting for it is to poll, which starves the unlucky
    /// under load. Within a process writers therefore queue here, first come, first served.
    pub(crate) writer: Arc<Semaphore>,
    pub(crate) acquire_timeout: Duration,
    pub(crate) statement_timeout: Duration,
    pub(crate) transaction_timeout: Duration,
    pub(crate) retry_timeout: Duration,
    pub(crate) max_attempts: u32,
    pub(crate) metrics: DatabaseMetrics,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Database {
    /// Opens `sqlite:<path>` (the file is created), `sqlite::memory:` or `postgres://…`, and waits
    /// until a first connection stands.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`], or [`Error::Unavailable`] when no connection stands within the
    /// acquire timeout.
    pub async fn connect(url: &str, options: PoolOptions) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let kind = DatabaseKind::of_url(url)?;
        let PoolOptions {
            max_connections,
            acquire_timeout,
            statement_timeout,
            transaction_timeout,
            retry_timeout,
            max_attempts,
            metrics,
            entropy,
        } = options;
        let is_in_memory = kind == DatabaseKind::Sqlite
            && (url.contains(":memory:") || url.contains("mode=memory"));
        let session = session_settings(kind, is_in_memory, statement_timeout);
        let mut pool_options = AnyPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, metadata| {
                Box::pin(async move {
                    if metadata.idle_for >= TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(move |connection, _| {
                let settings = session.clone();
                Box::pin(async move { configure(connection, settings).await })
            });
        if is_in_memory {
            // Every connection would open a database of its own, and closing it would lose the
            // data.
            pool_options = pool_options
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None);
        }
        let url = if kind == DatabaseKind::Sqlite && !is_in_memory {
            creating_url(url)
        } else {
            url.to_owned()
        };
        // The pool retries a refused connection until its own timeout, but a server that accepts
        // and then says nothing would hold it for ever.
        let pool = tokio::time::timeout(acquire_timeout * 2, pool_options.connect(&url))
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))
            .map_err(connect_error)?;
        Ok(Self {
            pool,
            kind,
            is_in_memory,
            writer: Arc::new(Semaphore::new(1)),
            acquire_timeout,
            statement_timeout,
            transaction_timeout,
            retry_timeout,
            max_attempts,
            metrics,
            entropy,
        })
    }

    /// Which database this is.
    pub fn kind(&self) -> DatabaseKind {
        self.kind
    }

    /// Asks the database for an answer, for readiness checks.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is none in time.
    pub async fn ping(&self) -> Result<(), Error> {
        let answer = async {
            let mut connection = self.pool.acquire().await.map_err(connect_error)?;
            connection.execute("SELECT 1").await?;
            Ok(())
        };
        tokio::time::timeout(self.acquire_timeout, answer)
            .await
            .unwrap_or(Err(Error::Unavailable(sqlx::Error::PoolTimedOut)))
    }

    /// Closes all connections after their present work.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// sqlx opens existing files only, unless the URL asks for more.
fn creating_url(url: &str) -> String {
    if url.contains("mode=") {
        url.to_owned()
    } else if url.contains('?') {
        format!("{url}&mode=rwc")
    } else {
        format!("{url}?mode=rwc")
    }
}

fn session_settings(kind: DatabaseKind, in_memory: bool, timeout: Duration) -> Vec<String> {
    let milliseconds = timeout.as_millis();
    match kind {
        // busy_timeout comes first: changing the journal mode needs the lock itself.
        DatabaseKind::Sqlite => [
            Some(format!("PRAGMA busy_timeout = {milliseconds}")),
            (!in_memory).then(|| "PRAGMA journal_mode = WAL".to_owned()),
            Some("PRAGMA synchronous = FULL".to_owned()),
            Some("PRAGMA foreign_keys = ON".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect(),
        DatabaseKind::Postgres => vec![
            format!("SET statement_timeout = {milliseconds}"),
            // Shorter, so that waiting for another transaction is told from being slow oneself.
            format!("SET lock_timeout = {}", milliseconds / 2),
            format!(
                "SET idle_in_transaction_session_timeout = {}",
                3 * milliseconds
            ),
            "SET application_name = 'moka'".to_owned(),
            // Plans are kept with prepared statements. One that reads a whole table may be right
            // while the table is empty, and would stay in use while it grows.
            "SET enable_seqscan = off".to_owned(),
            "SET enable_hashjoin = off".to_owned(),
            "SET enable_mergejoin = off".to_owned(),
            // The planner's price of what is switched off would make it compile small statements.
            "SET jit = off".to_owned(),
        ],
    }
}

async fn configure(connection: &mut AnyConnection, settings: Vec<String>) -> sqlx::Result<()> {
    for setting in settings {
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(setting)))
            .await?;
    }
    Ok(())
}

/// Why there is no connection.
pub(crate) fn connect_error(error: sqlx::Error) -> Error {
    match error {
        // An address whose server is gone may accept connections and close them.
        error @ sqlx::Error::Protocol(_) => Error::Unavailable(error),
        sqlx::Error::Configuration(problem) => Error::InvalidUrl {
            problem: problem.to_string(),
        },
        error => error.into(),
    }
}
