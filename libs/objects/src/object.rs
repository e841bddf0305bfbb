//! What a store holds and answers.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;

use crate::ObjectKey;

/// Names one version of an object. Opaque; compare it with other tags of the same key only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(String);

impl ETag {
    /// A tag as the store gave it.
    pub fn new(tag: impl Into<String>) -> Self {
        Self(tag.into())
    }

    /// The tag as the store gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a put may happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutCondition {
    /// Whatever is there.
    Always,
    /// Only when nothing has the key.
    IfAbsent,
    /// Only while this version is there.
    IfMatch(ETag),
}

/// Bytes of an object, all or a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The bytes asked for.
    pub bytes: Bytes,
    /// The version they belong to.
    pub etag: ETag,
    /// Size of the whole object.
    pub size_bytes: u64,
}

/// An object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its key.
    pub key: ObjectKey,
    /// Its size.
    pub size_bytes: u64,
    /// Its version.
    pub etag: ETag,
    /// When it was put, by the store's clock; S3 tells whole seconds.
    pub modified: Timestamp,
}
