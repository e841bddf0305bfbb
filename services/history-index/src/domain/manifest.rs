//! What the assembler says of a log, beside its chunks.

use serde::Deserialize;

/// Name of the manifest within the log's directory.
pub const NAME: &str = "moka_manifest.json";

/// `moka_manifest.json`; what this release does not know is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// Our id.
    pub application_id: String,
    /// Our attempt.
    pub attempt_number: u32,
    /// Whether the last lines are the assembler's own, because the driver did not write its end.
    #[serde(default)]
    pub synthetic_end: bool,
    /// Bytes of the driver's file that never arrived.
    #[serde(default)]
    pub gaps: Vec<Gap>,
    /// `in_progress`, `completed` or `held_back`.
    #[serde(default)]
    pub state: String,
}

/// A range of the driver's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Gap {
    /// The first byte that is missing.
    pub start_offset_bytes: u64,
    /// The first byte after it that is there; absent while that is not known.
    #[serde(default)]
    pub end_offset_bytes: Option<u64>,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// When it is no JSON object of that form.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Whether it says that something of the log is missing.
    pub fn is_incomplete(&self) -> bool {
        self.synthetic_end || !self.gaps.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_a_synthetic_end_make_a_log_incomplete() {
        let manifest = |synthetic_end: bool, gaps: &str| {
            let text = format!(
                r#"{{"application_id":"m0","attempt_number":2,"spark_application_id":"spark-1","state":"completed",
                "synthetic_end":{synthetic_end},"gaps":{gaps},"chunk_count":1,"assembled_bytes":5}}"#
            );
            Manifest::parse(text.as_bytes()).unwrap()
        };
        assert!(!manifest(false, "[]").is_incomplete());
        assert!(manifest(true, "[]").is_incomplete());
        let gap = manifest(false, r#"[{"start_offset_bytes":1,"end_offset_bytes":9}]"#);
        assert!(gap.is_incomplete());
        assert_eq!(gap.gaps[0].end_offset_bytes, Some(9));
        assert!(Manifest::parse(b"[]").is_err());
    }
}
