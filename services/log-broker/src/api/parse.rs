//! Requests that cannot be wrong any more.

mod retention;
mod search;
mod stream;

use jiff::Timestamp;
use moka_core::{ApplicationId, PublicError};
use moka_proto::logs::v1::{
    DownloadEncoding, DownloadLogRequest, FollowLogRequest, LogStreamName, ReadLogRequest,
    log_stream_name,
};
use moka_rpc::{Violations, timestamp::from_proto};

use self::stream::stream;
pub(super) use self::{
    retention::{deletion, hold},
    search::{Search, search},
};
use crate::{
    archive::Limits,
    serving::{Encoding, StreamRequest},
};

const DEFAULT_LINES: i32 = 1_000;
const MAX_LINES: i32 = 10_000;
const MAX_TAIL_LINES: i32 = 100_000;
/// An answer ends after so much text.
const MAX_TEXT_BYTES: i64 = 1 << 20;

/// Where to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// At the last so many lines.
    Tail(usize),
    /// At a cursor; the empty one is the beginning.
    Cursor(String),
    /// At the first line of this time or later.
    Since(Timestamp),
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
    let lines = limit(
        &mut violations,
        "maximum_lines",
        request.maximum_lines.into(),
        DEFAULT_LINES.into(),
        MAX_LINES.into(),
    );
    let text_bytes = limit(
        &mut violations,
        "maximum_bytes",
        request.maximum_bytes,
        MAX_TEXT_BYTES,
        MAX_TEXT_BYTES,
    );
    let has_times = has_times(request.stream.as_ref());
    let since = time(&mut violations, "since", request.since, has_times);
    let until = time(&mut violations, "until", request.until, has_times);
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        violations.add("until", "must be after since");
    }
    if request.tail_lines != 0 && until.is_some() {
        violations.add("until", "must not be set together with tail_lines");
    }
    let start = start(&mut violations, request.cursor, request.tail_lines, since);
    let stream = stream(violations, request.stream)?;
    Ok(Read {
        stream,
        start,
        limits: Limits {
            lines,
            text_bytes,
            until,
        },
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
    let has_times = has_times(request.stream.as_ref());
    let since = time(&mut violations, "since", request.since, has_times);
    let start = start(&mut violations, request.cursor, request.tail_lines, since);
    Ok(Follow {
        stream: stream(violations, request.stream)?,
        start,
    })
}

/// A request to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetch {
    pub(super) stream: StreamRequest,
    pub(super) start: Start,
    pub(super) encoding: Encoding,
}

pub(super) fn download(request: DownloadLogRequest) -> Result<Fetch, PublicError> {
    let mut violations = Violations::new();
    let encoding = match DownloadEncoding::try_from(request.encoding) {
        Ok(DownloadEncoding::Unspecified) => Encoding::Plain,
        Ok(DownloadEncoding::Zstd) => Encoding::Zstd,
        Err(_unknown) => {
            violations.add("encoding", "must be one of DownloadEncoding");
            Encoding::Plain
        }
    };
    Ok(Fetch {
        stream: stream(violations, request.stream)?,
        start: Start::Cursor(request.cursor),
        encoding,
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

/// A limit that is cut to the largest one; 0 is the default.
fn limit(violations: &mut Violations, field: &str, asked: i64, default: i64, most: i64) -> usize {
    if asked < 0 {
        violations.add(field, format!("must be 0 to {most}; 0 means {default}"));
    }
    let limit = if asked == 0 { default } else { asked.min(most) };
    usize::try_from(limit).unwrap_or_default()
}

/// Whether the lines of the stream have times; what is not named is another violation's.
fn has_times(stream: Option<&LogStreamName>) -> bool {
    let source = stream.and_then(|stream| stream.source.as_ref());
    !matches!(source, Some(log_stream_name::Source::EventLog(_)))
}

fn time(
    violations: &mut Violations,
    field: &str,
    time: Option<prost_types::Timestamp>,
    has_times: bool,
) -> Option<Timestamp> {
    let time = time?;
    if !has_times {
        violations.add(
            field,
            "must not be set: the lines of an event log have no times of their own",
        );
    }
    let parsed = from_proto(&time);
    if let Err(error) = &parsed {
        violations.add(field, error.to_string());
    }
    parsed.ok()
}

fn start(
    violations: &mut Violations,
    cursor: String,
    tail_lines: i32,
    since: Option<Timestamp>,
) -> Start {
    violations.range("tail_lines", &tail_lines, &(0..=MAX_TAIL_LINES));
    if tail_lines != 0 && !cursor.is_empty() {
        violations.add("tail_lines", "must be 0 together with a cursor");
    }
    if since.is_some() && (tail_lines != 0 || !cursor.is_empty()) {
        violations.add(
            "since",
            "must not be set together with a cursor or tail_lines",
        );
    }
    match (usize::try_from(tail_lines), since) {
        (Ok(lines @ 1..), _) => Start::Tail(lines),
        (_, Some(since)) => Start::Since(since),
        _ => Start::Cursor(cursor),
    }
}

#[cfg(test)]
mod tests {
    use moka_core::ErrorReason;
    use moka_proto::logs::v1::{ContainerSource, EventLogSource};

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
                maximum_bytes: -1,
                tail_lines: 100_001,
                ..Default::default()
            }),
            [
                "maximum_lines",
                "maximum_bytes",
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
        for (asked, bytes) in [
            (0, 1_048_576),
            (1, 1),
            (1_048_576, 1_048_576),
            (1_048_577, 1_048_576),
        ] {
            let request = ReadLogRequest {
                stream: Some(driver()),
                maximum_bytes: asked,
                ..Default::default()
            };
            assert_eq!(read(request).unwrap().limits.text_bytes, bytes);
        }
        for (lines, expected) in [(100_000, Ok(Start::Tail(100_000))), (100_001, Err(()))] {
            let request = ReadLogRequest {
                stream: Some(driver()),
                tail_lines: lines,
                ..Default::default()
            };
            assert_eq!(read(request).map(|read| read.start).or(Err(())), expected);
        }
        for (length, expected) in [(255, true), (256, false)] {
            let file = "x".repeat(length);
            let request = ReadLogRequest {
                stream: Some(name(log_stream_name::Source::EventLog(EventLogSource {
                    file,
                }))),
                ..Default::default()
            };
            assert_eq!(read(request).is_ok(), expected);
        }
    }

    #[test]
    fn unknown_encoding_is_refused() {
        let request = DownloadLogRequest {
            stream: Some(driver()),
            encoding: 7,
            ..Default::default()
        };
        let error = download(request).unwrap_err();
        assert_eq!(error.violations[0].field, "encoding");
    }

    fn at(seconds: i64, nanos: i32) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos }
    }

    #[test]
    fn times_make_a_range_of_a_containers_log() {
        let request = ReadLogRequest {
            stream: Some(driver()),
            since: Some(at(5, 999_999_999)),
            until: Some(at(6, 0)),
            ..Default::default()
        };
        let parsed = read(request.clone()).unwrap();
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(
            parsed.start,
            Start::Since(time("1970-01-01T00:00:05.999999999Z"))
        );
        assert_eq!(parsed.limits.until, Some(time("1970-01-01T00:00:06Z")));
        let with_cursor = ReadLogRequest {
            since: None,
            cursor: "c".to_owned(),
            ..request.clone()
        };
        assert_eq!(
            read(with_cursor).unwrap().start,
            Start::Cursor("c".to_owned())
        );

        let event_log = name(log_stream_name::Source::EventLog(EventLogSource::default()));
        let wrong: [(ReadLogRequest, &[&str]); 5] = [
            (
                ReadLogRequest {
                    stream: Some(event_log),
                    ..request.clone()
                },
                &["since", "until"],
            ),
            (
                ReadLogRequest {
                    since: Some(at(6, 0)),
                    ..request.clone()
                },
                &["until"],
            ),
            (
                ReadLogRequest {
                    since: Some(at(0, -1)),
                    ..request.clone()
                },
                &["since"],
            ),
            (
                ReadLogRequest {
                    cursor: "c".to_owned(),
                    ..request.clone()
                },
                &["since"],
            ),
            (
                ReadLogRequest {
                    tail_lines: 1,
                    ..request
                },
                &["until", "since"],
            ),
        ];
        for (request, expected) in wrong {
            assert_eq!(fields(request), expected);
        }
    }
}
