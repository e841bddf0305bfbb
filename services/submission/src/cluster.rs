//! Kubernetes clusters.

mod log_tail;
mod spark_operator;

pub use spark_operator::SparkOperator;
