//! What an API server says about throttling in its head, which the client library leaves out: its
//! answer has no body that could be read.

use std::time::Duration;

use http::{Response, StatusCode, header::RETRY_AFTER};
use tower::BoxError;

/// The longest pause that is taken from a server: a nonsensical one must not stop us for good.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// The server asks to slow down.
#[derive(Debug, thiserror::Error)]
#[error("the API server asks to slow down")]
pub(crate) struct Throttled {
    /// How long to wait, when it says.
    pub(crate) retry_after: Option<Duration>,
}

/// Turns an answer with status 429 into an error that carries its `Retry-After`.
pub(crate) fn tell<B>(answer: Result<Response<B>, BoxError>) -> Result<Response<B>, BoxError> {
    match answer {
        Ok(answer) if answer.status() == StatusCode::TOO_MANY_REQUESTS => {
            let seconds = answer
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok());
            let retry_after =
                seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE));
            Err(Throttled { retry_after }.into())
        }
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn check(retry_after: Option<&str>, expected: Option<Duration>) {
        let mut response = Response::builder().status(StatusCode::TOO_MANY_REQUESTS);
        if let Some(value) = retry_after {
            response = response.header(RETRY_AFTER, value);
        }
        let error = tell(Ok(response.body(()).unwrap())).unwrap_err();
        let error = Error::from(kube::Error::Service(error));
        let Error::TooManyRequests { retry_after } = error else {
            panic!("{error:?}")
        };
        assert_eq!(retry_after, expected);
    }

    #[test]
    fn the_pause_that_a_server_asks_for_is_kept() {
        check(Some("7"), Some(Duration::from_secs(7)));
        check(Some("99999999"), Some(LONGEST_PAUSE));
        check(Some("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        check(None, None);
    }

    #[test]
    fn other_answers_pass() {
        let answer = Response::builder().status(503).body(()).unwrap();
        assert_eq!(tell(Ok(answer)).unwrap().status(), 503);
    }
}
