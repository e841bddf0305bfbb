//! What a sample is called in the TSDB: names, tags and their limits.

mod characters;
mod spark;
mod tags;

use std::{fmt::Write, ops::Range};

pub use self::tags::{MAXIMUM_TAGS, ParseTagsError, StaticTags};
use self::{spark::Lifted, tags::Tags};
use super::{drop_reason::DropReason, exposition::Sample};

/// Longest line that OpenTSDB reads, its end included.
pub const MAXIMUM_LINE_BYTES: usize = 1024;
/// OpenTSDB takes a later time for milliseconds.
const MAXIMUM_SECONDS: i64 = 9_999_999_999;
/// What a line of Spark's takes, so that its text is seldom moved.
const USUAL_LINE_BYTES: usize = 192;
/// Up to here every whole number has a form of its own as a float.
const EXACT_WHOLE_NUMBERS: f64 = 9_007_199_254_740_992.0;

/// How samples are named. Everything that can be configured about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Tags of every line.
    pub static_tags: StaticTags,
    /// Labels that do not become tags.
    pub dropped_labels: Vec<String>,
    /// Values of `spark.metrics.namespace`, which stand in Spark's names where the id usually
    /// does.
    pub spark_namespaces: Vec<String>,
}

/// A line, of which it is known where the value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutLine {
    /// The whole line with its end.
    pub text: String,
    value: Range<usize>,
    /// Labels that did not become tags because there were too many.
    pub labels_over_budget: usize,
}

impl Policy {
    /// Names a sample that was scraped at `scrape_seconds`, as Unix time.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be written.
    pub fn apply(&self, sample: &Sample<'_>, scrape_seconds: i64) -> Result<PutLine, DropReason> {
        if !sample.value.is_finite() {
            return Err(DropReason::NotFinite);
        }
        let seconds = sample.timestamp_seconds.unwrap_or(scrape_seconds);
        if !(1..=MAXIMUM_SECONDS).contains(&seconds) {
            return Err(DropReason::Timestamp);
        }
        let lifted = Lifted::of(sample, &self.spark_namespaces);
        if lifted.written_twice {
            return Err(DropReason::Duplicate);
        }
        let mut text = String::with_capacity(USUAL_LINE_BYTES);
        text.extend(["put ", lifted.prefix]);
        characters::push_metric_name(&mut text, lifted.name);
        // Writing into a string never fails.
        let _ = write!(text, " {seconds} ");
        let value_start = text.len();
        push_value(&mut text, sample.value);
        let value = value_start..text.len();
        let tags = Tags::of(self, sample.labels, lifted.executor_id);
        tags.write_to(&mut text);
        text.push('\n');
        if text.len() > MAXIMUM_LINE_BYTES {
            return Err(DropReason::LineTooLong);
        }
        Ok(PutLine {
            text,
            value,
            labels_over_budget: tags.over_budget,
        })
    }
}

impl PutLine {
    /// What stands before and behind the value: the same for two samples of one series at one time.
    pub fn series_and_time(&self) -> (&str, &str) {
        (&self.text[..self.value.start], &self.text[self.value.end..])
    }
}

/// OpenTSDB takes a number without point and exponent for a 64-bit integer and everything else for
/// a float. Whole numbers that a float holds exactly are written as integers; Rust's debug form has
/// a point or an exponent for all others, and as few digits as read back the same.
fn push_value(text: &mut String, value: f64) {
    // Writing into a string never fails.
    let _ = if value.fract() == 0.0 && value.abs() <= EXACT_WHOLE_NUMBERS {
        write!(text, "{:.0}", value + 0.0)
    } else {
        write!(text, "{value:?}")
    };
}

#[cfg(test)]
mod tests;
