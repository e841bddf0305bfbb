//! A clock that does not believe a sudden jump forward.

use jiff::{SignedDuration, Timestamp};

/// A jump of less than this is none.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);
/// How long a clock has to say the same after it jumped.
const PROBATION: SignedDuration = SignedDuration::from_mins(5);

/// The time by which deadlines pass. When the system's clock is set forward, it goes on at its own
/// pace until the new time has stood for a while: a mistake that is corrected soon ends nobody's
/// work. A clock that is set back is believed at once, which only lets deadlines pass later.
#[derive(Debug, Clone, Copy)]
pub struct SteadyTime {
    time: Timestamp,
    doubted: SignedDuration,
}

impl SteadyTime {
    /// Begins with what the system's clock says.
    pub fn new(now: Timestamp) -> Self {
        Self {
            time: now,
            doubted: SignedDuration::ZERO,
        }
    }

    /// The time when `elapsed` has gone by, by a clock that cannot be set, and the system's clock
    /// says `now`.
    pub fn after(&mut self, elapsed: SignedDuration, now: Timestamp) -> Timestamp {
        let expected = self.time.saturating_add(elapsed).unwrap_or(now);
        let is_jump = now.duration_since(expected) > TOLERANCE;
        self.doubted = if is_jump {
            self.doubted.saturating_add(elapsed)
        } else {
            SignedDuration::ZERO
        };
        if is_jump && self.doubted < PROBATION {
            self.time = expected;
        } else {
            self.time = now;
            self.doubted = SignedDuration::ZERO;
        }
        self.time
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn seconds(count: i64) -> SignedDuration {
        SignedDuration::from_secs(count)
    }

    #[test]
    fn a_jump_forward_counts_after_a_while_and_a_short_one_never() {
        let mut time = SteadyTime::new(start());
        let hour = seconds(3600);
        let mut clock = start();
        for second in 1..=299 {
            clock += seconds(1);
            assert_eq!(
                time.after(seconds(1), clock + hour),
                start() + seconds(second)
            );
        }
        clock += seconds(1);
        assert_eq!(time.after(seconds(1), clock + hour), clock + hour);

        let mut time = SteadyTime::new(start());
        assert_eq!(time.after(seconds(1), start() + hour), start() + seconds(1));
        assert_eq!(
            time.after(seconds(1), start() + seconds(2)),
            start() + seconds(2)
        );
    }

    proptest! {
        #[test]
        fn it_is_never_ahead_of_the_clock_and_follows_one_that_runs_as_time_does(
            jumps in prop::collection::vec(-10_000_i64..10_000, 1..20),
        ) {
            let mut time = SteadyTime::new(start());
            let mut clock = start();
            for jump in jumps {
                clock = clock + seconds(1) + seconds(jump);
                let before = clock;
                prop_assert!(time.after(seconds(1), clock) <= before);
            }
            for _ in 0..301 {
                clock += seconds(1);
                time.after(seconds(1), clock);
            }
            prop_assert_eq!(time.after(SignedDuration::ZERO, clock), clock);
        }
    }
}
