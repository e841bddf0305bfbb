//! From what a caller asks for to one stream of one attempt.

use std::collections::BTreeSet;

use moka_core::{
    ApplicationId, AttemptName, ErrorReason, PublicError,
    labels::{DRIVER_CONTAINER, EXECUTOR_CONTAINER},
};

use super::Serving;
use crate::{
    applications::{ApplicationView, AttemptView},
    domain::{
        retention::LogKind,
        stream::{Source, StreamKind, StreamName, original_path},
    },
    error::Error,
    retention::Retention,
};

/// A stream as a caller names it: parts may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRequest {
    /// The application.
    pub application_id: ApplicationId,
    /// The attempt; `None` for the last one that has logs.
    pub attempt_number: Option<u32>,
    /// Which stream.
    pub source: SourceRequest,
}

/// Which of an attempt's streams, as a caller names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceRequest {
    /// A container's output.
    Container {
        /// The pod; empty for the driver's.
        pod: String,
        /// The container; empty for the one that runs Spark.
        container: String,
    },
    /// An event log.
    EventLog {
        /// The file; empty for the only one.
        file: String,
    },
}

/// A stream and the attempt that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The stream.
    pub stream: StreamName,
    /// Its attempt.
    pub attempt: AttemptView,
}

impl Serving {
    /// The application, or `APPLICATION_NOT_FOUND`.
    ///
    /// # Errors
    ///
    /// Also when submission does not answer.
    pub async fn application(&self, id: ApplicationId) -> Result<ApplicationView, PublicError> {
        self.applications.get(id).await?.ok_or_else(|| {
            PublicError::new(
                ErrorReason::ApplicationNotFound,
                format!("no application has the id {id}"),
            )
        })
    }

    /// Finds the stream that a caller means. Whether it has lines is found out by reading.
    ///
    /// # Errors
    ///
    /// `APPLICATION_NOT_FOUND`, `LOG_STREAM_NOT_FOUND`, `LOGS_DELETED`, or `INVALID_FIELD` when
    /// more than one fits.
    pub async fn resolve(&self, request: StreamRequest) -> Result<Target, Error> {
        let application = self.application(request.application_id).await?;
        let attempt = self.attempt(application, request.attempt_number).await?;
        let source = match request.source {
            SourceRequest::Container { pod, container } => {
                container_source(attempt.name, pod, container)?
            }
            SourceRequest::EventLog { file } => {
                self.refuse_deleted(&attempt, LogKind::RawEvents).await?;
                self.event_log_source(attempt.name, file).await?
            }
        };
        if source.kind() == StreamKind::Container {
            self.refuse_deleted(&attempt, LogKind::Containers).await?;
        }
        Ok(Target {
            stream: StreamName {
                attempt: attempt.name,
                source,
            },
            attempt,
        })
    }

    /// Only of what has ended anything is deleted: followers of what runs cost no more reads.
    async fn refuse_deleted(&self, attempt: &AttemptView, kind: LogKind) -> Result<(), Error> {
        if attempt.ended.is_some() {
            let id = attempt.name.application_id;
            let record = self.retention.recent_record(id).await?;
            Retention::refuse_deleted(&record, kind)?;
        }
        Ok(())
    }

    pub(super) async fn attempt(
        &self,
        application: ApplicationView,
        number: Option<u32>,
    ) -> Result<AttemptView, Error> {
        let mut attempts = application.attempts;
        if let Some(number) = number {
            attempts.retain(|attempt| attempt.name.number == number);
        }
        for attempt in attempts.iter().rev() {
            if number.is_some() || self.has_logs(attempt.name).await? {
                return Ok(attempt.clone());
            }
        }
        // One that runs may be read from its cluster before anything is shipped.
        let last = attempts.pop();
        last.ok_or_else(|| not_found("the application has no such attempt").into())
    }

    async fn has_logs(&self, attempt: AttemptName) -> Result<bool, Error> {
        for prefix in [
            self.grammar.containers_prefix(attempt),
            self.grammar.events_prefix(attempt),
        ] {
            if !self
                .objects
                .store()
                .list(&prefix, None, 1)
                .await?
                .objects
                .is_empty()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn event_log_source(&self, attempt: AttemptName, file: String) -> Result<Source, Error> {
        if !file.is_empty() {
            return Ok(Source::EventLog {
                file: original_path(&file).to_owned(),
            });
        }
        let listed = self
            .objects
            .list(&self.grammar.events_prefix(attempt))
            .await?;
        let files: BTreeSet<_> = listed
            .iter()
            .filter_map(|object| self.grammar.source_of(attempt, object.key.as_str()))
            .collect();
        match files.len() {
            0 => Err(not_found("the attempt has shipped no event log").into()),
            1 => files
                .into_iter()
                .next()
                .ok_or_else(|| not_found("the attempt has no event log").into()),
            count => Err(PublicError::invalid(Vec::new())
                .with_field(
                    "stream.event_log.file",
                    format!("must be set: there are {count} files"),
                )
                .into()),
        }
    }
}

/// The stream does not exist.
pub(super) fn not_found(message: &str) -> PublicError {
    PublicError::new(ErrorReason::LogStreamNotFound, message)
}

fn container_source(
    attempt: AttemptName,
    pod: String,
    container: String,
) -> Result<Source, PublicError> {
    let pod = if pod.is_empty() {
        attempt.driver_pod()
    } else {
        pod
    };
    if AttemptName::of_pod(&pod) != Some(attempt) {
        return Err(not_found("the pod is none of the attempt's"));
    }
    let container = match container.as_str() {
        "" if pod == attempt.driver_pod() => DRIVER_CONTAINER.to_owned(),
        "" => EXECUTOR_CONTAINER.to_owned(),
        _ => container,
    };
    Ok(Source::Container { pod, container })
}
