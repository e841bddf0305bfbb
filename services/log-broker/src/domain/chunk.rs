//! Chunks of an assembled event log and the names that Spark gives their parts.

use serde::de::IgnoredAny;

/// How the line begins that makes a log complete for a History Server.
const APPLICATION_END: &[u8] = br#"{"Event":"SparkListenerApplicationEnd""#;
const APPLICATION_START: &[u8] = br#"{"Event":"SparkListenerApplicationStart""#;

/// A Spark id as it stands in file names (`EventLogFileWriter.nameForAppAndAttempt`).
pub fn sanitised(spark_application_id: &str) -> String {
    let replaced = spark_application_id.chars().map(|c| match c {
        ' ' | ':' | '/' => '-',
        '.' | '$' | '{' | '}' | '\'' | '"' => '_',
        other => other,
    });
    replaced.collect::<String>().to_lowercase()
}

/// Where the parts of an assembled log are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLogKeys {
    name: String,
}

impl EventLogKeys {
    /// The parts of the log of a Spark application, which is also its file's name.
    pub fn new(file: &str) -> Self {
        Self {
            name: sanitised(file),
        }
    }

    /// `eventlogs/eventlog_v2_<id>`.
    pub fn directory(&self) -> String {
        format!("eventlogs/eventlog_v2_{}", self.name)
    }

    /// `…/events_<number>_<id>`.
    pub fn chunk(&self, number: u32) -> String {
        format!("{}/events_{number}_{}", self.directory(), self.name)
    }

    /// `…/appstatus_<id>.inprogress`.
    pub fn in_progress_marker(&self) -> String {
        format!("{}.inprogress", self.final_marker())
    }

    /// `…/appstatus_<id>`.
    pub fn final_marker(&self) -> String {
        format!("{}/appstatus_{}", self.directory(), self.name)
    }

    /// `…/moka_manifest.json`.
    pub fn manifest(&self) -> String {
        format!("{}/moka_manifest.json", self.directory())
    }
}

/// The line that stands for the one a killed driver did not write, byte for byte as Spark writes
/// it.
pub fn synthetic_end(end_milliseconds: i64) -> Vec<u8> {
    format!("{{\"Event\":\"SparkListenerApplicationEnd\",\"Timestamp\":{end_milliseconds}}}\n")
        .into_bytes()
}

/// Whether one of the lines says that the application ended.
pub fn has_application_end(lines: &[u8]) -> bool {
    line_with(lines, APPLICATION_END).is_some()
}

/// Spark's own id, when one of the lines tells it.
pub fn spark_application_id(lines: &[u8]) -> Option<String> {
    let line = line_with(lines, APPLICATION_START)?;
    let event: serde_json::Value = serde_json::from_slice(line).ok()?;
    Some(event.get("App ID")?.as_str()?.to_owned())
}

/// The first line that begins so, without its newline.
fn line_with<'a>(lines: &'a [u8], beginning: &[u8]) -> Option<&'a [u8]> {
    let is_start = |at: &usize| *at == 0 || lines[at - 1] == b'\n';
    let start = memchr::memmem::find_iter(lines, beginning).find(is_start)?;
    lines[start..].split(|byte| *byte == b'\n').next()
}

/// How many of the bytes, which start at a line, make the next chunk: whole lines, at most `limit`
/// bytes unless the first line alone is longer; nothing when no line is whole.
pub fn cut(bytes: &[u8], limit: usize) -> usize {
    let is_newline = |byte: &u8| *byte == b'\n';
    let within = bytes[..bytes.len().min(limit)].iter().rposition(is_newline);
    within
        .or_else(|| bytes.iter().position(is_newline))
        .map_or(0, |position| position + 1)
}

/// The bytes without a last line that a killed driver left torn: one that is no JSON. A History
/// Server forgives it in no log that counts as completed.
pub fn without_torn_line(bytes: &[u8]) -> &[u8] {
    let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let start = whole
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |position| position + 1);
    match serde_json::from_slice::<IgnoredAny>(&whole[start..]) {
        Ok(_) => bytes,
        Err(_torn) => &bytes[..start],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_those_of_spark() {
        assert_eq!(sanitised("App: 1/2.${x}'\""), "app--1-2___x___");
        let keys = EventLogKeys::new("spark-0A.1");
        assert_eq!(
            keys.chunk(3),
            "eventlogs/eventlog_v2_spark-0a_1/events_3_spark-0a_1"
        );
        assert_eq!(
            keys.in_progress_marker(),
            "eventlogs/eventlog_v2_spark-0a_1/appstatus_spark-0a_1.inprogress"
        );
    }

    #[test]
    fn synthetic_end_has_the_form_of_a_recorded_one() {
        assert_eq!(
            synthetic_end(1_795_177_201_764),
            b"{\"Event\":\"SparkListenerApplicationEnd\",\"Timestamp\":1795177201764}\n"
        );
        assert!(has_application_end(&synthetic_end(0)));
        assert!(has_application_end(&[b"{}\n", &*synthetic_end(0)].concat()));
        assert!(!has_application_end(&[b"{} ", &*synthetic_end(0)].concat()));
        assert!(!has_application_end(
            b"{\"a\":\"{\\\"Event\\\":\\\"SparkListenerApplicationEnd\\\"\"}\n"
        ));
    }

    #[test]
    fn torn_line_is_cut() {
        assert_eq!(without_torn_line(b"{\"a\":1}\n{\"b\":\n"), b"{\"a\":1}\n");
        assert_eq!(
            without_torn_line(b"{\"a\":1}\n{\"b\":2}\n"),
            b"{\"a\":1}\n{\"b\":2}\n"
        );
        assert_eq!(without_torn_line(b"{\"a\n"), b"");
        assert_eq!(without_torn_line(b""), b"");
    }

    #[test]
    fn id_is_read_from_the_start_event() {
        let lines = b"{\"Event\":\"SparkListenerLogStart\"}\n{\"Event\":\"SparkListenerApplicationStart\",\"App ID\":\"spark-1\"}\n";
        assert_eq!(spark_application_id(lines).as_deref(), Some("spark-1"));
        assert_eq!(spark_application_id(b"{}\n"), None);
    }

    proptest! {
        #[test]
        fn chunks_are_whole_lines_and_lose_nothing(text in "[a\n]{0,80}", limit in 1_usize..20) {
            let mut rest = text.as_bytes();
            let mut taken = Vec::new();
            while let length @ 1.. = cut(rest, limit) {
                let (chunk, after) = rest.split_at(length);
                prop_assert_eq!(chunk.last(), Some(&b'\n'));
                prop_assert!(chunk.len() <= limit || chunk[..chunk.len() - 1].iter().all(|byte| *byte != b'\n'));
                taken.extend_from_slice(chunk);
                rest = after;
            }
            prop_assert!(!rest.contains(&b'\n'));
            taken.extend_from_slice(rest);
            prop_assert_eq!(taken, text.into_bytes());
        }
    }
}
