//! `moka_manifest.json`: what a reader of an assembled event log has to know besides its lines.

use serde::{Deserialize, Serialize};

/// Where an assembly stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssemblyState {
    /// More may come.
    InProgress,
    /// Final: a History Server lists the log as completed.
    Completed,
    /// The attempt has ended, and a gap keeps the rest back.
    HeldBack,
}

/// Bytes of the driver's file that no record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestGap {
    /// First missing byte.
    pub start_offset_bytes: u64,
    /// First byte after the gap.
    pub end_offset_bytes: u64,
}

/// The manifest beside the chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The application.
    pub application_id: String,
    /// The attempt, counting from 1.
    pub attempt_number: u32,
    /// Spark's own id.
    pub spark_application_id: String,
    /// Where the assembly stands.
    pub state: AssemblyState,
    /// Whether the end was written by us because the driver could not.
    pub synthetic_end: bool,
    /// What is missing.
    pub gaps: Vec<ManifestGap>,
    /// How many chunks there are.
    pub chunk_count: u32,
    /// Bytes in them.
    pub assembled_bytes: u64,
}

impl Manifest {
    /// Whether both describe the same attempt's log.
    pub fn is_of_same_attempt(&self, other: &Self) -> bool {
        (&self.application_id, self.attempt_number) == (&other.application_id, other.attempt_number)
    }

    /// Whether this one is from a later moment of the same assembly.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let rank = |manifest: &Self| {
            (
                manifest.chunk_count,
                manifest.state == AssemblyState::Completed,
            )
        };
        rank(self) > rank(other)
    }
}
