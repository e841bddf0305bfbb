//! A connection of the pool with a transaction on it.
//!
//! The statements that begin and end it are sent as they are. The driver's own book-keeping would
//! go wrong where SQLite rolls back by itself, as it does when the disk is full, and where the
//! lock is refused that PostgreSQL is asked for in the round trip that begins.

use std::time::Duration;

use sqlx::{Any, AnyConnection, AssertSqlSafe, pool::PoolConnection};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout, timeout_at},
};

use crate::{Database, DatabaseKind, Error, database::connect_error};

/// A commit or rollback gets this long even when the work used up the time.
const SHORTEST_END: Duration = Duration::from_secs(1);

/// An open transaction, or a single statement that needs none.
///
/// A connection goes back into the pool only when it is certain that nothing is open on it:
/// whoever got it next would fail, or would write into another's transaction.
pub(crate) struct Session {
    /// There until it ends.
    connection: Option<PoolConnection<Any>>,
    has_transaction: bool,
    /// A database in memory goes with its connection.
    is_replaceable: bool,
    statement_timeout: Duration,
}

impl Session {
    /// Takes a connection and begins a transaction on it, if a statement is given that does.
    pub(crate) async fn begin(
        database: &Database,
        statement: Option<String>,
    ) -> Result<Self, Error> {
        // The pool's own limit does not cover all that it awaits.
        let acquired = timeout(database.acquire_timeout * 2, database.pool.acquire()).await;
        let acquired = acquired.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        let mut session = Self {
            connection: Some(acquired.map_err(connect_error)?),
            has_transaction: statement.is_some(),
            is_replaceable: !database.is_in_memory,
            statement_timeout: database.statement_timeout,
        };
        let Some(statement) = statement else {
            return Ok(session);
        };
        let begin = execute(session.connection_mut(), statement);
        let begun = timeout(database.statement_timeout + SHORTEST_END, begin).await;
        if let Err(error) = begun.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            let error = Error::from(error);
            match (database.kind, &error) {
                // Another writer was in the way, and nothing was begun.
                (DatabaseKind::Sqlite, Error::Contended(_)) => session.connection = None,
                _ => session.give_up(),
            }
            return Err(error);
        }
        Ok(session)
    }

    /// For queries.
    pub(crate) fn connection(&self) -> &AnyConnection {
        self.connection
            .as_ref()
            .expect("a session has its connection until it ends")
    }

    /// For queries.
    pub(crate) fn connection_mut(&mut self) -> &mut AnyConnection {
        self.connection
            .as_mut()
            .expect("a session has its connection until it ends")
    }

    /// A commit that the database refused did not happen; one whose answer is lost may have.
    pub(crate) async fn commit(mut self, deadline: Instant) -> Result<(), Error> {
        if !self.has_transaction {
            self.connection = None;
            return Ok(());
        }
        let deadline = deadline.max(Instant::now() + SHORTEST_END);
        let commit = execute(self.connection_mut(), "COMMIT".to_owned());
        let error = match timeout_at(deadline, commit).await {
            Ok(Ok(())) => {
                self.connection = None;
                return Ok(());
            }
            Ok(Err(error)) => Some(error),
            Err(_elapsed) => None,
        };
        self.give_up();
        Err(match error {
            Some(error @ sqlx::Error::Database(_)) => match error.into() {
                // A server that shuts down, or waits for its replicas, says so after it committed.
                Error::Unavailable(error) => Error::CommitUnknown(Some(error)),
                refused => refused,
            },
            lost => Error::CommitUnknown(lost),
        })
    }

    /// Done before the next writer's turn.
    pub(crate) async fn roll_back(mut self) {
        let rollback = execute(self.connection_mut(), "ROLLBACK".to_owned());
        match timeout(SHORTEST_END, rollback).await {
            Ok(Ok(())) => self.connection = None,
            Ok(Err(error)) => {
                tracing::debug!(%error, "rollback failed");
                self.give_up();
            }
            Err(_elapsed) => {
                tracing::debug!("rollback took too long");
                self.give_up();
            }
        }
    }

    /// Parts with a connection on which something may be open. The database rolls back by itself.
    fn give_up(&mut self) {
        if self.is_replaceable
            && let Some(mut connection) = self.connection.take()
        {
            connection.close_on_drop();
        }
    }
}

/// Whoever drops an open transaction has given up on its work, of which a statement may still run.
/// Nobody is left to wait for that; the pool, too, takes connections back in tasks of its own.
impl Drop for Session {
    fn drop(&mut self) {
        let (Some(connection), Ok(runtime)) = (self.connection.take(), Handle::try_current())
        else {
            return;
        };
        let patience = self.statement_timeout + SHORTEST_END;
        runtime.spawn(roll_back_or_close(
            connection,
            patience,
            self.is_replaceable,
        ));
    }
}

async fn roll_back_or_close(
    mut connection: PoolConnection<Any>,
    patience: Duration,
    is_replaceable: bool,
) {
    let rollback = execute(&mut connection, "ROLLBACK".to_owned());
    let is_rolled_back = matches!(timeout(patience, rollback).await, Ok(Ok(())));
    if !is_rolled_back && is_replaceable {
        connection.close_on_drop();
    }
}

async fn execute(connection: &mut AnyConnection, statement: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map(drop)
}
