//! What a search is asked for, on any lines: a pattern is refused, or finds the first line that it
//! finds when each is looked at by itself; and no record whose line matches is screened out.

#![no_main]

use libfuzzer_sys::fuzz_target;
use log_broker_domain::domain::{
    cri::CriLine,
    pattern::{MAX_PATTERN_BYTES, Pattern, PatternError},
    stream::StreamKind,
};

/// Most lines are the runtime's.
const BEGINNINGS: [&str; 4] = [
    "",
    "2026-11-21T03:00:00Z stdout F ",
    "2026-11-21T03:00:00Z stderr P ",
    "2026-11-21T03:00:00Z stdout",
];

fuzz_target!(|bytes: &[u8]| {
    let [flags, rest @ ..] = bytes else {
        return;
    };
    // The first line is the pattern.
    let mut lines = rest.split(|byte| *byte == b'\n');
    let pattern = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let ignore_case = flags & 1 == 1;
    let parsed = match flags & 2 {
        0 => Pattern::literal(&pattern, ignore_case),
        _ => Pattern::regex(&pattern, ignore_case),
    };
    let text = text_of(lines);
    match parsed {
        Ok(pattern) => check(&pattern, &text),
        Err(PatternError::Empty) => assert!(pattern.is_empty()),
        Err(PatternError::TooLong(length)) => assert!(length > MAX_PATTERN_BYTES),
        Err(_other) => {}
    }
});

/// The lines' first bytes say what the runtime put in front of them.
fn text_of<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut text = Vec::new();
    for line in lines {
        let (beginning, rest) = line.split_first().unwrap_or((&0, &[]));
        let beginning = BEGINNINGS[usize::from(*beginning) % BEGINNINGS.len()];
        text.extend_from_slice(beginning.as_bytes());
        text.extend_from_slice(rest);
        text.push(b'\n');
    }
    text
}

fn check(pattern: &Pattern, text: &[u8]) {
    for kind in [StreamKind::Container, StreamKind::EventLog] {
        let mut start = 0;
        let mut expected = None;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let written = written(kind, &line[..line.len() - 1]);
            if pattern.matches(written) {
                expected = expected.or(Some(start));
                check_screen(pattern, written);
            }
            start += line.len();
        }
        assert_eq!(pattern.first_match(kind, text), expected, "{kind:?}");
    }
}

fn written(kind: StreamKind, line: &[u8]) -> &[u8] {
    match kind {
        StreamKind::Container => CriLine::parse(line).map_or(line, |cri| cri.text),
        StreamKind::EventLog => line,
    }
}

fn check_screen(pattern: &Pattern, line: &[u8]) {
    let (Some(screen), Ok(line)) = (pattern.screen(), std::str::from_utf8(line)) else {
        return;
    };
    let record = serde_json::json!({"path": "/a", "offset": 0, "log": line}).to_string();
    assert!(screen.may_hold(record.as_bytes()), "{record}");
}
