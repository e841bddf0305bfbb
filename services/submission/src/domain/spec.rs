//! What to run and how large.

mod parse;

use std::collections::BTreeMap;

pub use parse::parse;
use serde::{Deserialize, Serialize};

/// What to run, checked by [`parse()`]; values are as the caller gave them, with 0 for "the
/// default".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The language of the main file.
    #[serde(rename = "type")]
    pub language: Language,
    /// Container image of every pod.
    pub image: String,
    /// URL of the main file.
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
    pub driver: PodSpec,
    /// The executors.
    pub executor: ExecutorSpec,
    /// Full path of the leaf queue.
    pub queue: String,
    /// Environment of every Spark container.
    pub environment: BTreeMap<String, String>,
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
}

impl Language {
    /// The Spark Operator's word.
    pub fn operator_type(self) -> &'static str {
        match self {
            Self::Python => "Python",
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodSpec {
    /// Cores that Spark believes to have; 0 means 1.
    pub cores: u32,
    /// CPU to ask for; 0 means 1,000 for each core.
    pub cpu_request_millicores: u32,
    /// Memory of the heap.
    pub memory_bytes: u64,
    /// Memory beside the heap; 0 means Spark's rule.
    pub memory_overhead_bytes: u64,
}

/// The executors' pods, all of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorSpec {
    /// How many.
    pub instances: u32,
    /// One of them.
    #[serde(flatten)]
    pub pod: PodSpec,
}
