//! What an attempt is launched with.

use std::collections::BTreeMap;

use moka_core::AttemptName;
use serde::{Deserialize, Serialize};

use super::{
    exit::ExitCategory,
    spec::{
        Architecture, Deadlines, Dependencies, DynamicAllocation, ExecutorSpec, Language, PodSpec,
        SecretVariable, Tier, Volume,
    },
};

/// The label in which a node tells its processor.
const ARCHITECTURE_LABEL: &str = "kubernetes.io/arch";

/// A request with every default filled in. It is fixed together with the place, so that a repeated
/// launch creates the very same object whatever has become of the defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// The language of the main file.
    pub language: Language,
    /// Container image of every pod.
    pub image: String,
    /// URL of the main file; empty for SQL.
    pub main_application_file: String,
    /// Class with `main`.
    pub main_class: Option<String>,
    /// Arguments of the main file.
    pub arguments: Vec<String>,
    /// Version of Spark inside the image.
    pub spark_version: String,
    /// Spark's settings, but for those that the manifest itself decides.
    pub spark_conf: BTreeMap<String, String>,
    /// The driver.
    pub driver: PodSpec,
    /// The executors.
    pub executor: ExecutorSpec,
    /// Full path of the leaf queue to ask for.
    pub queue: String,
    /// Environment of every Spark container.
    pub environment: BTreeMap<String, String>,
    /// Statements of a SQL application.
    pub sql_statements: Vec<String>,
    /// What Spark fetches first.
    pub dependencies: Dependencies,
    /// Executors that come and go.
    pub dynamic_allocation: Option<DynamicAllocation>,
    /// Variables whose values are in secrets.
    pub secret_environment: Vec<SecretVariable>,
    /// Volumes of the pods.
    pub volumes: Vec<Volume>,
    /// Service account of the driver; `None` means the platform's.
    pub service_account: Option<String>,
    /// The processor to run on; `None` when any will do.
    pub architecture: Option<Architecture>,
    /// Name of the shuffle profile whose settings are in `spark_conf`.
    pub shuffle_profile: Option<String>,
    /// Labels of the pods.
    pub labels: BTreeMap<String, String>,
    /// How important it is.
    pub tier: Tier,
    /// `PriorityClass` of the pods.
    pub priority_class: Option<String>,
    /// When to give up.
    pub deadlines: Deadlines,
    /// What happens after a failure.
    pub retry: RetryPolicy,
    /// The web interface of the running driver.
    pub live_ui: LiveUi,
}

impl LaunchSpec {
    /// Node labels that every pod asks for.
    pub fn node_selector(&self) -> BTreeMap<String, String> {
        let label = |architecture: Architecture| {
            (
                ARCHITECTURE_LABEL.to_owned(),
                architecture.as_str().to_owned(),
            )
        };
        self.architecture.map(label).into_iter().collect()
    }
}

/// What happens after a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all; at least 1.
    pub max_attempts: u32,
    /// Which failures are tried again.
    pub categories: Vec<ExitCategory>,
    /// Pause before the second attempt.
    pub initial_backoff_seconds: u32,
    /// The longest pause.
    pub max_backoff_seconds: u32,
    /// Hundredths of its size to which memory grows.
    pub memory_growth_percent: u32,
    /// No pod grows beyond this; 0 means twice its first size.
    pub max_memory_bytes: u64,
}

/// The web interface of a running driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveUi {
    /// Its port in the driver's pod.
    pub port: u16,
    /// Its address from outside, with `{application_id}` and `{attempt}`.
    pub url_template: Option<String>,
}

impl LiveUi {
    /// Spark's own port.
    pub const DEFAULT_PORT: u16 = 4040;
    /// What a template must have, so that it tells attempts apart.
    pub const PLACEHOLDERS: [&str; 2] = [Self::APPLICATION_ID, Self::ATTEMPT];
    const APPLICATION_ID: &str = "{application_id}";
    const ATTEMPT: &str = "{attempt}";

    /// The address of an attempt's interface from outside.
    pub fn url(&self, attempt: AttemptName) -> Option<String> {
        let template = self.url_template.as_ref()?;
        let url = template
            .replace(Self::APPLICATION_ID, &attempt.application_id.to_string())
            .replace(Self::ATTEMPT, &attempt.number.to_string());
        Some(url)
    }
}

impl Default for LiveUi {
    fn default() -> Self {
        Self {
            port: Self::DEFAULT_PORT,
            url_template: None,
        }
    }
}
