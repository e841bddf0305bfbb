//! An error of one item among many, as the wire tells it.

use moka_core::PublicError;
use moka_proto::common::v1::{ErrorReason, Refusal, Violation};

/// What a call for this item alone would have failed with.
pub(super) fn refusal(error: &PublicError) -> Refusal {
    let name = format!("ERROR_REASON_{}", error.reason.as_str());
    let violation = |violation: &moka_core::FieldViolation| Violation {
        field: violation.field.clone(),
        description: violation.description.clone(),
    };
    Refusal {
        reason: ErrorReason::from_str_name(&name).unwrap_or_default().into(),
        message: error.message.clone(),
        violations: error.violations.iter().map(violation).collect(),
        retry_delay: error
            .retry_after
            .and_then(|delay| prost_types::Duration::try_from(delay).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_name_on_the_wire() {
        for reason in moka_core::ErrorReason::ALL {
            let refusal = refusal(&PublicError::new(*reason, "no"));
            assert_ne!(refusal.reason(), ErrorReason::Unspecified, "{reason:?}");
        }
    }
}
