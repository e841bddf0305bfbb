//! How far a stream has come.

use serde::{Deserialize, Serialize};

use super::Generation;

/// At most so many bytes in front of the offset, or at the start, are remembered.
pub const FINGERPRINT_BYTES: usize = 32;

/// Names one file for as long as it exists, through renames and restarts of the shipper.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StreamId {
    /// The path that records carry.
    pub path: String,
    /// The file's number in its file system.
    pub inode: u64,
    /// Nanoseconds since 1970; `None` where the file system knows no birth.
    pub birth_nanoseconds: Option<i128>,
}

/// What is acknowledged by the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which bytes the offset counts.
    pub generation: Generation,
    /// Everything in front of it is shipped.
    pub offset_bytes: u64,
    /// The last bytes in front of the offset. When the file has others there, it was rewritten in
    /// place, even if it is longer now.
    pub fingerprint: Vec<u8>,
    /// While the offset is 0: the first bytes, written down before any of them was sent. After a
    /// crash they tell whether the file still holds what may have been shipped.
    #[serde(default)]
    pub head: Vec<u8>,
}

impl Progress {
    /// Nothing of a new generation is shipped yet. `seen_nanoseconds` stands in for a birth that
    /// the file system does not know.
    pub fn start(id: &StreamId, seen_nanoseconds: i128) -> Self {
        Self {
            generation: Generation {
                inode: id.inode,
                birth_nanoseconds: id.birth_nanoseconds.unwrap_or(seen_nanoseconds),
            },
            offset_bytes: 0,
            fingerprint: Vec::new(),
            head: Vec::new(),
        }
    }

    /// Nothing of what the file holds since it was rewritten is shipped yet.
    #[must_use]
    pub fn rewritten(&self, seen_nanoseconds: i128) -> Self {
        // A clock that was set back must not bring a former generation back.
        let after_former = self.generation.birth_nanoseconds.saturating_add(1);
        Self {
            generation: Generation {
                inode: self.generation.inode,
                birth_nanoseconds: seen_nanoseconds.max(after_former),
            },
            offset_bytes: 0,
            fingerprint: Vec::new(),
            head: Vec::new(),
        }
    }

    /// Nothing is shipped yet, but is about to be.
    #[must_use]
    pub fn begun(&self, bytes: &[u8]) -> Self {
        Self {
            head: bytes[..bytes.len().min(FINGERPRINT_BYTES)].to_vec(),
            ..self.clone()
        }
    }

    /// The bytes that follow the offset are shipped too.
    #[must_use]
    pub fn advanced(&self, shipped: &[u8]) -> Self {
        let mut fingerprint = self.fingerprint.clone();
        fingerprint.extend_from_slice(&shipped[shipped.len().saturating_sub(FINGERPRINT_BYTES)..]);
        let surplus = fingerprint.len().saturating_sub(FINGERPRINT_BYTES);
        fingerprint.drain(..surplus);
        Self {
            generation: self.generation,
            offset_bytes: self.offset_bytes + shipped.len() as u64,
            fingerprint,
            head: Vec::new(),
        }
    }

    /// What follows the offset is lost up to `end_bytes`.
    #[must_use]
    pub fn skipped(&self, end_bytes: u64) -> Self {
        Self {
            generation: self.generation,
            offset_bytes: end_bytes,
            fingerprint: Vec::new(),
            head: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> StreamId {
        StreamId {
            path: "/var/log/pods/a_b_c/d/0.log".to_owned(),
            inode: 7,
            birth_nanoseconds: None,
        }
    }

    #[test]
    fn rewritten_file_never_gets_a_former_generation() {
        let first = Progress::start(&id(), 1_000);
        let second = first.rewritten(500);
        assert_eq!(second.generation.birth_nanoseconds, 1_001);
        assert_eq!(second.rewritten(5_000).generation.birth_nanoseconds, 5_000);
    }

    proptest! {
        #[test]
        fn fingerprint_is_the_end_of_what_was_shipped(
            batches in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..8),
        ) {
            let mut progress = Progress::start(&id(), 1);
            let mut all = Vec::new();
            for batch in &batches {
                progress = progress.advanced(batch);
                all.extend_from_slice(batch);
            }
            prop_assert_eq!(progress.offset_bytes, all.len() as u64);
            let expected = &all[all.len().saturating_sub(FINGERPRINT_BYTES)..];
            prop_assert_eq!(&progress.fingerprint[..], expected);
        }
    }
}
