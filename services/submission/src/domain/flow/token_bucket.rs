//! So many things a second, and a few at once.

use std::time::Duration;

/// A token bucket, kept as the time at which it would be full again.
#[derive(Debug, Clone, Default)]
pub struct TokenBucket {
    interval: Duration,
    burst: u32,
    full_at: Duration,
    held_until: Duration,
}

impl TokenBucket {
    /// Sets the rate. 0 a second means no limit; a burst of 0 means one second's worth. The tokens
    /// that are in the bucket stay.
    pub fn set_rate(&mut self, per_second: f64, burst: u32) {
        if per_second > 0.0 {
            self.interval = Duration::from_secs_f64((1.0 / per_second).min(3600.0));
            self.burst = match burst {
                0 => whole_tokens(per_second),
                burst => burst,
            };
        } else {
            self.interval = Duration::ZERO;
        }
    }

    /// Gives nothing before `until`, as a server asked.
    pub fn hold_until(&mut self, until: Duration) {
        self.held_until = self.held_until.max(until);
    }

    /// For how long it gives nothing because a server asked.
    pub fn held(&self, now: Duration) -> Duration {
        self.held_until.saturating_sub(now)
    }

    /// How long it takes until there is a token.
    pub fn wait(&self, now: Duration) -> Duration {
        let tolerated = self.interval * self.burst.saturating_sub(1);
        let at = self.full_at.saturating_sub(tolerated).max(self.held_until);
        at.saturating_sub(now)
    }

    /// Takes a token that will be there after the wait that is returned, unless that is longer than
    /// `longest`.
    pub fn take(&mut self, now: Duration, longest: Duration) -> Option<Duration> {
        let wait = self.wait(now);
        if wait > longest {
            return None;
        }
        self.full_at = self.full_at.max(now).saturating_add(self.interval);
        Some(wait)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and the rate is positive"
)]
fn whole_tokens(per_second: f64) -> u32 {
    (per_second.ceil() as u32).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn a_burst_goes_at_once_and_then_the_rate_holds() {
        let mut bucket = TokenBucket::default();
        bucket.set_rate(10.0, 3);
        let waits: Vec<_> = (0..5)
            .filter_map(|_| bucket.take(Duration::ZERO, LONG))
            .map(|wait| wait.as_millis())
            .collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
    }

    #[test]
    fn no_rate_is_no_limit() {
        let mut bucket = TokenBucket::default();
        bucket.set_rate(0.0, 0);
        for _ in 0..1000 {
            assert_eq!(bucket.take(Duration::ZERO, LONG), Some(Duration::ZERO));
        }
    }

    #[test]
    fn what_a_server_asked_for_is_kept_also_without_a_rate() {
        let mut bucket = TokenBucket::default();
        bucket.hold_until(Duration::from_secs(5));
        bucket.hold_until(Duration::from_secs(3));
        let second = Duration::from_secs(1);
        assert_eq!(bucket.take(second, second), None);
        assert_eq!(bucket.take(second, LONG), Some(Duration::from_secs(4)));
        assert_eq!(
            bucket.take(Duration::from_secs(5), LONG),
            Some(Duration::ZERO)
        );
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_rate(
            per_second in 1_u32..50,
            burst in 1_u32..20,
            pauses in prop::collection::vec(0_u64..300, 1..200),
        ) {
            let mut bucket = TokenBucket::default();
            bucket.set_rate(per_second.into(), burst);
            let mut now = Duration::ZERO;
            let mut given = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                if let Some(wait) = bucket.take(now, Duration::from_secs(1)) {
                    given.push(now + wait);
                }
            }
            for (index, from) in given.iter().enumerate() {
                let in_a_second = given[index..].iter().take_while(|at| **at < *from + Duration::from_secs(1)).count();
                prop_assert!(in_a_second <= (per_second + burst) as usize, "{in_a_second}");
            }
            prop_assert!(given.windows(2).all(|pair| pair[0] <= pair[1]));
        }

        #[test]
        fn a_wait_that_was_told_is_enough(
            per_second in 1_u32..50,
            burst in 0_u32..20,
            takes in 0_usize..60,
        ) {
            let mut bucket = TokenBucket::default();
            bucket.set_rate(per_second.into(), burst);
            for _ in 0..takes {
                bucket.take(Duration::ZERO, LONG);
            }
            let wait = bucket.wait(Duration::ZERO);
            prop_assert_eq!(bucket.take(wait, Duration::ZERO), Some(Duration::ZERO));
        }
    }
}
