//! What can go wrong with a database, by what a caller can do about it.

use moka_core::{ErrorReason, PublicError};
use sqlx::error::ErrorKind;

/// A failed query, transaction or connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL names no database that we speak to.
    #[error("invalid database URL: {problem}")]
    InvalidUrl {
        /// What is wrong with it; never the URL itself, which may hold a password.
        problem: String,
    },
    /// A row with these unique columns exists already.
    #[error("a row with the same unique columns exists")]
    UniqueViolation {
        /// The constraint's name on PostgreSQL, its columns on SQLite.
        constraint: String,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// A query that must find a row found none.
    #[error("no such row")]
    NotFound,
    /// Another transaction was in the way, and this one was rolled back. [`crate::Database`] has
    /// tried again already when a caller sees it.
    #[error("the transaction lost against another one")]
    Contended(#[source] sqlx::Error),
    /// The database does not answer, or not in time. Nothing was written.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// The whole transaction took longer than [`crate::PoolOptions::transaction_timeout`] and was
    /// rolled back.
    #[error("transaction {name} took too long")]
    TimedOut {
        /// The transaction's name.
        name: &'static str,
    },
    /// The connection broke, or time ran out, while the commit was on its way: it may have
    /// happened. Only an idempotent caller may try again.
    #[error("the answer to a commit was lost")]
    CommitUnknown(#[source] Option<sqlx::Error>),
    /// An applied migration differs from the embedded one, or the list itself is out of order.
    #[error("migration {name}: {problem}")]
    Migration {
        /// The migration's name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A defect: a wrong query, a wrong type, a broken constraint.
    #[error("a query failed")]
    Defect(#[source] sqlx::Error),
}

impl Error {
    /// Whether the same call may succeed later. After [`Error::CommitUnknown`] it may also have
    /// succeeded before.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Contended(_)
                | Self::Unavailable(_)
                | Self::TimedOut { .. }
                | Self::CommitUnknown(_)
        )
    }

    /// Whether a unique constraint refused the row.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::UniqueViolation { .. })
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::RowNotFound => Self::NotFound,
            sqlx::Error::Database(database) => {
                let code = database.code();
                match code.as_deref() {
                    Some(code) if is_contention(code) => Self::Contended(error),
                    Some(code) if is_outage(code) => Self::Unavailable(error),
                    _ if database.kind() == ErrorKind::UniqueViolation => {
                        let constraint = database
                            .constraint()
                            .map_or_else(|| sqlite_columns(database.message()), str::to_owned);
                        Self::UniqueViolation {
                            constraint,
                            source: error,
                        }
                    }
                    _ => Self::Defect(error),
                }
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            _ => Self::Defect(error),
        }
    }
}

/// The two databases' codes cannot be confused: PostgreSQL's have five characters, SQLite's are
/// decimal numbers up to 8,000 (<https://www.sqlite.org/rescode.html>).
fn is_contention(code: &str) -> bool {
    match code {
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => true,
        _ => sqlite_primary_code(code).is_some_and(|code| matches!(code, 5 | 6)),
    }
}

fn is_outage(code: &str) -> bool {
    // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_session_timeout,
    // idle_in_transaction_session_timeout, query_canceled (our statement timeout), io_error,
    // read_only_sql_transaction (a fail-over's old primary).
    let is_named = matches!(
        code,
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "57014" | "58030" | "25006"
    );
    // Class 08 is about connections, class 53 about disks, memory and connections used up.
    let is_of_class = code.len() == 5 && (code.starts_with("08") || code.starts_with("53"));
    // SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN
    let is_sqlite = sqlite_primary_code(code).is_some_and(|code| matches!(code, 10 | 13 | 14));
    is_named || is_of_class || is_sqlite
}

fn sqlite_primary_code(code: &str) -> Option<u32> {
    (code.len() < 5)
        .then(|| code.parse::<u32>().ok())
        .flatten()
        .map(|code| code & 0xff)
}

/// `UNIQUE constraint failed: table.a, table.b` → `table.a, table.b`.
fn sqlite_columns(message: &str) -> String {
    message
        .rsplit_once(": ")
        .map_or(message, |(_, columns)| columns)
        .to_owned()
}

impl From<Error> for PublicError {
    fn from(error: Error) -> Self {
        if error.is_retryable() {
            Self::new(
                ErrorReason::StoreUnavailable,
                "the database does not answer; try again",
            )
        } else {
            Self::new(
                ErrorReason::Internal,
                "an internal error; the log has the details",
            )
        }
    }
}

/// An error that may end a transaction. It tells the runner whether a database failure is inside,
/// so that only those are tried again.
pub trait TransactionError: From<Error> + Send {
    /// The database failure behind this error, if that is what it is.
    fn database_error(&self) -> Option<&Error>;
}

impl TransactionError for Error {
    fn database_error(&self) -> Option<&Error> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_by_what_helps() {
        for (code, contention, outage) in [
            ("40001", true, false),
            ("55P03", true, false),
            ("5", true, false),
            // SQLITE_BUSY_SNAPSHOT, SQLITE_LOCKED_SHAREDCACHE
            ("517", true, false),
            ("262", true, false),
            ("13", false, true),
            // SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_IN_PAGE
            ("778", false, true),
            ("1034", false, true),
            ("8714", false, true),
            ("14", false, true),
            ("53100", false, true),
            ("53300", false, true),
            ("58030", false, true),
            ("57P01", false, true),
            ("57P02", false, true),
            ("57P03", false, true),
            ("57014", false, true),
            ("25P03", false, true),
            ("08006", false, true),
            ("25P02", false, false),
            ("42P01", false, false),
            ("23505", false, false),
            ("1", false, false),
            // SQLITE_CONSTRAINT_UNIQUE
            ("2067", false, false),
        ] {
            let told = (is_contention(code), is_outage(code));
            assert_eq!(told, (contention, outage), "{code}");
        }
    }
}
