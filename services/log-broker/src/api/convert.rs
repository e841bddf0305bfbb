//! Answers in their wire form.

mod retention;

use moka_proto::logs::v1::{
    Completeness, CompletenessVerdict, ContainerSource, DownloadLogResponse, EventLog,
    EventLogSource, EventLogState, FollowLogResponse, ListLogStreamsResponse, LogHit, LogLine,
    LogStream, LogStreamName, LostRange, OutputKind, ReadLogResponse, SearchLogResponse,
    log_stream_name,
};
use moka_rpc::{Page, timestamp::to_proto};

pub(super) use self::retention::{deleted_objects, retention};
use crate::{
    domain::{
        completeness,
        cri::Output,
        hits::Hit,
        lines::Line,
        manifest::AssemblyState,
        stream::{Source, StreamName},
    },
    serving::{Answer, EventLogView, Part, SearchAnswer, StreamView, page_key},
};

pub(super) fn read_answer(answer: Answer, stream: &StreamName) -> ReadLogResponse {
    ReadLogResponse {
        next_cursor: answer.next.encode(stream),
        lines: answer.lines.into_iter().map(line).collect(),
        at_end: answer.at_end,
        completeness: Some(completeness(&answer.completeness)),
    }
}

pub(super) fn follow_answer(answer: Answer, stream: &StreamName) -> FollowLogResponse {
    FollowLogResponse {
        next_cursor: answer.next.encode(stream),
        lines: answer.lines.into_iter().map(line).collect(),
        completeness: Some(completeness(&answer.completeness)),
    }
}

pub(super) fn download_part(part: Part, stream: &StreamName) -> DownloadLogResponse {
    let (data, next, found) = match part {
        Part::Bytes(bytes, next) => (bytes, next, None),
        Part::End(next, found) => (Vec::new(), next, Some(completeness(&found))),
    };
    DownloadLogResponse {
        data: data.into(),
        next_cursor: next.encode(stream),
        completeness: found,
    }
}

pub(super) fn search_answer(answer: SearchAnswer, page: &Page) -> SearchLogResponse {
    let next_page_token = answer.next.map(|next| page.token_after(&next));
    SearchLogResponse {
        hits: answer.hits.into_iter().map(hit).collect(),
        next_page_token: next_page_token.unwrap_or_default(),
        searched_bytes: signed(answer.searched_bytes),
        completeness: Some(completeness(&answer.completeness)),
    }
}

fn hit((stream, hit): (StreamName, Hit)) -> LogHit {
    LogHit {
        cursor: hit.start.encode(&stream),
        stream: Some(stream_name(&stream)),
        line: Some(line(hit.line)),
        before: hit.before.into_iter().map(line).collect(),
        after: hit.after.into_iter().map(line).collect(),
    }
}

pub(super) fn stream_list(
    streams: &[StreamView],
    more: bool,
    page: &Page,
) -> ListLogStreamsResponse {
    let next_page_token = match streams.last() {
        Some(last) if more => page.token_after(&page_key(&last.name)),
        _ => String::new(),
    };
    ListLogStreamsResponse {
        streams: streams.iter().map(stream).collect(),
        next_page_token,
    }
}

pub(super) fn event_log(view: EventLogView) -> EventLog {
    let EventLogView {
        checkpoint,
        updated,
    } = view;
    let manifest = checkpoint.manifest();
    let gaps = manifest.gaps.iter().map(|gap| {
        format!(
            "bytes {} to {} of the driver's file are missing",
            gap.start_offset_bytes, gap.end_offset_bytes
        )
    });
    let state = match manifest.state {
        AssemblyState::InProgress => EventLogState::InProgress,
        AssemblyState::Completed => EventLogState::Completed,
        AssemblyState::HeldBack => EventLogState::HeldBack,
    };
    EventLog {
        application_id: manifest.application_id.clone(),
        attempt_number: i32::try_from(manifest.attempt_number).unwrap_or(i32::MAX),
        spark_application_id: checkpoint.spark_application_id.clone().unwrap_or_default(),
        directory: checkpoint.keys().directory(),
        state: state.into(),
        chunk_count: i32::try_from(manifest.chunk_count).unwrap_or(i32::MAX),
        assembled_bytes: signed(manifest.assembled_bytes),
        synthetic_end: manifest.synthetic_end,
        gap_description: gaps.collect::<Vec<_>>().join("; "),
        update_time: Some(to_proto(updated)),
    }
}

fn stream(view: &StreamView) -> LogStream {
    LogStream {
        name: Some(stream_name(&view.name)),
        archived_bytes: signed(view.archived_bytes),
        first_time: view.first_time.map(to_proto),
        last_time: view.last_time.map(to_proto),
        live: view.live,
    }
}

fn stream_name(name: &StreamName) -> LogStreamName {
    let source = match name.source.clone() {
        Source::Container { pod, container } => {
            log_stream_name::Source::Container(ContainerSource { pod, container })
        }
        Source::EventLog { file } => log_stream_name::Source::EventLog(EventLogSource { file }),
    };
    LogStreamName {
        application_id: name.attempt.application_id.to_string(),
        attempt_number: i32::try_from(name.attempt.number).unwrap_or(i32::MAX),
        source: Some(source),
    }
}

fn line(line: Line) -> LogLine {
    let output = match line.output {
        None => OutputKind::Unspecified,
        Some(Output::Stdout) => OutputKind::Stdout,
        Some(Output::Stderr) => OutputKind::Stderr,
    };
    LogLine {
        text: line.text,
        time: line.time.map(to_proto),
        output: output.into(),
        unterminated: line.unterminated,
    }
}

fn completeness(found: &completeness::Completeness) -> Completeness {
    let verdict = match found.verdict {
        completeness::Verdict::Complete => CompletenessVerdict::Complete,
        completeness::Verdict::Truncated => CompletenessVerdict::Truncated,
        completeness::Verdict::Lost => CompletenessVerdict::Lost,
        completeness::Verdict::Open => CompletenessVerdict::Open,
    };
    let lost_ranges = found.gaps.iter().map(|gap| LostRange {
        path: gap.path.to_string(),
        start_offset_bytes: signed(gap.start_bytes),
        end_offset_bytes: signed(gap.end_bytes),
    });
    Completeness {
        verdict: verdict.into(),
        lost_ranges: lost_ranges.collect(),
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
