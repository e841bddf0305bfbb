//! Kubernetes clusters.

mod connector;
mod log_tail;
mod spark_operator;

pub use connector::{Connector, Credentials};
pub use spark_operator::SparkOperator;
