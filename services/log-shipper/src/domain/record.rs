//! Raw records, as `docs/raw-records.md` lays them down.

use std::io::{self, Write};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;

/// What the fields beside the line take, nearly always.
const FIELDS_BYTES: usize = 512;

/// What every record of a batch has in common.
#[derive(Debug, Clone, Copy)]
pub struct RecordWriter<'a> {
    /// When the batch was read, in RFC 3339.
    pub date: &'a str,
    /// The path that the file was written under.
    pub path: &'a str,
    /// The written form of the generation.
    pub generation: &'a str,
    /// The node's cluster.
    pub cluster: &'a str,
}

#[derive(Serialize)]
struct Record<'a> {
    date: &'a str,
    path: &'a str,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_base64: Option<String>,
    generation: &'a str,
    cluster: &'a str,
    /// Present only when no newline follows the line.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    torn: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_bytes: Option<u64>,
}

impl RecordWriter<'_> {
    /// Writes the record of one line, with a newline at its end.
    ///
    /// # Errors
    ///
    /// Those of `writer`.
    pub fn write(
        &self,
        writer: &mut impl Write,
        offset_bytes: u64,
        line: &[u8],
        torn: bool,
    ) -> io::Result<()> {
        let text = std::str::from_utf8(line).ok();
        let record = Record {
            date: self.date,
            path: self.path,
            offset: offset_bytes,
            log: text,
            log_base64: text.is_none().then(|| STANDARD.encode(line)),
            generation: self.generation,
            cluster: self.cluster,
            torn,
            lost_bytes: None,
        };
        write_line(writer, &record)
    }

    /// Writes the mark of a loss: a line of no bytes where what was lost ends. Readers find that
    /// what is in front of it is missing, as they would with any other line.
    ///
    /// # Errors
    ///
    /// Those of `writer`.
    pub fn write_loss(
        &self,
        writer: &mut impl Write,
        start_bytes: u64,
        lost_bytes: u64,
    ) -> io::Result<()> {
        let record = Record {
            date: self.date,
            path: self.path,
            offset: start_bytes + lost_bytes,
            log: Some(""),
            log_base64: None,
            generation: self.generation,
            cluster: self.cluster,
            torn: true,
            lost_bytes: Some(lost_bytes),
        };
        write_line(writer, &record)
    }
}

fn write_line(writer: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    // A compressor takes one large piece much faster than the many small ones of a serializer.
    let line_bytes = record.log.map_or(0, str::len);
    let mut json = Vec::with_capacity(line_bytes + line_bytes / 4 + FIELDS_BYTES);
    serde_json::to_writer(&mut json, record)?;
    json.push(b'\n');
    writer.write_all(&json)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const WRITER: RecordWriter<'_> = RecordWriter {
        date: "2026-11-21T03:04:05.678Z",
        path: "/var/log/pods/a_b_c/d/0.log",
        generation: "7-1000",
        cluster: "local",
    };

    fn written(offset_bytes: u64, line: &[u8], torn: bool) -> String {
        let mut bytes = Vec::new();
        WRITER.write(&mut bytes, offset_bytes, line, torn).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn record_is_one_line_of_json() {
        assert_eq!(
            written(58, b"a \"b\"\t\xc3\xbc", false),
            concat!(
                r#"{"date":"2026-11-21T03:04:05.678Z","path":"/var/log/pods/a_b_c/d/0.log","#,
                r#""offset":58,"log":"a \"b\"\tü","generation":"7-1000","cluster":"local"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn loss_is_an_empty_line_at_its_end() {
        let mut bytes = Vec::new();
        WRITER.write_loss(&mut bytes, 58, 42).unwrap();
        let record: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(record["offset"], 100);
        assert_eq!(
            (&record["log"], &record["torn"]),
            (&"".into(), &true.into())
        );
        assert_eq!(record["lost_bytes"], 42);
    }

    #[test]
    fn line_that_is_not_utf8_travels_as_base64() {
        let record: Value = serde_json::from_str(&written(0, b"\xff\xfe", true)).unwrap();
        assert_eq!(record["log_base64"], "//4=");
        assert_eq!(record.get("log"), None);
        assert_eq!(record["torn"], true);
    }

    proptest! {
        #[test]
        fn every_line_reads_back(offset: u64, line: Vec<u8>, torn: bool) {
            let text = written(offset, &line, torn);
            prop_assert_eq!(text.matches('\n').count(), 1);
            let record: Value = serde_json::from_str(&text).unwrap();
            let again = match record.get("log") {
                Some(log) => log.as_str().unwrap().as_bytes().to_vec(),
                None => STANDARD.decode(record["log_base64"].as_str().unwrap()).unwrap(),
            };
            prop_assert_eq!(again, line);
            prop_assert_eq!(record["offset"].as_u64(), Some(offset));
            prop_assert_eq!(record.get("torn").is_some(), torn);
        }
    }
}
