//! Kubernetes clusters.

mod connector;
mod inspector;
mod log_tail;
mod spark_operator;

pub use connector::{Connector, Credentials};
pub use inspector::KubernetesInspector;
pub use spark_operator::SparkOperator;
