//! Times as Spark's REST API writes them.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Milliseconds since the epoch, written `2026-01-01T00:00:00.000GMT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SparkTime(pub i64);

const FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.3fGMT";
const PARSE_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.fGMT";

impl SparkTime {
    /// What Spark writes for a time that has not come.
    pub const NEVER: Self = Self(-1);

    /// The time; the nearest one that can be told when a log lies far outside of history.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }
}

impl fmt::Display for SparkTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp().strftime(FORMAT))
    }
}

impl Serialize for SparkTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SparkTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let civil =
            jiff::civil::DateTime::strptime(PARSE_FORMAT, &text).map_err(D::Error::custom)?;
        let zoned = civil.to_zoned(TimeZone::UTC).map_err(D::Error::custom)?;
        Ok(Self(zoned.timestamp().as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn written_form_reads_back(milliseconds in -1_i64..4_000_000_000_000) {
            let text = serde_json::to_string(&SparkTime(milliseconds)).unwrap();
            prop_assert_eq!(serde_json::from_str::<SparkTime>(&text).unwrap(), SparkTime(milliseconds));
        }

        #[test]
        fn any_number_is_written(milliseconds: i64) {
            prop_assert!(SparkTime(milliseconds).to_string().ends_with("GMT"));
        }
    }

    #[test]
    fn form_is_that_of_spark() {
        assert_eq!(
            SparkTime(1_795_182_475_499).to_string(),
            "2026-11-20T13:47:55.499GMT"
        );
        assert_eq!(
            SparkTime(1_795_182_475_000).to_string(),
            "2026-11-20T13:47:55.000GMT"
        );
        assert_eq!(SparkTime::NEVER.to_string(), "1969-12-31T23:59:59.999GMT");
    }
}
