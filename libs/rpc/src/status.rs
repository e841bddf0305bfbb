//! Errors on the wire: gRPC code, `google.rpc.ErrorInfo`, `BadRequest` and `RetryInfo`.

use std::collections::HashMap;

use moka_core::{ErrorReason, FieldViolation, PublicError, reason::ErrorCode};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// `ErrorInfo.domain` of all our errors.
pub const DOMAIN: &str = "moka";

/// The status that tells a caller about `error`.
pub fn status_of(error: &PublicError) -> Status {
    let mut details = ErrorDetails::new();
    details.set_error_info(error.reason.as_str(), DOMAIN, HashMap::new());
    for violation in &error.violations {
        details.add_bad_request_violation(&violation.field, &violation.description);
    }
    if error.retry_after.is_some() {
        details.set_retry_info(error.retry_after);
    }
    Status::with_error_details(code_of(error.reason.code()), &error.message, details)
}

/// The error that a peer's `status` tells about. A status that carries no reason of ours, because a
/// proxy or the transport made it, gets the nearest one.
pub fn error_of(status: &Status) -> PublicError {
    let details = status.get_error_details();
    let named = details
        .error_info()
        .filter(|info| info.domain == DOMAIN)
        .and_then(|info| {
            ErrorReason::ALL
                .iter()
                .copied()
                .find(|reason| reason.as_str() == info.reason)
        });
    let violations = details
        .bad_request()
        .map(|request| &request.field_violations);
    PublicError {
        reason: named.unwrap_or_else(|| nearest_reason(status.code())),
        message: status.message().to_owned(),
        violations: violations
            .into_iter()
            .flatten()
            .map(|violation| FieldViolation {
                field: violation.field.clone(),
                description: violation.description.clone(),
            })
            .collect(),
        retry_after: details.retry_info().and_then(|info| info.retry_delay),
    }
}

/// The gRPC code of a kind of error.
pub fn code_of(code: ErrorCode) -> Code {
    match code {
        ErrorCode::InvalidArgument => Code::InvalidArgument,
        ErrorCode::NotFound => Code::NotFound,
        ErrorCode::AlreadyExists => Code::AlreadyExists,
        ErrorCode::FailedPrecondition => Code::FailedPrecondition,
        ErrorCode::OutOfRange => Code::OutOfRange,
        ErrorCode::ResourceExhausted => Code::ResourceExhausted,
        ErrorCode::Unavailable => Code::Unavailable,
        ErrorCode::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorCode::Aborted => Code::Aborted,
        ErrorCode::Internal => Code::Internal,
    }
}

/// The code's name as the gRPC specification writes it.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Only codes that the transport itself gives have a reason of their own: a peer that answers
/// always names its reason.
fn nearest_reason(code: Code) -> ErrorReason {
    match code {
        Code::Unavailable | Code::Cancelled => ErrorReason::PeerUnavailable,
        Code::DeadlineExceeded => ErrorReason::DeadlineExceeded,
        Code::ResourceExhausted => ErrorReason::Overloaded,
        _ => ErrorReason::Internal,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use moka_proto::common::v1::ErrorReason as ProtoReason;

    use super::*;

    #[test]
    fn error_comes_back_whole() {
        for reason in ErrorReason::ALL {
            let error = PublicError::new(*reason, "what happened")
                .with_field("spec.driver.memory_bytes", "at most 64 GiB")
                .retry_after(Duration::from_millis(1500));
            assert_eq!(error_of(&status_of(&error)), error);
            let bare = PublicError::new(*reason, "");
            assert_eq!(error_of(&status_of(&bare)), bare);
        }
    }

    #[test]
    fn foreign_status_gets_the_nearest_reason() {
        for (code, reason) in [
            (Code::Unavailable, ErrorReason::PeerUnavailable),
            (Code::DeadlineExceeded, ErrorReason::DeadlineExceeded),
            (Code::NotFound, ErrorReason::Internal),
        ] {
            assert_eq!(error_of(&Status::new(code, "from a proxy")).reason, reason);
        }
    }

    #[test]
    fn reasons_are_those_of_the_proto() {
        let ours: Vec<_> = ErrorReason::ALL
            .iter()
            .map(|reason| format!("ERROR_REASON_{}", reason.as_str()))
            .collect();
        let theirs: Vec<_> = (1..)
            .map_while(|number| ProtoReason::try_from(number).ok())
            .map(|reason| reason.as_str_name().to_owned())
            .collect();
        assert_eq!(ours, theirs);
    }
}
