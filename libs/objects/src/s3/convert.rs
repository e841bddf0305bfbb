//! The SDK's types as ours.

use aws_sdk_s3::primitives::DateTime;
use jiff::Timestamp;

use crate::ETag;

/// The first text behind everything below `prefix`, which ends with `/`: servers differ in whether
/// a common prefix comes again when `start-after` is itself.
pub(super) fn past(prefix: &str) -> String {
    match prefix.strip_suffix('/') {
        Some(stem) => format!("{stem}0"),
        None => prefix.to_owned(),
    }
}

/// `bytes 0-9/1234` → 1234.
pub(super) fn whole_size(content_range: &str) -> Option<u64> {
    content_range.rsplit_once('/')?.1.parse().ok()
}

pub(super) fn size(length: Option<i64>) -> u64 {
    length
        .and_then(|length| u64::try_from(length).ok())
        .unwrap_or_default()
}

pub(super) fn etag(tag: Option<String>) -> ETag {
    ETag::new(tag.unwrap_or_default())
}

pub(super) fn modified(time: Option<DateTime>) -> Timestamp {
    time.and_then(|time| Timestamp::from_nanosecond(time.as_nanos()).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_tell_the_whole_size() {
        assert_eq!(whole_size("bytes 0-9/1234"), Some(1234));
        assert_eq!(whole_size("bytes 0-9/*"), None);
    }

    #[test]
    fn nothing_lies_between_a_directory_and_what_is_past_it() {
        let past = past("a/");
        assert!(past.as_str() > "a/\u{10ffff}" && past.as_str() <= "a0");
    }
}
