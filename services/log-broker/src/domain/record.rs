//! One line of a raw object, as Fluent Bit or log-shipper wrote it.

mod reader;

use std::{borrow::Cow, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;

pub use self::reader::RecordReader;

/// One file as it was before it was rotated or written anew: what log-shipper calls
/// `<inode>-<birth_nanoseconds>`. Ordered by birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation {
    /// When the file was made, in nanoseconds since 1970.
    pub birth_nanoseconds: u64,
    /// The file's inode on its node.
    pub inode: u64,
}

/// The text is no generation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a generation is `<inode>-<birth_nanoseconds>`")]
pub struct ParseGenerationError;

impl FromStr for Generation {
    type Err = ParseGenerationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (inode, birth) = text.split_once('-').ok_or(ParseGenerationError)?;
        match (inode.parse(), birth.parse()) {
            (Ok(inode), Ok(birth_nanoseconds)) => Ok(Self {
                birth_nanoseconds,
                inode,
            }),
            _ => Err(ParseGenerationError),
        }
    }
}

/// No file is as long: an offset behind it is a lie, and could not be added to.
const MAX_OFFSET_BYTES: u64 = 1 << 62;

/// A line of a source file and where it stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord<'a> {
    /// Path of the file on its node.
    pub path: Cow<'a, str>,
    /// Byte offset of the line in its generation of the file.
    pub offset_bytes: u64,
    /// Which generation; `None` in Fluent Bit's records.
    pub generation: Option<Generation>,
    /// The line without its newline.
    pub line: Cow<'a, [u8]>,
    /// Whether no newline follows it in the file: the file ended, or the line goes on in the next
    /// record.
    pub torn: bool,
}

/// The bytes are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not a JSON object with the fields of a record.
    #[error("the line is no raw record")]
    Json(#[from] serde_json::Error),
    /// `log_base64` is damaged.
    #[error("the record's log_base64 is damaged")]
    Base64(#[from] base64::DecodeError),
    /// No file has such an offset.
    #[error("the record's offset is above {MAX_OFFSET_BYTES}")]
    Offset,
    /// Neither `log` nor `log_base64`.
    #[error("the record has no line")]
    NoLine,
}

/// The fields of a record that are read.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) struct Wire<'a> {
    #[serde(borrow)]
    pub(super) path: Cow<'a, str>,
    pub(super) offset: u64,
    #[serde(borrow, default)]
    pub(super) generation: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) log: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) log_base64: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) torn: bool,
}

impl<'a> RawRecord<'a> {
    /// Reads one line of a raw object. Fields that it does not know are ignored.
    ///
    /// # Errors
    ///
    /// [`RecordError`] when it is no record.
    pub fn parse(json: &'a [u8]) -> Result<Self, RecordError> {
        RecordReader::default().read(json)
    }

    fn of_wire(wire: Wire<'a>) -> Result<Self, RecordError> {
        let line = match (wire.log, wire.log_base64) {
            (Some(text), _) => bytes_of(text),
            (None, Some(encoded)) => Cow::Owned(STANDARD.decode(encoded.as_bytes())?),
            (None, None) => return Err(RecordError::NoLine),
        };
        Ok(Self {
            path: wire.path,
            offset_bytes: checked_offset(wire.offset)?,
            generation: wire.generation.and_then(|text| text.parse().ok()),
            line,
            torn: wire.torn,
        })
    }
}

fn checked_offset(offset_bytes: u64) -> Result<u64, RecordError> {
    if offset_bytes > MAX_OFFSET_BYTES {
        return Err(RecordError::Offset);
    }
    Ok(offset_bytes)
}

fn bytes_of(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_of_both_shippers_are_read() {
        let fluent_bit = br#"{"date":"2026-11-20T13:22:45.049303Z","path":"/var/log/a.log","offset":7,"log":"say \"hi\""}"#;
        let record = RawRecord::parse(fluent_bit).unwrap();
        assert_eq!((&*record.path, record.offset_bytes), ("/var/log/a.log", 7));
        assert_eq!(
            (&*record.line, record.generation),
            (&b"say \"hi\""[..], None)
        );

        let log_shipper = br#"{"path":"/a","offset":0,"date":1.5,"generation":"12-345","cluster":"local","log_base64":"/wA="}"#;
        let record = RawRecord::parse(log_shipper).unwrap();
        assert_eq!(&*record.line, [0xff, 0]);
        assert_eq!(
            record.generation,
            Some(Generation {
                birth_nanoseconds: 345,
                inode: 12
            })
        );
    }

    #[test]
    fn offset_at_the_limit_is_read_and_one_past_it_refused() {
        let at = |offset: u64| format!("{{\"path\":\"/a\",\"offset\":{offset},\"log\":\"x\"}}");
        let limit = at(4_611_686_018_427_387_904);
        let record = RawRecord::parse(limit.as_bytes()).unwrap();
        assert_eq!(record.offset_bytes, 1 << 62);
        let past = at(4_611_686_018_427_387_905);
        let error = RawRecord::parse(past.as_bytes()).unwrap_err();
        assert!(matches!(error, RecordError::Offset), "{error}");
    }

    #[test]
    fn damaged_records_are_refused() {
        for json in [
            &b"{\"path\":\"/a\",\"offset\":0,\"log\":\"torn"[..],
            b"{\"path\":\"/a\",\"offset\":0}",
            b"{\"path\":\"/a\",\"offset\":-1,\"log\":\"x\"}",
            b"{\"path\":\"/a\",\"offset\":4611686018427387905,\"log\":\"x\"}",
            b"{\"path\":\"/a\",\"offset\":0,\"log_base64\":\"*\"}",
            b"",
        ] {
            assert!(
                RawRecord::parse(json).is_err(),
                "{}",
                String::from_utf8_lossy(json)
            );
        }
    }

    proptest! {
        #[test]
        fn any_line_comes_back(line: String, offset in 0..=MAX_OFFSET_BYTES) {
            let json = serde_json::json!({"path": "/a", "offset": offset, "log": line}).to_string();
            let record = RawRecord::parse(json.as_bytes()).unwrap();
            prop_assert_eq!(&*record.line, line.as_bytes());
            prop_assert_eq!(record.offset_bytes, offset);
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes: Vec<u8>) {
            let _ = RawRecord::parse(&bytes);
        }
    }
}
