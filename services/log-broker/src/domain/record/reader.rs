//! Reads records one after another.

use std::borrow::Cow;

use super::{
    super::flat_json::{self, Places},
    Generation, RawRecord, RecordError, checked_offset,
};

/// Reads the records of an object one after another. Those of one file differ in their offsets and
/// lines only: what is around these is compared with the record before, and read anew where it is
/// another.
#[derive(Debug, Default)]
pub struct RecordReader<'a> {
    frame: Option<Frame<'a>>,
}

/// What a record has around its offset and its line.
#[derive(Debug)]
struct Frame<'a> {
    before_offset: &'a [u8],
    before_line: &'a [u8],
    after_line: &'a [u8],
    path: &'a str,
    generation: Option<Generation>,
    torn: bool,
}

impl<'a> RecordReader<'a> {
    /// Reads one line of a raw object, as [`RawRecord::parse`] does.
    ///
    /// # Errors
    ///
    /// [`RecordError`] when it is no record.
    pub fn read(&mut self, json: &'a [u8]) -> Result<RawRecord<'a>, RecordError> {
        let framed = self.frame.as_ref().and_then(|frame| frame.read(json));
        if let Some(record) = framed {
            return Ok(record);
        }
        let Some((wire, places)) = flat_json::wire(json) else {
            return RawRecord::of_wire(serde_json::from_slice(json)?);
        };
        let record = RawRecord::of_wire(wire)?;
        self.frame = places.and_then(|places| Frame::of(json, &places, &record));
        Ok(record)
    }
}

impl<'a> Frame<'a> {
    fn of(json: &'a [u8], places: &Places, record: &RawRecord<'a>) -> Option<Self> {
        let Cow::Borrowed(path) = record.path else {
            return None;
        };
        Some(Self {
            before_offset: &json[..places.offset.start],
            before_line: &json[places.offset.end..places.log.start],
            after_line: &json[places.log.end..],
            path,
            generation: record.generation,
            torn: record.torn,
        })
    }

    /// The record, when it has this frame.
    fn read(&self, json: &'a [u8]) -> Option<RawRecord<'a>> {
        let inner = json.strip_prefix(self.before_offset)?;
        let inner = inner.strip_suffix(self.after_line)?;
        let digits = inner.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, inner) = inner.split_at(digits.count());
        let line = flat_json::text_bytes(inner.strip_prefix(self.before_line)?)?;
        Some(RawRecord {
            path: Cow::Borrowed(self.path),
            offset_bytes: checked_offset(flat_json::integer(digits)?).ok()?,
            generation: self.generation,
            line,
            torn: self.torn,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINES: [&str; 6] = [
        "a line",
        "",
        r#"\"{\"a\":1}\n"#,
        r"\u001b[0m",
        "caf\u{e9}",
        r"\",
    ];

    #[test]
    fn record_of_the_frame_before_is_read_by_it() {
        let mut reader = RecordReader::default();
        let json = |offset: &str, line: &str| {
            format!(
                r#"{{"date":1,"path":"/a","offset":{offset},"log":"{line}","generation":"7-9"}}"#
            )
        };
        let (first, second) = (json("0", "one"), json("4", r"t\two"));
        reader.read(first.as_bytes()).unwrap();
        let frame = reader.frame.as_ref().unwrap();
        let record = frame.read(second.as_bytes()).unwrap();
        assert_eq!(record, RawRecord::parse(second.as_bytes()).unwrap());
        for (offset, line) in [
            ("04", "x"),
            ("", "x"),
            ("4", r"x\"),
            ("4", "x\"y"),
            ("4", "\t"),
        ] {
            let json = json(offset, line);
            assert_eq!(frame.read(json.as_bytes()), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn what_came_before_a_record_does_not_matter(
            records in prop::collection::vec(
                (0..2_u8, any::<u64>(), prop::sample::select(&LINES[..]), any::<bool>(), 0..3_u8),
                1..20,
            ),
            damaged in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let json = |&(path, offset, line, torn, order): &(u8, u64, &str, bool, u8)| match order {
                0 => format!(r#"{{"path":"/{path}","offset":{offset},"log":"{line}","torn":{torn}}}"#),
                1 => format!(r#"{{"log":"{line}","offset":{offset},"path":"/{path}"}}"#),
                _ => format!(r#"{{"path":"/\"{path}","offset":{offset},"log_base64":"eA==","log":"{line}"}}"#),
            };
            let mut all: Vec<Vec<u8>> = records.iter().map(|one| json(one).into_bytes()).collect();
            if let Some((record, position, byte)) = damaged {
                let record = record.index(all.len());
                let position = position.index(all[record].len());
                all[record][position] = byte;
            }
            let mut reader = RecordReader::default();
            for json in &all {
                let alone = RawRecord::parse(json);
                match reader.read(json) {
                    Ok(record) => prop_assert_eq!(record, alone.unwrap()),
                    Err(_) => prop_assert!(alone.is_err()),
                }
            }
        }
    }
}
