//! Which stream a request names.

use moka_core::{ApplicationId, PublicError};
use moka_proto::logs::v1::{ContainerSource, EventLogSource, LogStreamName, log_stream_name};
use moka_rpc::Violations;

use crate::serving::{SourceRequest, StreamRequest};

/// As long as a Kubernetes name or a file name can be.
const MAX_NAME_BYTES: usize = 255;

pub(super) fn stream(
    mut violations: Violations,
    name: Option<LogStreamName>,
) -> Result<StreamRequest, PublicError> {
    let Some(name) = name else {
        violations.required::<()>("stream", None);
        violations.into_result()?;
        return Err(PublicError::invalid(Vec::new()));
    };
    let id = name.application_id.parse::<ApplicationId>();
    if let Err(error) = &id {
        violations.add("stream.application_id", error.to_string());
    }
    if name.attempt_number < 0 {
        violations.add(
            "stream.attempt_number",
            "must be 0 or more; 0 means the last one that has logs",
        );
    }
    if name.source.is_none() {
        violations.add("stream.source", "must be set: a container or an event log");
    }
    match &name.source {
        Some(log_stream_name::Source::Container(ContainerSource { pod, container })) => {
            segment(&mut violations, "stream.container.pod", pod);
            segment(&mut violations, "stream.container.container", container);
        }
        Some(log_stream_name::Source::EventLog(EventLogSource { file })) => {
            segment(&mut violations, "stream.event_log.file", file);
        }
        None => {}
    }
    violations.into_result()?;
    let (Ok(application_id), Some(source)) = (id, name.source) else {
        return Err(PublicError::invalid(Vec::new()));
    };
    Ok(StreamRequest {
        application_id,
        attempt_number: u32::try_from(name.attempt_number)
            .ok()
            .filter(|number| *number > 0),
        source: match source {
            log_stream_name::Source::Container(ContainerSource { pod, container }) => {
                SourceRequest::Container { pod, container }
            }
            log_stream_name::Source::EventLog(EventLogSource { file }) => {
                SourceRequest::EventLog { file }
            }
        },
    })
}

/// A name that can be one segment of a key, or empty.
fn segment(violations: &mut Violations, field: &str, text: &str) {
    violations.max_length(field, text, MAX_NAME_BYTES);
    if text.contains('/') || text.chars().any(char::is_control) || matches!(text, "." | "..") {
        violations.add(field, "must be a name without `/` and control characters");
    }
}
