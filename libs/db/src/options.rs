//! How many connections, and how long to wait for what.

use std::{sync::Arc, time::Duration};

use moka_core::entropy::{Entropy, SystemEntropy};

use crate::DatabaseMetrics;

/// Limits of a [`crate::Database`].
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// Most connections at once. On SQLite all but one can only read.
    pub max_connections: u32,
    /// Longest wait for a connection, including opening one.
    pub acquire_timeout: Duration,
    /// Longest wait of one statement: PostgreSQL's `statement_timeout` and `lock_timeout`,
    /// SQLite's `busy_timeout`.
    pub statement_timeout: Duration,
    /// Longest life of one try of a transaction, from its begin to the answer of its commit.
    pub transaction_timeout: Duration,
    /// After this much time no other try of a transaction begins that others are in the way of.
    pub retry_timeout: Duration,
    /// How often a transaction is run at most when others are in its way.
    pub max_attempts: u32,
    /// Where transactions are counted.
    pub metrics: DatabaseMetrics,
    /// Where the jitter between tries comes from.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            max_connections: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            transaction_timeout: Duration::from_secs(30),
            retry_timeout: Duration::from_secs(5),
            max_attempts: 10,
            metrics: DatabaseMetrics::default(),
            entropy: Arc::new(SystemEntropy),
        }
    }
}
