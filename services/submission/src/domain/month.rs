//! Months, by which what happened is kept and forgotten.

use std::fmt;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// A month in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i16,
    month: i8,
}

impl Month {
    /// The month of a time.
    pub fn of(time: Timestamp) -> Self {
        let date = time.to_zoned(TimeZone::UTC).date();
        Self {
            year: date.year(),
            month: date.month(),
        }
    }

    /// The month after it.
    #[must_use]
    pub fn next(self) -> Self {
        match self.month {
            12 => Self {
                year: self.year + 1,
                month: 1,
            },
            month => Self {
                month: month + 1,
                ..self
            },
        }
    }

    /// Its first moment.
    pub fn begin(self) -> Timestamp {
        let first = Date::new(self.year, self.month, 1).map(|date| date.to_zoned(TimeZone::UTC));
        match first {
            Ok(Ok(first)) => first.timestamp(),
            // Beyond the calendar.
            Ok(Err(_)) | Err(_) => Timestamp::MAX,
        }
    }

    /// Reads what [`Month`] displays.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('_')?;
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        Date::new(year, month, 1).ok()?;
        Some(Self { year, month })
    }
}

/// As in the names of tables: `2026_11`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}_{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn months_follow_one_another_over_the_end_of_a_year() {
        let november = Month::of("2026-11-30T23:59:59.999999Z".parse().unwrap());
        assert_eq!(november.to_string(), "2026_11");
        let january = november.next().next();
        assert_eq!(january.to_string(), "2027_01");
        assert_eq!(january.begin(), "2027-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(Month::of(january.begin()), january);
    }

    proptest! {
        #[test]
        fn every_time_is_in_its_month(second in 0_i64..100_000_000_000) {
            let time = Timestamp::from_second(second).unwrap();
            let month = Month::of(time);
            prop_assert!(month.begin() <= time && time < month.next().begin());
            prop_assert_eq!(Month::parse(&month.to_string()), Some(month));
        }
    }

    #[test]
    fn other_names_are_no_months() {
        for text in ["", "default", "2026_13", "2026", "before_2026_11"] {
            assert_eq!(Month::parse(text), None, "{text}");
        }
    }
}
