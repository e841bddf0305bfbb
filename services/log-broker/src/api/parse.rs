//! Requests that cannot be wrong any more.

use moka_core::{ApplicationId, PublicError};
use moka_proto::logs::v1::{
    ContainerSource, EventLogSource, FollowLogRequest, LogStreamName, ReadLogRequest,
    log_stream_name,
};
use moka_rpc::Violations;

use crate::{
    archive::Limits,
    serving::{SourceRequest, StreamRequest},
};

const DEFAULT_LINES: i32 = 1_000;
const MAX_LINES: i32 = 10_000;
const MAX_TAIL_LINES: i32 = 100_000;
/// An answer ends after so much text.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// As long as a Kubernetes name or a file name can be.
const MAX_NAME_BYTES: usize = 255;

/// Where to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// At the last so many lines.
    Tail(usize),
    /// At a cursor; the empty one is the beginning.
    Cursor(String),
}

/// A request to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) stream: StreamRequest,
    pub(super) start: Start,
    pub(super) limits: Limits,
}

pub(super) fn read(request: ReadLogRequest) -> Result<Read, PublicError> {
    let mut violations = Violations::new();
    if request.maximum_lines < 0 {
        violations.add(
            "maximum_lines",
            format!("must be 0 to {MAX_LINES}; 0 means {DEFAULT_LINES}"),
        );
    }
    let lines = match request.maximum_lines {
        0 => DEFAULT_LINES,
        lines => lines.min(MAX_LINES),
    };
    let limits = Limits {
        lines: usize::try_from(lines).unwrap_or_default(),
        text_bytes: MAX_TEXT_BYTES,
    };
    let start = start(&mut violations, request.cursor, request.tail_lines);
    let stream = stream(violations, request.stream)?;
    Ok(Read {
        stream,
        start,
        limits,
    })
}

/// A request to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Follow {
    pub(super) stream: StreamRequest,
    pub(super) start: Start,
}

pub(super) fn follow(request: FollowLogRequest) -> Result<Follow, PublicError> {
    let mut violations = Violations::new();
    let start = start(&mut violations, request.cursor, request.tail_lines);
    Ok(Follow {
        stream: stream(violations, request.stream)?,
        start,
    })
}

pub(super) fn application_id(field: &str, text: &str) -> Result<ApplicationId, PublicError> {
    text.parse()
        .map_err(|error: moka_core::id::ParseApplicationIdError| {
            PublicError::invalid(Vec::new()).with_field(field, error.to_string())
        })
}

/// 0 is `None`.
pub(super) fn attempt_number(field: &str, number: i32) -> Result<Option<u32>, PublicError> {
    match u32::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_negative) => Err(PublicError::invalid(Vec::new()).with_field(
            field,
            "must be 0 or more; 0 means the last one that has logs",
        )),
    }
}

fn start(violations: &mut Violations, cursor: String, tail_lines: i32) -> Start {
    violations.range("tail_lines", &tail_lines, &(0..=MAX_TAIL_LINES));
    if tail_lines != 0 && !cursor.is_empty() {
        violations.add("tail_lines", "must be 0 together with a cursor");
    }
    match usize::try_from(tail_lines) {
        Ok(lines @ 1..) => Start::Tail(lines),
        _ => Start::Cursor(cursor),
    }
}

fn stream(
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

#[cfg(test)]
mod tests {
    use moka_core::ErrorReason;

    use super::*;

    const ID: &str = "m01hf7yat00v2t9d4h5w8k3e6qz";

    fn name(source: log_stream_name::Source) -> LogStreamName {
        LogStreamName {
            application_id: ID.to_owned(),
            attempt_number: 0,
            source: Some(source),
        }
    }

    fn driver() -> LogStreamName {
        name(log_stream_name::Source::Container(
            ContainerSource::default(),
        ))
    }

    fn fields(request: ReadLogRequest) -> Vec<String> {
        let error = read(request).unwrap_err();
        assert_eq!(error.reason, ErrorReason::InvalidField);
        error
            .violations
            .into_iter()
            .map(|violation| violation.field)
            .collect()
    }

    #[test]
    fn every_field_at_fault_is_named() {
        assert_eq!(fields(ReadLogRequest::default()), ["stream"]);
        let empty = Some(LogStreamName {
            attempt_number: -1,
            ..Default::default()
        });
        assert_eq!(
            fields(ReadLogRequest {
                stream: empty,
                maximum_lines: -1,
                tail_lines: 100_001,
                ..Default::default()
            }),
            [
                "maximum_lines",
                "tail_lines",
                "stream.application_id",
                "stream.attempt_number",
                "stream.source"
            ]
        );
        let both = ReadLogRequest {
            stream: Some(driver()),
            cursor: "c".to_owned(),
            tail_lines: 1,
            ..Default::default()
        };
        assert_eq!(fields(both), ["tail_lines"]);
        for file in ["../x", "..", "a\nb", &"x".repeat(256)] {
            let source = log_stream_name::Source::EventLog(EventLogSource {
                file: file.to_owned(),
            });
            let request = ReadLogRequest {
                stream: Some(name(source)),
                ..Default::default()
            };
            assert_eq!(fields(request), ["stream.event_log.file"], "{file}");
        }
    }

    #[test]
    fn limits_are_defaulted_and_cut() {
        for (asked, lines) in [(0, 1000), (1, 1), (10_001, 10_000)] {
            let request = ReadLogRequest {
                stream: Some(driver()),
                maximum_lines: asked,
                ..Default::default()
            };
            assert_eq!(read(request).unwrap().limits.lines, lines);
        }
    }
}
