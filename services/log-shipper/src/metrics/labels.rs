//! What metrics are told apart by.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use crate::domain::SourceKind;

/// Label of what is counted by kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    /// `container`, `event` or `system`.
    pub kind: SourceKind,
}

/// Label of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FailureLabels {
    /// Why.
    pub cause: FailureCause,
}

/// Label of losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct LossLabels {
    /// Why.
    pub reason: LossReason,
}

/// Reasons of losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LossReason {
    /// The store was away, the spool full and the file removed.
    SpoolFull,
    /// The disk did not keep what the spool held.
    DamagedSpool,
}

/// Causes of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureCause {
    /// The file cannot be read, or its name not be used.
    File,
    /// The store does not answer, or asks to slow down.
    StoreUnavailable,
    /// The store refuses.
    StoreRefused,
    /// The store takes too long.
    Timeout,
    /// The spool is full, or its disk fails.
    Spool,
}

impl EncodeLabelValue for SourceKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let name = match self {
            Self::Container => "container",
            Self::Event => "event",
            Self::System => "system",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

impl EncodeLabelValue for FailureCause {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let name = match self {
            Self::File => "file",
            Self::StoreUnavailable => "store_unavailable",
            Self::StoreRefused => "store_refused",
            Self::Timeout => "timeout",
            Self::Spool => "spool",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

impl EncodeLabelValue for LossReason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        let name = match self {
            Self::SpoolFull => "spool_full",
            Self::DamagedSpool => "damaged_spool",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}
