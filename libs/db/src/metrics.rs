//! What the transactions of a service did.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TransactionLabels {
    transaction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    transaction: &'static str,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Outcome {
    Committed,
    RolledBack,
    Failed,
}

/// Counters and times by transaction name. Cheap to clone; the default one is not registered
/// anywhere.
#[derive(Debug, Clone)]
pub struct DatabaseMetrics {
    transactions: Family<OutcomeLabels, Counter>,
    retries: Family<TransactionLabels, Counter>,
    seconds: Family<TransactionLabels, Histogram>,
}

impl Default for DatabaseMetrics {
    fn default() -> Self {
        Self {
            transactions: Family::default(),
            retries: Family::default(),
            seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.000_5, 2.0, 16))
            }),
        }
    }
}

impl DatabaseMetrics {
    /// Registers `db_transactions`, `db_transaction_retries` and `db_transaction_seconds` below the
    /// registry's own prefix.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "db_transactions",
            "Transactions that ended, by name and outcome",
            metrics.transactions.clone(),
        );
        registry.register(
            "db_transaction_retries",
            "Transactions that were run again after losing against another one",
            metrics.retries.clone(),
        );
        registry.register(
            "db_transaction_seconds",
            "Time from the call to the end of a transaction, with its retries",
            metrics.seconds.clone(),
        );
        metrics
    }

    pub(crate) fn retried(&self, transaction: &'static str) {
        self.retries
            .get_or_create(&TransactionLabels { transaction })
            .inc();
    }

    pub(crate) fn ended(&self, transaction: &'static str, outcome: Outcome, took: Duration) {
        self.transactions
            .get_or_create(&OutcomeLabels {
                transaction,
                outcome,
            })
            .inc();
        self.seconds
            .get_or_create(&TransactionLabels { transaction })
            .observe(took.as_secs_f64());
    }
}
