//! Repeating calls while that can help.

use std::{future::Future, time::Duration};

use moka_core::{
    PublicError,
    entropy::{Entropy as _, SystemEntropy},
    reason::ErrorCode,
};
use moka_rpc::{error_of, status::DOMAIN};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, Response, Status};

use crate::Options;

/// How calls are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long to go on in all; zero means one try.
    pub total: Duration,
    /// The pause after the first failure; it doubles.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            total: Duration::from_mins(1),
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(10),
        }
    }
}

impl Patience {
    /// The pause after failure number `failures`, counting from 0: up to a quarter more or less, so
    /// that clients that failed together do not come back together. When the service said how long
    /// to wait, not less than that.
    pub(crate) fn pause(&self, failures: u32, retry_after: Option<Duration>) -> Duration {
        let doubled = 2u32.saturating_pow(failures.min(20));
        let pause = self
            .first_pause
            .saturating_mul(doubled)
            .min(self.longest_pause);
        let mut byte = [0];
        SystemEntropy.fill(&mut byte);
        let jittered = pause.mul_f64(0.75 + f64::from(byte[0]) / 510.0);
        jittered.max(retry_after.unwrap_or_default())
    }
}

/// Calls until there is an answer, a refusal, or no patience left.
pub(crate) async fn repeatedly<T, C>(
    options: &Options,
    mut call: impl FnMut() -> C,
) -> Result<T, PublicError>
where
    C: Future<Output = Result<Response<T>, Status>>,
{
    let begun = Instant::now();
    let mut failures = 0;
    loop {
        let answered = timeout(options.deadline, call()).await;
        let status = match answered {
            Ok(Ok(answer)) => return Ok(answer.into_inner()),
            Ok(Err(status)) => status,
            Err(_elapsed) => {
                Status::deadline_exceeded(format!("no answer within {:?}", options.deadline))
            }
        };
        let error = error_of(&status);
        let pause = options.patience.pause(failures, error.retry_after);
        if !may_help(&status) || begun.elapsed() + pause > options.patience.total {
            return Err(error);
        }
        sleep(pause).await;
        failures += 1;
    }
}

/// Whether the same call may succeed later. What the transport itself says has no reason of ours.
pub(crate) fn may_help(status: &Status) -> bool {
    use tonic_types::StatusExt as _;
    let details = status.get_error_details();
    let is_ours = details
        .error_info()
        .is_some_and(|info| info.domain == DOMAIN);
    if is_ours {
        return matches!(
            error_of(status).reason.code(),
            ErrorCode::Unavailable | ErrorCode::ResourceExhausted | ErrorCode::DeadlineExceeded
        );
    }
    matches!(
        status.code(),
        Code::Unavailable
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
    )
}

#[cfg(test)]
mod tests {
    use moka_core::ErrorReason;
    use moka_rpc::status_of;

    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let ours = |reason| status_of(&PublicError::new(reason, ""));
        for (status, expected) in [
            (ours(ErrorReason::StoreUnavailable), true),
            (ours(ErrorReason::Overloaded), true),
            (ours(ErrorReason::DeadlineExceeded), true),
            (ours(ErrorReason::Internal), false),
            (ours(ErrorReason::InvalidField), false),
            (ours(ErrorReason::PredecessorLive), false),
            (Status::unavailable("connection refused"), true),
            (Status::unknown("h2 protocol error"), true),
            (Status::unimplemented("another service"), false),
            (Status::unauthenticated("who?"), false),
        ] {
            assert_eq!(may_help(&status), expected, "{status:?}");
        }
    }

    #[test]
    fn pauses_grow_to_their_limit_and_heed_the_service() {
        let patience = Patience::default();
        for failures in 0..100 {
            let pause = patience.pause(failures, None);
            assert!(pause >= patience.first_pause.mul_f64(0.75));
            assert!(pause <= patience.longest_pause.mul_f64(1.26));
        }
        let told = Duration::from_secs(30);
        assert_eq!(patience.pause(0, Some(told)), told);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_repeated_until_patience_ends() {
        let options = Options::default();
        let mut calls = 0;
        let answer = repeatedly::<(), _>(&options, || {
            calls += 1;
            async { Err(Status::unavailable("away")) }
        });
        let begun = Instant::now();
        let error = answer.await.unwrap_err();
        assert_eq!(error.reason, ErrorReason::PeerUnavailable);
        assert!(begun.elapsed() <= options.patience.total);
        assert!(calls > 5, "{calls}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_is_given_up_and_repeated() {
        let options = Options::default();
        let mut calls = 0;
        let answer = repeatedly(&options, || {
            calls += 1;
            let hangs = calls == 1;
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                Ok(Response::new(7))
            }
        });
        assert_eq!(answer.await, Ok(7));
        assert_eq!(calls, 2);
    }
}
