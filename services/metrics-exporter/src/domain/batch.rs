//! A whole answer of an endpoint at once.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    drop_reason::DropReason,
    exposition::{self, Format},
    mapping::Policy,
};

/// The lines of an answer, and what became of everything else in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Lines with their ends.
    pub lines: Vec<String>,
    /// Samples in the answer, the unreadable ones included.
    pub samples: u64,
    /// Samples that have no line, by reason.
    pub dropped: BTreeMap<DropReason, u64>,
    /// Labels that did not become tags because a line may only have so many.
    pub labels_over_budget: u64,
}

impl Batch {
    /// Reads an answer that was scraped at `scrape_seconds`, as Unix time.
    ///
    /// When the mapping makes one series of two, only the first sample of a scrape is sent: a
    /// series with two values at one time would show either, by chance.
    pub fn of(text: &[u8], format: Format, policy: &Policy, scrape_seconds: i64) -> Self {
        let mut batch = Self::default();
        let mut seen = HashSet::new();
        for sample in exposition::samples(text, format) {
            batch.samples += 1;
            let line = match sample {
                Ok(sample) => policy.apply(&sample, scrape_seconds),
                Err(_) => Err(DropReason::Malformed),
            };
            match line {
                Ok(line) if seen.insert(hash_of(line.series_and_time())) => {
                    batch.labels_over_budget += line.labels_over_budget as u64;
                    batch.lines.push(line.text);
                }
                Ok(_) => batch.count(DropReason::SeriesCollision),
                Err(reason) => batch.count(reason),
            }
        }
        batch
    }

    /// Whether the answer was something else than metrics. An empty answer may well be metrics.
    pub fn is_foreign(&self) -> bool {
        self.samples > 0 && self.dropped.get(&DropReason::Malformed) == Some(&self.samples)
    }

    fn count(&mut self, reason: DropReason) {
        *self.dropped.entry(reason).or_default() += 1;
    }
}

/// Eight bytes instead of the text: a collision among a million series is one in forty million.
fn hash_of(series_and_time: (&str, &str)) -> u64 {
    let mut hasher = DefaultHasher::new();
    series_and_time.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch(text: &str, policy: &Policy) -> Batch {
        Batch::of(text.as_bytes(), Format::Prometheus, policy, 1_700_000_000)
    }

    #[test]
    fn every_sample_is_sent_or_counted() {
        let policy = Policy {
            dropped_labels: vec!["pod".to_owned()],
            ..Policy::default()
        };
        let batch = batch(
            "# HELP a\na 1\na NaN\nb{pod=\"x\"} 1\nb{pod=\"y\"} 2\nc c\n",
            &policy,
        );
        assert_eq!(batch.samples, 5);
        assert_eq!(batch.lines.len(), 2);
        let expected = [
            (DropReason::Malformed, 1),
            (DropReason::NotFinite, 1),
            (DropReason::SeriesCollision, 1),
        ];
        assert_eq!(batch.dropped, BTreeMap::from(expected));
    }

    #[test]
    fn other_texts_than_metrics_are_told() {
        let is_foreign = |text| batch(text, &Policy::default()).is_foreign();
        assert!(is_foreign("<h3>Spark is starting up. Please wait.</h3>\n"));
        assert!(!is_foreign(""));
        assert!(!is_foreign("# nothing yet\n"));
        assert!(!is_foreign("a 1\nb\n"));
    }

    #[test]
    fn spark_endpoints_become_the_same_series_in_every_run() {
        let servlet = include_str!("../../../../tests/corpora/spark-metrics/spark-servlet.prom");
        let executors =
            include_str!("../../../../tests/corpora/spark-metrics/spark-executors.prom");
        let policy = Policy {
            dropped_labels: vec!["application_id".to_owned(), "application_name".to_owned()],
            ..Policy::default()
        };
        let batch = batch(&format!("{servlet}{executors}"), &policy);
        assert_eq!(batch.samples, 480);
        assert_eq!(
            batch.dropped.keys().collect::<Vec<_>>(),
            [&DropReason::Duplicate]
        );
        assert_eq!(batch.dropped[&DropReason::Duplicate], 124);
        assert_eq!(batch.lines.len(), 480 - 124);
        for line in &batch.lines {
            assert!(line.starts_with("put spark_"), "{line}");
            assert!(
                !line.contains("1795177836604") && !line.contains("prom"),
                "{line}"
            );
        }
        let other_run = batch_of_other_run(servlet, &policy);
        assert!(
            other_run
                .iter()
                .zip(&batch.lines)
                .all(|(other, line)| other == line)
        );
    }

    fn batch_of_other_run(servlet: &str, policy: &Policy) -> Vec<String> {
        let id = "spark_0123456789abcdef0123456789abcdef";
        batch(&servlet.replace("local_1795177836604", id), policy).lines
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_sent_or_counted(bytes: Vec<u8>) {
            let batch = Batch::of(&bytes, Format::OpenMetrics, &Policy::default(), 1);
            let dropped: u64 = batch.dropped.values().sum();
            prop_assert_eq!(batch.samples, batch.lines.len() as u64 + dropped);
        }
    }
}
