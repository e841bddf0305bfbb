//! What to run and how large.

#[cfg(test)]
pub mod any;
pub(in crate::domain) mod parse;
mod retry_request;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(in crate::domain) use self::retry_request::ATTEMPTS;
pub use self::{parse::parse, retry_request::RetryRequest};

/// What to run, checked by [`parse()`]; values are as the caller gave them, with 0, `None` or
/// nothing for "the default", which [`super::launch_spec`] fills in. A field that is missing in the
/// JSON is one that an earlier release did not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The language of the main file.
    #[serde(rename = "type")]
    pub language: Language,
    /// Container image of every pod.
    pub image: String,
    /// URL of the main file; empty for SQL.
    pub main_application_file: String,
    /// Class with `main`; there exactly for JVM languages.
    pub main_class: Option<String>,
    /// Arguments of the main file.
    pub arguments: Vec<String>,
    /// Version of Spark inside the image.
    pub spark_version: String,
    /// The caller's Spark settings; none that the platform owns.
    pub spark_conf: BTreeMap<String, String>,
    /// The driver.
    pub driver: Option<PodSpec>,
    /// The executors.
    pub executor: Option<ExecutorSpec>,
    /// Full path of the leaf queue.
    pub queue: String,
    /// Environment of every Spark container.
    pub environment: BTreeMap<String, String>,
    /// Statements of a SQL application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sql_statements: Vec<String>,
    /// What Spark fetches first.
    #[serde(default, skip_serializing_if = "Dependencies::is_empty")]
    pub dependencies: Dependencies,
    /// Executors that come and go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic_allocation: Option<DynamicAllocation>,
    /// Variables whose values are in secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret_environment: Vec<SecretVariable>,
    /// Volumes of the pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Service account of the driver.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub service_account: String,
    /// Processors to run on, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<Architecture>,
    /// Images for single architectures.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub image_by_architecture: BTreeMap<Architecture, String>,
    /// Name of a shuffle profile.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shuffle_profile: String,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Labels of the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Who is responsible.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// The workflow that this is a part of.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workflow: String,
    /// The run of the workflow.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// How important it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// When to give up.
    #[serde(default, skip_serializing_if = "Deadlines::is_empty")]
    pub deadlines: Deadlines,
    /// What happens after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryRequest>,
}

/// The language of a main file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Language {
    /// A Python file.
    Python,
    /// A class in a jar, written in Java.
    Java,
    /// A class in a jar, written in Scala.
    Scala,
    /// An R file.
    R,
    /// Statements of SQL.
    Sql,
}

impl Language {
    /// The Spark Operator's word. SQL is run by a Python program of ours.
    pub fn operator_type(self) -> &'static str {
        match self {
            Self::Python | Self::Sql => "Python",
            Self::Java => "Java",
            Self::Scala => "Scala",
            Self::R => "R",
        }
    }

    /// Whether the main file is a jar whose class must be named.
    pub fn needs_main_class(self) -> bool {
        matches!(self, Self::Java | Self::Scala)
    }
}

/// One Spark pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodSpec {
    /// Cores that Spark believes to have; 0 means 1.
    pub cores: u32,
    /// CPU to ask for; 0 means 1,000 for each core.
    pub cpu_request_millicores: u32,
    /// Memory of the heap.
    pub memory_bytes: u64,
    /// Memory beside the heap; 0 means Spark's rule.
    pub memory_overhead_bytes: u64,
    /// Extended resources, such as `nvidia.com/gpu`, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extended_resources: BTreeMap<String, u32>,
}

/// The executors' pods, all of one size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorSpec {
    /// How many; 0 with dynamic allocation.
    pub instances: u32,
    /// One of them.
    #[serde(flatten)]
    pub pod: PodSpec,
}

/// How important an application is: the order is from the most important to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Tier {
    /// Never preempted.
    #[serde(rename = "TIER_1")]
    One,
    /// Before the third.
    #[serde(rename = "TIER_2")]
    Two,
    /// The rest.
    #[serde(rename = "TIER_3")]
    Three,
}

impl Tier {
    /// The name, as the database writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "TIER_1",
            Self::Two => "TIER_2",
            Self::Three => "TIER_3",
        }
    }

    /// Every tier.
    pub const ALL: [Self; 3] = [Self::One, Self::Two, Self::Three];

    /// Its number: `1`, `2` or `3`.
    pub fn number(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
            Self::Three => "3",
        }
    }
}

/// A kind of processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// x86, 64 bits.
    Amd64,
    /// Arm, 64 bits.
    Arm64,
}

impl Architecture {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// The value of the node label `kubernetes.io/arch`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// What Spark fetches before the main file runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dependencies {
    /// URLs of jars.
    pub jars: Vec<String>,
    /// URLs of files.
    pub files: Vec<String>,
    /// URLs of Python files and archives.
    pub py_files: Vec<String>,
    /// URLs of archives to be unpacked.
    pub archives: Vec<String>,
    /// Maven coordinates.
    pub packages: Vec<String>,
    /// Maven coordinates to leave out.
    pub exclude_packages: Vec<String>,
    /// URLs of Maven repositories.
    pub repositories: Vec<String>,
}

impl Dependencies {
    /// Whether there is nothing to fetch.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Executors that come and go with the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamicAllocation {
    /// Never fewer.
    pub min_executors: u32,
    /// Never more.
    pub max_executors: u32,
    /// How many at the start: at least the minimum.
    pub initial_executors: u32,
    /// How long an executor may be idle.
    pub idle_timeout_seconds: Option<u32>,
}

/// A variable whose value is in a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretVariable {
    /// The variable.
    pub name: String,
    /// The secret.
    pub secret: String,
    /// The key in the secret.
    pub key: String,
}

/// A volume and where it is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Where it is mounted.
    pub mount_path: String,
    /// Path inside the volume; empty for its root.
    pub sub_path: String,
    /// Whether it cannot be written.
    pub read_only: bool,
    /// Whether the driver has it.
    pub in_driver: bool,
    /// Whether the executors have it.
    pub in_executors: bool,
    /// Where its bytes are.
    pub source: VolumeSource,
}

/// Where a volume's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeSource {
    /// Empty at first, gone with the pod.
    EmptyDirectory {
        /// The most that it may hold; 0 means no limit.
        size_limit_bytes: u64,
        /// Whether it is in memory.
        in_memory: bool,
    },
    /// A config map.
    ConfigMap(String),
    /// A secret.
    Secret(String),
    /// A persistent volume claim.
    PersistentVolumeClaim(String),
    /// A directory of the node.
    HostPath(String),
}

/// When to give up, in seconds.
#[expect(
    clippy::struct_field_names,
    reason = "a unit stands in every name that has one"
)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deadlines {
    /// From acceptance until the first driver runs.
    pub queue_seconds: Option<u32>,
    /// How long the driver of one attempt may run.
    pub run_seconds: Option<u32>,
    /// From acceptance to the end.
    pub total_seconds: Option<u32>,
}

impl Deadlines {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
