//! Requests about retention.

use moka_core::{ApplicationId, PublicError};
use moka_proto::logs::v1::{DeleteLogsRequest, LogKind as WireKind, SetLegalHoldRequest};
use moka_rpc::Violations;

use super::search::id;
use crate::domain::retention::LogKind;

const MAX_NAME_BYTES: usize = 200;
const MAX_REASON_BYTES: usize = 1_000;

/// A request to set or lift a legal hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Hold {
    pub(in crate::api) application_id: ApplicationId,
    pub(in crate::api) held: bool,
    pub(in crate::api) changed_by: String,
    pub(in crate::api) reason: String,
}

pub(in crate::api) fn hold(request: SetLegalHoldRequest) -> Result<Hold, PublicError> {
    let mut violations = Violations::new();
    let id = id(&mut violations, "application_id", &request.application_id);
    words(
        &mut violations,
        "changed_by",
        &request.changed_by,
        MAX_NAME_BYTES,
    );
    words(&mut violations, "reason", &request.reason, MAX_REASON_BYTES);
    violations.into_result()?;
    Ok(Hold {
        application_id: id.ok_or_else(|| PublicError::invalid(Vec::new()))?,
        held: request.held,
        changed_by: request.changed_by,
        reason: request.reason,
    })
}

/// A request to delete logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::api) struct Deletion {
    pub(in crate::api) application_id: ApplicationId,
    pub(in crate::api) kinds: Vec<LogKind>,
    pub(in crate::api) requested_by: String,
    pub(in crate::api) reason: String,
}

pub(in crate::api) fn deletion(request: DeleteLogsRequest) -> Result<Deletion, PublicError> {
    let mut violations = Violations::new();
    let id = id(&mut violations, "application_id", &request.application_id);
    let mut kinds = Vec::new();
    for (index, kind) in request.kinds.iter().enumerate() {
        match WireKind::try_from(*kind).map(log_kind) {
            Ok(Some(kind)) => kinds.push(kind),
            _ => violations.add(format!("kinds[{index}]"), "must be one of LogKind"),
        }
    }
    words(
        &mut violations,
        "requested_by",
        &request.requested_by,
        MAX_NAME_BYTES,
    );
    words(&mut violations, "reason", &request.reason, MAX_REASON_BYTES);
    violations.into_result()?;
    if kinds.is_empty() {
        kinds.extend(LogKind::ALL);
    }
    Ok(Deletion {
        application_id: id.ok_or_else(|| PublicError::invalid(Vec::new()))?,
        kinds,
        requested_by: request.requested_by,
        reason: request.reason,
    })
}

fn log_kind(kind: WireKind) -> Option<LogKind> {
    match kind {
        WireKind::Unspecified => None,
        WireKind::Containers => Some(LogKind::Containers),
        WireKind::RawEvents => Some(LogKind::RawEvents),
        WireKind::EventLogs => Some(LogKind::EventLogs),
    }
}

fn words(violations: &mut Violations, field: &str, text: &str, most_bytes: usize) {
    violations.non_empty(field, text);
    violations.max_length(field, text, most_bytes);
    if text.chars().any(char::is_control) {
        violations.add(field, "must not have control characters");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "m01hf7yat00v2t9d4h5w8k3e6qz";

    fn fields<T: std::fmt::Debug>(parsed: Result<T, PublicError>) -> Vec<String> {
        let violations = parsed.unwrap_err().violations.into_iter();
        violations.map(|violation| violation.field).collect()
    }

    #[test]
    fn every_field_at_fault_is_named() {
        assert_eq!(
            fields(hold(SetLegalHoldRequest::default())),
            ["application_id", "changed_by", "reason"]
        );
        let request = DeleteLogsRequest {
            application_id: ID.to_owned(),
            kinds: vec![1, 0, 9],
            requested_by: "a\nb".to_owned(),
            reason: String::new(),
        };
        assert_eq!(
            fields(deletion(request)),
            ["kinds[1]", "kinds[2]", "requested_by", "reason"]
        );
    }

    #[test]
    fn limits_hold_at_their_ends() {
        for (name_bytes, reason_bytes, accepted) in [
            (1, 1, true),
            (200, 1_000, true),
            (201, 1, false),
            (1, 1_001, false),
        ] {
            let (name, reason) = ("n".repeat(name_bytes), "r".repeat(reason_bytes));
            let request = SetLegalHoldRequest {
                application_id: ID.to_owned(),
                held: true,
                changed_by: name.clone(),
                reason: reason.clone(),
            };
            assert_eq!(hold(request).is_ok(), accepted);
            let request = DeleteLogsRequest {
                application_id: ID.to_owned(),
                kinds: Vec::new(),
                requested_by: name,
                reason,
            };
            let parsed = deletion(request);
            assert_eq!(parsed.is_ok(), accepted);
            assert!(parsed.is_err() || parsed.unwrap().kinds == LogKind::ALL);
        }
    }
}
