//! Reads what Prometheus endpoints write: the text format 0.0.4 and `OpenMetrics` 1.0 text.
//!
//! Nothing is allocated for a sample: names and labels point into the answer. Types and help texts
//! are not needed for OpenTSDB, and Spark writes none, so they are skipped. A line that cannot be
//! read does not spoil the others.

mod labels;
mod sample;

pub use self::{labels::Labels, sample::Sample};

/// Which of the two formats it is: they differ in the unit of time, and in what may follow a
/// sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text format 0.0.4.
    Prometheus,
    /// `OpenMetrics` text format.
    OpenMetrics,
}

impl Format {
    /// The format that a `Content-Type` names. Whatever is not `OpenMetrics` is read as Prometheus
    /// text; Spark calls its own `text/plain`.
    pub fn of_content_type(content_type: &str) -> Self {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }
}

/// The line is no sample, comment or empty line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the line is no sample")]
pub struct Malformed;

/// The samples of an answer in their order, and the lines that are none.
pub fn samples(text: &[u8], format: Format) -> impl Iterator<Item = Result<Sample<'_>, Malformed>> {
    text.split(|byte| *byte == b'\n')
        .take_while(move |line| format == Format::Prometheus || *line != b"# EOF")
        .filter_map(move |line| match std::str::from_utf8(line) {
            Ok(line) => Sample::parse(line, format).transpose(),
            Err(_) => Some(Err(Malformed)),
        })
}

#[cfg(test)]
mod tests;
