//! Pools, named transactions, migrations and error mapping for SQLite and PostgreSQL.
//!
//! One code path serves both databases: `sqlx`'s `Any` driver, placeholders written `$1`, and
//! column types that both have. Identifiers are `TEXT`, bytes `BLOB` or `BYTEA`, times and booleans
//! `BIGINT` (microseconds since the epoch; 0 and 1). `sum()` over `BIGINT` needs a cast to
//! `BIGINT`, since PostgreSQL answers with a type that `Any` does not know.
#![warn(missing_docs, clippy::future_not_send)]

pub mod conformance;
mod database;
mod error;
mod kind;
mod metrics;
mod migrate;
mod options;
mod retry;
mod session;
mod transaction;
mod tx;

pub use database::Database;
pub use error::{Error, TransactionError};
pub use kind::DatabaseKind;
pub use metrics::DatabaseMetrics;
pub use migrate::Migration;
pub use options::PoolOptions;
/// What queries run on, in a transaction or straight from the pool.
pub use sqlx::AnyConnection as Connection;
pub use transaction::Isolation;
pub use tx::Tx;
