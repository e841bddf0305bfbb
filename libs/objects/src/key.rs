//! Keys that every store can hold.

use std::{borrow::Borrow, fmt, str::FromStr};

/// The name of an object: segments joined by `/`, at most 1,024 bytes, each segment at most 255. No
/// segment is empty, `.`, `..` or starts with `.moka-`, which marks the directory store's own
/// files; no character is a control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(String);

/// The text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object key {key:?} {problem}")]
pub struct InvalidKey {
    /// The text.
    pub key: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl ObjectKey {
    /// Most bytes of a key, as in S3.
    pub const MAX_LENGTH_BYTES: usize = 1024;
    /// Most bytes of a segment, as in common file systems.
    pub const MAX_SEGMENT_BYTES: usize = 255;

    /// Checks a key.
    ///
    /// # Errors
    /// [`InvalidKey`] says which rule is broken.
    pub fn new(key: impl Into<String>) -> Result<Self, InvalidKey> {
        let key = key.into();
        match problem(&key) {
            Some(problem) => Err(InvalidKey { key, problem }),
            None => Ok(Self(key)),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

fn problem(key: &str) -> Option<&'static str> {
    if key.len() > ObjectKey::MAX_LENGTH_BYTES {
        return Some("is longer than 1024 bytes");
    }
    if key.chars().any(char::is_control) {
        return Some("has a control character");
    }
    key.split('/').find_map(|segment| match segment {
        "" => Some("has an empty segment"),
        "." | ".." => Some("has a segment `.` or `..`"),
        _ if segment.starts_with(".moka-") => Some("has a segment that starts with `.moka-`"),
        _ if segment.len() > ObjectKey::MAX_SEGMENT_BYTES => {
            Some("has a segment of more than 255 bytes")
        }
        _ => None,
    })
}

impl FromStr for ObjectKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl Borrow<str> for ObjectKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ObjectKey {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_portable_keys_are_accepted() {
        let long_segment = "s".repeat(256);
        let long_key = "abc/".repeat(257) + "d";
        for (key, accepted) in [
            ("a", true),
            ("logs/qz/m01/1/events/a b=ü.jsonl.zst", true),
            (".hidden/file", true),
            ("", false),
            ("/a", false),
            ("a/", false),
            ("a//b", false),
            ("a/../b", false),
            ("./a", false),
            ("a/.moka-tmp/b", false),
            ("a\nb", false),
            (&long_segment, false),
            (&long_key, false),
        ] {
            assert_eq!(ObjectKey::new(key).is_ok(), accepted, "{key:?}");
        }
    }
}
