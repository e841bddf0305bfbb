//! The `grpc-timeout` header.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

/// When the handler of a call must have answered: an extension of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerBy(pub Instant);

const HEADER: &str = "grpc-timeout";
/// The specification allows eight digits.
const MAX_VALUE: u64 = 99_999_999;

/// The time that the caller gives; `None` when the header is missing or malformed.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(HEADER)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok().filter(|value| *value <= MAX_VALUE)?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// Gives the server `timeout`, at least a millisecond and at most what the header can say in
/// milliseconds, some 27 hours.
pub(crate) fn write(headers: &mut HeaderMap, timeout: Duration) {
    let milliseconds = timeout.as_millis().clamp(1, u128::from(MAX_VALUE));
    if let Ok(value) = HeaderValue::try_from(format!("{milliseconds}m")) {
        headers.insert(HEADER, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(HEADER),
            HeaderValue::from_static(value),
        )])
    }

    #[test]
    fn every_unit_is_read() {
        for (text, expected) in [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("100000000n", None),
            ("S", None),
            ("", None),
            ("+1S", None),
            ("1s", None),
            ("1", None),
        ] {
            assert_eq!(read(&headers(text)), expected, "{text}");
        }
    }

    #[test]
    fn written_timeout_is_read_back() {
        for (given, expected) in [
            (Duration::from_millis(1500), Duration::from_millis(1500)),
            (Duration::ZERO, Duration::from_millis(1)),
            (Duration::MAX, Duration::from_millis(99_999_999)),
        ] {
            let mut headers = HeaderMap::new();
            write(&mut headers, given);
            assert_eq!(read(&headers), Some(expected));
        }
    }
}
