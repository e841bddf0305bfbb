//! The error that a caller sees.

use std::time::Duration;

use crate::ErrorReason;

/// One field of a request and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path in the request's own names, such as `spec.driver.memory_bytes`.
    pub field: String,
    /// What is allowed, with the limit.
    pub description: String,
}

/// What an RPC answers when it fails: safe to show to any caller. Every service turns its own
/// errors into this one at the border; `moka-rpc` turns it into a gRPC status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PublicError {
    /// Why, from the closed list.
    pub reason: ErrorReason,
    /// A sentence for people.
    pub message: String,
    /// The fields at fault, when the request was.
    pub violations: Vec<FieldViolation>,
    /// How long to wait before another try, when that helps.
    pub retry_after: Option<Duration>,
}

impl PublicError {
    /// An error without field violations.
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            violations: Vec::new(),
            retry_after: None,
        }
    }

    /// A request whose fields are at fault.
    pub fn invalid(violations: Vec<FieldViolation>) -> Self {
        let fields: Vec<_> = violations
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        let message = format!("the request has invalid fields: {}", fields.join(", "));
        Self {
            violations,
            ..Self::new(ErrorReason::InvalidField, message)
        }
    }

    /// Names one more field at fault.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        self.violations.push(FieldViolation {
            field: field.into(),
            description: description.into(),
        });
        self
    }

    /// Tells the caller when another try makes sense.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }
}
