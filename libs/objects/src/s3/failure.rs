//! What an S3 server's answers mean.

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::{Error, PutCondition, error::Cause};

/// What was tried, for the error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation<'a> {
    pub(super) name: &'static str,
    pub(super) subject: &'a str,
}

impl Operation<'_> {
    pub(super) fn unavailable(self, source: impl Into<Cause>) -> Error {
        let (operation, subject) = (self.name, self.subject.to_owned());
        Error::Unavailable {
            operation,
            subject,
            source: source.into(),
        }
    }

    pub(super) fn failed<E>(self, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let refused = matches!(error, SdkError::ConstructionFailure(_))
            || matches!(status(error), Some(400..=499) if !asks_to_come_back(error));
        let source = describe(error);
        if refused {
            let (operation, subject) = (self.name, self.subject.to_owned());
            Error::Refused {
                operation,
                subject,
                source,
            }
        } else {
            self.unavailable(source)
        }
    }
}

/// 409 on a conditional write means another one is under way; some servers say 400 for their
/// timeouts.
fn asks_to_come_back<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(status(error), Some(408 | 429))
        || matches!(
            error.code(),
            Some("ConditionalRequestConflict" | "OperationAborted" | "RequestTimeout" | "SlowDown")
        )
}

/// The object is not there. A missing bucket is another thing: set up wrongly.
pub(super) fn is_absent<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    status(error) == Some(404) && error.code() != Some("NoSuchBucket")
}

/// The range starts behind the object's end.
pub(super) fn is_past_end<E>(error: &SdkError<E, HttpResponse>) -> bool {
    status(error) == Some(416)
}

pub(super) fn is_own_bucket<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    error.code() == Some("BucketAlreadyOwnedByYou")
}

/// Whether the put's condition does not hold. S3 says 404 to a version that should replace nothing.
pub(super) fn precondition<E: ProvideErrorMetadata>(
    condition: &PutCondition,
    error: &SdkError<E, HttpResponse>,
) -> bool {
    match condition {
        PutCondition::Always => false,
        PutCondition::IfAbsent => status(error) == Some(412),
        PutCondition::IfMatch(_) => status(error) == Some(412) || is_absent(error),
    }
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error
        .raw_response()
        .map(|response| response.status().as_u16())
}

/// The server's own words where there are some, the chain of causes otherwise.
fn describe<E>(error: &SdkError<E, HttpResponse>) -> Cause
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let (Some(code), Some(message)) = (error.code(), error.message()) {
        return format!("{code}: {message}").into();
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.into()
}
