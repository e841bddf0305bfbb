//! Named transactions that are run again when others were in their way.

use tokio::time::Instant;
use tracing::Instrument as _;

use crate::{
    Database, DatabaseKind, Error, TransactionError,
    metrics::Outcome,
    retry,
    session::Session,
    tx::{OpenTransaction, Tx},
};

/// How much a PostgreSQL transaction sees of others. SQLite's writers run one after the other,
/// which is [`Isolation::Serializable`] always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Each statement sees what was committed before it. For claims with `SKIP LOCKED` and for
    /// single statements; a value read may have changed before it is written.
    ReadCommitted,
    /// All statements see one snapshot, and a row changed by another since then cannot be written:
    /// the transaction runs again. Read, decide, write the same row is safe.
    #[default]
    Snapshot,
    /// As if transactions ran one after the other, also when a decision rests on rows that are only
    /// read. Costs more retries.
    Serializable,
}

impl Database {
    /// Runs `work` in a write transaction at [`Isolation::Snapshot`] and commits when it succeeds.
    /// It runs again, from the start, when another transaction was in the way: it must have no
    /// effect but on the database. `name` appears in spans (`db.<name>`) and metrics.
    ///
    /// # Errors
    /// The error of `work`, after a rollback; [`Error::CommitUnknown`] when the answer to the
    /// commit was lost; otherwise [`Error::Unavailable`] and its like, with nothing written.
    pub async fn transaction<T, E, W, F>(&self, name: &'static str, work: W) -> Result<T, E>
    where
        T: Send,
        E: TransactionError,
        W: Fn(Tx) -> F + Send + Sync,
        F: Future<Output = Result<T, E>> + Send,
    {
        self.transaction_at(Isolation::Snapshot, name, work).await
    }

    /// [`Database::transaction`] at another isolation level.
    ///
    /// # Errors
    /// As there.
    pub async fn transaction_at<T, E, W, F>(
        &self,
        isolation: Isolation,
        name: &'static str,
        work: W,
    ) -> Result<T, E>
    where
        T: Send,
        E: TransactionError,
        W: Fn(Tx) -> F + Send + Sync,
        F: Future<Output = Result<T, E>> + Send,
    {
        self.run(Mode::Write(isolation), name, work).await
    }

    /// [`Database::transaction_at`] read committed, with a statement that takes a lock already in
    /// the round trip that begins the transaction. SQLite needs none: it has one writer at a time.
    ///
    /// # Errors
    /// As there.
    pub async fn locking_transaction<T, E, W, F>(
        &self,
        lock: &'static str,
        name: &'static str,
        work: W,
    ) -> Result<T, E>
    where
        T: Send,
        E: TransactionError,
        W: Fn(Tx) -> F + Send + Sync,
        F: Future<Output = Result<T, E>> + Send,
    {
        self.run(Mode::Lock(lock), name, work).await
    }

    /// Runs `work` in a read-only transaction: all its queries see one snapshot, and no writer
    /// waits for it.
    ///
    /// # Errors
    /// The error of `work`, or that of the database.
    pub async fn read<T, E, W, F>(&self, name: &'static str, work: W) -> Result<T, E>
    where
        T: Send,
        E: TransactionError,
        W: Fn(Tx) -> F + Send + Sync,
        F: Future<Output = Result<T, E>> + Send,
    {
        self.run(Mode::Read, name, work).await
    }

    /// Runs `work`, a single statement that reads, without a transaction: one round trip.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn query<T, E, W, F>(&self, name: &'static str, work: W) -> Result<T, E>
    where
        T: Send,
        E: TransactionError,
        W: Fn(Tx) -> F + Send + Sync,
        F: Future<Output = Result<T, E>> + Send,
    {
        self.run(Mode::Query, name, work).await
    }

    async fn run<T, E, W, F>(&self, mode: Mode, name: &'static str, work: W) -> Result<T, E>
    where
        T: Send,
        E: TransactionError,
        W: Fn(Tx) -> F + Send + Sync,
        F: Future<Output = Result<T, E>> + Send,
    {
        let span = tracing::info_span!("db", otel.name = format!("db.{name}"), db.retries = 0);
        let started = Instant::now();
        let result = async {
            let mut attempt = 1;
            loop {
                let error = match self.run_once(mode, name, &work).await {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                };
                let contended = matches!(error.database_error(), Some(Error::Contended(_)));
                let exhausted =
                    attempt >= self.max_attempts || started.elapsed() >= self.retry_timeout;
                if !contended || exhausted {
                    return Err(error);
                }
                self.metrics.retried(name);
                tracing::Span::current().record("db.retries", attempt);
                tokio::time::sleep(retry::delay_after(attempt, &*self.entropy)).await;
                attempt += 1;
            }
        }
        .instrument(span)
        .await;
        self.metrics
            .ended(name, outcome(&result), started.elapsed());
        result
    }

    async fn run_once<T, E, W, F>(&self, mode: Mode, name: &'static str, work: &W) -> Result<T, E>
    where
        T: Send,
        E: TransactionError,
        W: Fn(Tx) -> F + Send + Sync,
        F: Future<Output = Result<T, E>> + Send,
    {
        let _writer = match mode {
            Mode::Write(_) | Mode::Lock(_) if self.kind == DatabaseKind::Sqlite => {
                let turn = tokio::time::timeout(self.acquire_timeout, self.writer.acquire()).await;
                Some(turn.map_err(|_elapsed| Error::Unavailable(sqlx::Error::PoolTimedOut))?)
            }
            _ => None,
        };
        let deadline = Instant::now() + self.transaction_timeout;
        let (open, tx) = OpenTransaction::new(self.begin(mode).await?);
        let result = tokio::time::timeout_at(deadline, work(tx))
            .await
            .unwrap_or_else(|_elapsed| Err(Error::TimedOut { name }.into()));
        let session = open.take_back()?;
        match result {
            Ok(value) => {
                session.commit(deadline).await?;
                Ok(value)
            }
            Err(error) => {
                session.roll_back().await;
                Err(error)
            }
        }
    }

    async fn begin(&self, mode: Mode) -> Result<Session, Error> {
        let begin = mode.statement(self.kind);
        let statement = match (self.kind, mode) {
            (DatabaseKind::Postgres, Mode::Lock(lock)) => {
                begin.map(|begin| format!("{begin}; {lock}"))
            }
            _ => begin.map(ToOwned::to_owned),
        };
        Session::begin(self, statement).await
    }
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Query,
    Read,
    Write(Isolation),
    Lock(&'static str),
}

impl Mode {
    /// What begins it.
    fn statement(self, kind: DatabaseKind) -> Option<&'static str> {
        Some(match (kind, self) {
            (_, Self::Query) => return None,
            (DatabaseKind::Sqlite, Self::Read) => "BEGIN DEFERRED",
            // A deferred one that turns to writing fails at once when another wrote in between.
            (DatabaseKind::Sqlite, Self::Write(_) | Self::Lock(_)) => "BEGIN IMMEDIATE",
            (DatabaseKind::Postgres, Self::Read) => {
                "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
            }
            (DatabaseKind::Postgres, Self::Write(Isolation::ReadCommitted) | Self::Lock(_)) => {
                "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED"
            }
            (DatabaseKind::Postgres, Self::Write(Isolation::Snapshot)) => {
                "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ"
            }
            (DatabaseKind::Postgres, Self::Write(Isolation::Serializable)) => {
                "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE"
            }
        })
    }
}

fn outcome<T, E: TransactionError>(result: &Result<T, E>) -> Outcome {
    match result {
        Ok(_) => Outcome::Committed,
        Err(error) if error.database_error().is_some() => Outcome::Failed,
        Err(_) => Outcome::RolledBack,
    }
}
