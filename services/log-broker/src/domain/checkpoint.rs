//! What an assembler has decided. It is written with a condition before anything is published, so
//! that of two replicas one decides, and so that a crash is repaired by doing the decided thing
//! again.

use moka_core::AttemptName;
use serde::{Deserialize, Serialize};

use super::{
    chunk::EventLogKeys,
    layout::Gap,
    manifest::{AssemblyState, Manifest, ManifestGap},
};

/// No log has as many chunks, nor as many bytes: a checkpoint that says so is damaged, and could
/// not be counted on from.
const MAX_CHUNKS: u32 = 1 << 30;
const MAX_BYTES: u64 = 1 << 62;

/// A chunk, by the bytes of the driver's file that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRange {
    /// First byte.
    pub start_bytes: u64,
    /// Byte after the last one. Equal to the start when the chunk is only ours.
    pub end_bytes: u64,
    /// The time in a synthetic end that follows these bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthetic_end_milliseconds: Option<i64>,
}

/// The state of one event log's assembly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The application.
    pub application_id: String,
    /// The attempt, counting from 1.
    pub attempt_number: u32,
    /// The file's name.
    pub file: String,
    /// Spark's own id, once a line told it.
    pub spark_application_id: Option<String>,
    /// How many chunks are decided. All but the last are published.
    pub chunk_count: u32,
    /// The last one.
    pub last_chunk: Option<ChunkRange>,
    /// When it was decided, in milliseconds since 1970.
    pub last_chunk_milliseconds: i64,
    /// Bytes in all chunks.
    pub assembled_bytes: u64,
    /// Whether a chunk has the end of the application.
    pub application_end_seen: bool,
    /// Whether that end is ours.
    pub synthetic_end: bool,
    /// Where the assembly stands.
    pub state: AssemblyState,
    /// What keeps it back.
    pub gaps: Vec<ManifestGap>,
    /// Whether the log was deleted, or is being deleted: nothing is published any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl Checkpoint {
    /// Nothing decided yet.
    pub fn new(attempt: AttemptName, file: &str) -> Self {
        Self {
            application_id: attempt.application_id.to_string(),
            attempt_number: attempt.number,
            file: file.to_owned(),
            spark_application_id: None,
            chunk_count: 0,
            last_chunk: None,
            last_chunk_milliseconds: 0,
            assembled_bytes: 0,
            application_end_seen: false,
            synthetic_end: false,
            state: AssemblyState::InProgress,
            gaps: Vec::new(),
            deleted: false,
        }
    }

    /// Whether its numbers can be those of a log.
    pub fn is_possible(&self) -> bool {
        self.chunk_count <= MAX_CHUNKS
            && self.assembled_bytes <= MAX_BYTES
            && self.last_chunk.is_none_or(|chunk| {
                chunk.start_bytes <= chunk.end_bytes && chunk.end_bytes <= MAX_BYTES
            })
    }

    /// The prefix of an application's checkpoints.
    pub fn prefix(attempt: AttemptName) -> String {
        let id = attempt.application_id.to_string();
        format!("assembly/{}/{id}/{}/", &id[id.len() - 2..], attempt.number)
    }

    /// Where the checkpoint of a file is.
    pub fn key(attempt: AttemptName, file: &str) -> String {
        format!("{}{file}.json", Self::prefix(attempt))
    }

    /// Where the log is.
    pub fn keys(&self) -> EventLogKeys {
        EventLogKeys::new(&self.file)
    }

    /// How many bytes of the driver's file are in chunks.
    pub fn position_bytes(&self) -> u64 {
        self.last_chunk.map_or(0, |chunk| chunk.end_bytes)
    }

    /// The checkpoint after one more chunk was decided.
    #[must_use]
    pub fn with_chunk(
        &self,
        chunk: ChunkRange,
        decided_milliseconds: i64,
        size_bytes: u64,
    ) -> Self {
        Self {
            chunk_count: self.chunk_count + 1,
            last_chunk: Some(chunk),
            last_chunk_milliseconds: decided_milliseconds,
            assembled_bytes: self.assembled_bytes + size_bytes,
            synthetic_end: self.synthetic_end || chunk.synthetic_end_milliseconds.is_some(),
            ..self.clone()
        }
    }

    /// The manifest that tells it.
    pub fn manifest(&self) -> Manifest {
        Manifest {
            application_id: self.application_id.clone(),
            attempt_number: self.attempt_number,
            spark_application_id: self
                .spark_application_id
                .clone()
                .unwrap_or_else(|| self.file.clone()),
            state: self.state,
            synthetic_end: self.synthetic_end,
            gaps: self.gaps.clone(),
            chunk_count: self.chunk_count,
            assembled_bytes: self.assembled_bytes,
        }
    }
}

impl From<&Gap> for ManifestGap {
    fn from(gap: &Gap) -> Self {
        Self {
            start_offset_bytes: gap.start_bytes,
            end_offset_bytes: gap.end_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_the_limit_are_possible_and_those_past_it_are_not() {
        let attempt = AttemptName::new(moka_core::ApplicationId::ZERO, 1);
        let of = |chunk_count, assembled_bytes, start_bytes, end_bytes| Checkpoint {
            chunk_count,
            assembled_bytes,
            last_chunk: Some(ChunkRange {
                start_bytes,
                end_bytes,
                synthetic_end_milliseconds: None,
            }),
            ..Checkpoint::new(attempt, "spark-1")
        };
        let (chunks, bytes) = (1_073_741_824, 4_611_686_018_427_387_904);
        let limit = of(chunks, bytes, bytes, bytes);
        assert!(limit.is_possible());
        let more = ChunkRange {
            start_bytes: 0,
            end_bytes: 1,
            synthetic_end_milliseconds: None,
        };
        assert_eq!(limit.with_chunk(more, 0, 1).chunk_count, chunks + 1);
        for past in [
            of(chunks + 1, 0, 0, 0),
            of(1, bytes + 1, 0, 0),
            of(1, 0, 0, bytes + 1),
            of(1, 0, 2, 1),
        ] {
            assert!(!past.is_possible(), "{past:?}");
        }
    }
}
