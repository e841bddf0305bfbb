//! Finding the attempt that a request names.

use moka_core::{ErrorReason, PublicError};
use moka_rpc::Violations;

use crate::store::{AttemptRecord, LogState, Store};

/// Longest id that is looked up, in bytes: ours have 27, Spark's about 40.
pub(super) const LONGEST_ID_BYTES: usize = 255;

/// The attempt whose log has something to show.
pub(super) async fn find(
    store: &Store,
    application_id: &str,
    attempt_number: i32,
) -> Result<AttemptRecord, PublicError> {
    let mut violations = Violations::new();
    violations.non_empty("application_id", application_id);
    violations.max_length("application_id", application_id, LONGEST_ID_BYTES);
    violations.range("attempt_number", &attempt_number, &(0..=i32::MAX));
    violations.into_result()?;
    let number = attempt_number.unsigned_abs();
    let found = store
        .find_attempt(application_id, number)
        .await
        .map_err(failed)?;
    let Some(record) = found else {
        let message = match number {
            0 => format!("no application {application_id} is known"),
            number => format!("no attempt {number} of application {application_id} is known"),
        };
        return Err(PublicError::new(ErrorReason::HistoryNotFound, message));
    };
    if record.summary.application.start_time.is_some() {
        return Ok(record);
    }
    Err(PublicError::new(
        ErrorReason::HistoryNotFound,
        absence(&record),
    ))
}

/// Why there is nothing to show.
fn absence(record: &AttemptRecord) -> String {
    let attempt = format!(
        "attempt {} of application {}",
        record.key.attempt_number, record.key.application_id
    );
    match record.log_state {
        LogState::Refused => {
            format!(
                "the event log of {attempt} is not indexed: {}",
                record.log_problem
            )
        }
        LogState::Waiting if record.spark_application_id.is_empty() => {
            format!("{attempt} has no driver yet")
        }
        LogState::Waiting => format!("{attempt} has no event log yet"),
        LogState::Indexing | LogState::Settled => {
            format!("the event log of {attempt} does not tell of the application's start")
        }
    }
}

/// What a caller is told of a failing catalogue; the log is told the rest.
pub(super) fn failed(error: moka_db::Error) -> PublicError {
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    tracing::warn!(%error, cause, "reading the catalogue failed");
    error.into()
}
