//! How many calls at a time: fewer while a server is slow.

use std::time::Duration;

/// An answer that takes longer says that the server has too much to do.
const SLOW: Duration = Duration::from_secs(1);
/// Halving again sooner would only count the same jam twice.
const PAUSE: Duration = Duration::from_secs(1);

/// A limit that grows by one for each round of quick answers and halves on slow ones.
#[derive(Debug, Clone)]
pub struct Concurrency {
    limit: f64,
    most: u32,
    halved_at: Option<Duration>,
    under_way: u32,
}

impl Concurrency {
    /// Begins with the most.
    pub fn new(most: u32) -> Self {
        Self {
            limit: most.max(1).into(),
            most: most.max(1),
            halved_at: None,
            under_way: 0,
        }
    }

    /// How many calls may be under way.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the limit is between 1 and a count"
    )]
    pub fn limit(&self) -> u32 {
        self.limit as u32
    }

    /// Begins a call, if one more may be under way.
    pub fn enter(&mut self) -> bool {
        let enters = self.under_way < self.limit();
        if enters {
            self.under_way += 1;
        }
        enters
    }

    /// A call is over.
    pub fn leave(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// A call was answered after a while.
    pub fn answered(&mut self, now: Duration, took: Duration) {
        if took >= SLOW {
            self.overloaded(now);
        } else {
            self.limit = (self.limit + 1.0 / self.limit).min(self.most.into());
        }
    }

    /// The server is slow, or says that it has too much to do.
    pub fn overloaded(&mut self, now: Duration) {
        if self.halved_at.is_none_or(|at| now >= at + PAUSE) {
            self.halved_at = Some(now);
            self.limit = (self.limit / 2.0).max(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slow_answers_halve_it_once_a_second_and_quick_ones_give_it_back() {
        let mut concurrency = Concurrency::new(16);
        let at = Duration::from_millis;
        concurrency.answered(at(0), SLOW);
        concurrency.answered(at(500), SLOW);
        assert_eq!(concurrency.limit(), 8);
        concurrency.answered(at(1000), SLOW);
        assert_eq!(concurrency.limit(), 4);
        for _ in 0..200 {
            concurrency.answered(at(1000), at(5));
        }
        assert_eq!(concurrency.limit(), 16);
    }

    proptest! {
        #[test]
        fn it_stays_between_one_and_the_most(
            most in 0_u32..40,
            answers in prop::collection::vec((0_u64..3000, 0_u64..2000), 0..300),
        ) {
            let mut concurrency = Concurrency::new(most);
            let mut now = Duration::ZERO;
            for (pause, took) in answers {
                now += Duration::from_millis(pause);
                concurrency.answered(now, Duration::from_millis(took));
                prop_assert!((1..=most.max(1)).contains(&concurrency.limit()));
            }
        }

        #[test]
        fn never_more_than_the_limit_are_under_way(most in 1_u32..40, tries in 0_usize..100) {
            let mut concurrency = Concurrency::new(most);
            let entered = (0..tries).filter(|_| concurrency.enter()).count();
            prop_assert_eq!(entered, tries.min(most as usize));
            for _ in 0..entered {
                concurrency.leave();
            }
            prop_assert!(concurrency.enter());
        }
    }
}
