//! Names that Moka writes on Kubernetes objects. They are contracts: see `docs/architecture.md`.

/// Label: the application's id, on the SparkApplication and on every pod of it.
pub const APPLICATION_ID: &str = "moka.dev/application-id";
/// Label: the attempt's number, counting from 1.
pub const ATTEMPT: &str = "moka.dev/attempt";
/// Label: marks a suspended SparkApplication that only keeps a name from being used.
pub const TOMBSTONE: &str = "moka.dev/tombstone";
/// Annotation: W3C trace context of the submission.
pub const TRACEPARENT: &str = "moka.dev/traceparent";
/// Label: the tier, `1`, `2` or `3`.
pub const TIER: &str = "moka.dev/tier";
/// Annotation: the application's tags as one JSON object.
pub const TAGS: &str = "moka.dev/tags";
/// Annotation: who is responsible.
pub const OWNER: &str = "moka.dev/owner";
/// Annotation: the workflow that the application is a part of.
pub const WORKFLOW: &str = "moka.dev/workflow";
/// Annotation: the run of the workflow.
pub const RUN: &str = "moka.dev/run";
/// Annotation of a SQL application's driver: the program that runs its statements.
pub const SQL_RUNNER: &str = "moka.dev/sql-runner";
/// Annotations of a SQL application's driver: this and three digits, one for each statement.
pub const SQL_STATEMENT_PREFIX: &str = "moka.dev/sql-";
/// Finalizer: stays until the outcome is committed to submission's database.
pub const OUTCOME_FINALIZER: &str = "moka.dev/outcome";
/// Name of the driver's container, which Spark gives.
pub const DRIVER_CONTAINER: &str = "spark-kubernetes-driver";
/// Name of an executor's container, which Spark gives.
pub const EXECUTOR_CONTAINER: &str = "spark-kubernetes-executor";
