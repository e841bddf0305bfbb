//! Times and durations on the wire.

use std::time::Duration;

use jiff::Timestamp;

/// A time or duration outside what this side can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time is outside the years -9999 to 9999, or its nanoseconds are not below a second")]
pub struct OutOfRange;

const NANOSECONDS_PER_SECOND: i32 = 1_000_000_000;

/// The wire form of a time. Wire nanoseconds count forward from the second, before 1970 too.
pub fn to_proto(timestamp: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = (timestamp.as_second(), timestamp.subsec_nanosecond());
    if nanos < 0 {
        return prost_types::Timestamp {
            seconds: seconds - 1,
            nanos: nanos + NANOSECONDS_PER_SECOND,
        };
    }
    prost_types::Timestamp { seconds, nanos }
}

/// The time of a wire form.
///
/// # Errors
///
/// [`OutOfRange`] when the wire form is not a valid time.
pub fn from_proto(timestamp: &prost_types::Timestamp) -> Result<Timestamp, OutOfRange> {
    if !(0..NANOSECONDS_PER_SECOND).contains(&timestamp.nanos) {
        return Err(OutOfRange);
    }
    Timestamp::new(timestamp.seconds, timestamp.nanos).or(Err(OutOfRange))
}

/// The wire form of a duration.
///
/// # Errors
///
/// [`OutOfRange`] above 2^63 seconds.
pub fn duration_to_proto(duration: Duration) -> Result<prost_types::Duration, OutOfRange> {
    let seconds = i64::try_from(duration.as_secs()).or(Err(OutOfRange))?;
    let nanos = i32::try_from(duration.subsec_nanos()).or(Err(OutOfRange))?;
    Ok(prost_types::Duration { seconds, nanos })
}

/// The duration of a wire form.
///
/// # Errors
///
/// [`OutOfRange`] when it is negative or not normalized.
pub fn duration_from_proto(duration: &prost_types::Duration) -> Result<Duration, OutOfRange> {
    if !(0..NANOSECONDS_PER_SECOND).contains(&duration.nanos) {
        return Err(OutOfRange);
    }
    let seconds = u64::try_from(duration.seconds).or(Err(OutOfRange))?;
    let nanos = u32::try_from(duration.nanos).or(Err(OutOfRange))?;
    Ok(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_with_their_nanoseconds() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-11-21T03:21:36.123456789Z",
            "1969-12-31T23:59:59.999999999Z",
            "-009999-01-02T01:59:59.5Z",
            "9999-12-30T22:00:00Z",
        ] {
            let time: Timestamp = text.parse().unwrap();
            let wire = to_proto(time);
            assert!(wire.nanos >= 0, "{text}");
            assert_eq!(from_proto(&wire), Ok(time), "{text}");
        }
    }

    #[test]
    fn invalid_wire_times_are_refused() {
        for (seconds, nanos) in [(0, -1), (0, 1_000_000_000), (i64::MAX, 0), (i64::MIN, 0)] {
            assert_eq!(
                from_proto(&prost_types::Timestamp { seconds, nanos }),
                Err(OutOfRange)
            );
        }
    }

    #[test]
    fn durations_come_back() {
        for duration in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::new(u32::MAX.into(), 5),
        ] {
            let wire = duration_to_proto(duration).unwrap();
            assert_eq!(duration_from_proto(&wire), Ok(duration));
        }
        assert_eq!(duration_to_proto(Duration::MAX), Err(OutOfRange));
        let negative = prost_types::Duration {
            seconds: -1,
            nanos: 0,
        };
        assert_eq!(duration_from_proto(&negative), Err(OutOfRange));
    }
}
