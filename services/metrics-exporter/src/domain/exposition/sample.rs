//! One line.

use super::{Format, Labels, Malformed};

/// One number of one series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// The metric's name, suffixes such as `_bucket` included.
    pub name: &'a str,
    /// The labels.
    pub labels: Labels<'a>,
    /// The number, which may be NaN or infinite.
    pub value: f64,
    /// When it was measured, as Unix time in whole seconds; `None` means at the time of the
    /// scrape.
    pub timestamp_seconds: Option<i64>,
}

const MILLISECONDS_PER_SECOND: i64 = 1000;

impl<'a> Sample<'a> {
    /// Reads a line without its end; `None` for comments and empty lines.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for everything else that is no sample.
    pub fn parse(line: &'a str, format: Format) -> Result<Option<Self>, Malformed> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let rest = line.trim_start_matches(is_blank);
        if rest.is_empty() || rest.starts_with('#') {
            return Ok(None);
        }
        let (name, rest) = split_name(rest)?;
        let rest = rest.trim_start_matches(is_blank);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => Labels::parse(rest)?,
            None => (Labels::default(), rest),
        };
        let (value, rest) = split_word(rest);
        let value = value.parse().or(Err(Malformed))?;
        let (timestamp, rest) = match split_word(rest) {
            ("", rest) => (None, rest),
            (word, _) if format == Format::OpenMetrics && word == "#" => (None, ""),
            (word, rest) => (Some(parse_timestamp(word, format)?), rest),
        };
        // What follows in OpenMetrics is an exemplar, for which OpenTSDB has no place.
        let exemplar =
            format == Format::OpenMetrics && rest.trim_start_matches(is_blank).starts_with('#');
        if !exemplar && !rest.trim_matches(is_blank).is_empty() {
            return Err(Malformed);
        }
        Ok(Some(Self {
            name,
            labels,
            value,
            timestamp_seconds: timestamp,
        }))
    }
}

pub(super) fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// The name is followed by labels or by a blank.
fn split_name(text: &str) -> Result<(&str, &str), Malformed> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = text.find(|c| !allowed(c)).ok_or(Malformed)?;
    let (name, rest) = text.split_at(end);
    let ended = rest.starts_with(|c| c == '{' || is_blank(c));
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !ended {
        return Err(Malformed);
    }
    Ok((name, rest))
}

/// The next word, blanks before it left out; empty at the end.
fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(is_blank);
    text.split_at(text.find(is_blank).unwrap_or(text.len()))
}

fn parse_timestamp(word: &str, format: Format) -> Result<i64, Malformed> {
    match format {
        Format::Prometheus => {
            let milliseconds: i64 = word.parse().or(Err(Malformed))?;
            Ok(milliseconds.div_euclid(MILLISECONDS_PER_SECOND))
        }
        Format::OpenMetrics => {
            let seconds: f64 = word.parse().or(Err(Malformed))?;
            if !seconds.is_finite() {
                return Err(Malformed);
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole seconds are wanted; it saturates"
            )]
            Ok(seconds.floor() as i64)
        }
    }
}
