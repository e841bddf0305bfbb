//! A project's rules.

use jiff::Timestamp;

use super::{Defaults, OverridePolicy};

/// A project's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its name, which never changes.
    pub name: String,
    /// What its applications get that leave something out.
    pub defaults: Defaults,
    /// What its applications may not do.
    pub policy: OverridePolicy,
    /// Changes with every write.
    pub revision: i64,
    /// When it was first written.
    pub create_time: Timestamp,
    /// When it was last written.
    pub update_time: Timestamp,
}
