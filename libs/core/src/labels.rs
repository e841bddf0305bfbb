//! Names that Moka writes on Kubernetes objects. They are contracts: see `docs/architecture.md`.

/// Label: the application's id, on the SparkApplication and on every pod of it.
pub const APPLICATION_ID: &str = "moka.dev/application-id";
/// Label: the attempt's number, counting from 1.
pub const ATTEMPT: &str = "moka.dev/attempt";
/// Label: marks a suspended SparkApplication that only keeps a name from being used.
pub const TOMBSTONE: &str = "moka.dev/tombstone";
/// Annotation: W3C trace context of the submission.
pub const TRACEPARENT: &str = "moka.dev/traceparent";
/// Finalizer: stays until the outcome is committed to submission's database.
pub const OUTCOME_FINALIZER: &str = "moka.dev/outcome";
/// Name of the driver's container, which Spark gives.
pub const DRIVER_CONTAINER: &str = "spark-kubernetes-driver";
/// Name of an executor's container, which Spark gives.
pub const EXECUTOR_CONTAINER: &str = "spark-kubernetes-executor";
