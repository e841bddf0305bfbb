//! What callers are told.

use std::time::Duration;

use moka_core::{ErrorReason, PublicError};

use crate::{domain::placement::NoPlace, yunikorn};

/// When it makes sense to ask again: after the next readings of the queue trees.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The public form of a placement that was not found.
pub fn of_no_place(error: &NoPlace) -> PublicError {
    let (reason, waiting_helps) = match error {
        NoPlace::UnknownQueue(_) => (ErrorReason::UnknownQueue, false),
        NoPlace::GangTooLarge(_) => (ErrorReason::GangExceedsQueue, false),
        NoPlace::Closed(_) => (ErrorReason::NoClusterAvailable, true),
        NoPlace::Unanswered(_) => (ErrorReason::SchedulerUnavailable, true),
        NoPlace::NotYetRead(_) => (ErrorReason::QueueTreeUnknown, true),
    };
    let mut public = PublicError::new(reason, error.to_string());
    if matches!(error, NoPlace::UnknownQueue(_)) {
        public = public.with_field("request.queue", "must be a leaf queue of a cluster");
    }
    if waiting_helps {
        public.retry_after(RETRY_AFTER)
    } else {
        public
    }
}

/// What to say when the queues of no cluster are known: `failing` when YuniKorn was asked in vain.
pub fn of_unknown_trees(failing: bool) -> PublicError {
    let error = if failing {
        PublicError::new(
            ErrorReason::SchedulerUnavailable,
            "no scheduler has answered yet",
        )
    } else {
        PublicError::new(
            ErrorReason::QueueTreeUnknown,
            "no queue tree has been read yet",
        )
    };
    error.retry_after(RETRY_AFTER)
}

/// The public form of a question that YuniKorn did not answer; the details go to the log.
pub fn of_yunikorn(cluster: &str, error: yunikorn::Error) -> PublicError {
    let error = format!("{:#}", anyhow::Error::from(error));
    tracing::warn!(%cluster, error, "YuniKorn did not answer a question");
    let message = format!("the scheduler of cluster {cluster} does not answer");
    PublicError::new(ErrorReason::SchedulerUnavailable, message).retry_after(RETRY_AFTER)
}
