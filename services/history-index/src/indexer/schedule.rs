//! When a log is looked at next.

use std::time::Duration;

use tokio::time::Instant;

/// A running application's log is looked at no less often than this many intervals.
const SLOWEST_LIVE_INTERVALS: u32 = 5;
/// The log of one that has ended, no less often than this.
const SLOWEST_ENDED: Duration = Duration::from_mins(5);

/// When, and how long the pause before that was.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Schedule {
    /// `None` is at once.
    next: Option<Instant>,
    pause: Duration,
    has_ended: bool,
}

impl Schedule {
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// An end that submission tells of is a reason to look at once.
    pub(super) fn note_end(&mut self, has_ended: bool) {
        if has_ended && !self.has_ended {
            self.at_once();
            self.has_ended = true;
        }
    }

    pub(super) fn at_once(&mut self) {
        self.next = None;
        self.pause = Duration::ZERO;
    }

    pub(super) fn moved(&mut self, now: Instant, interval: Duration) {
        self.pause = interval;
        self.next = Some(now + interval);
    }

    /// Pauses grow while nothing happens.
    pub(super) fn still(&mut self, now: Instant, interval: Duration, has_ended: bool) {
        let slowest = if has_ended {
            SLOWEST_ENDED.max(interval)
        } else {
            interval * SLOWEST_LIVE_INTERVALS
        };
        self.pause = (self.pause * 3 / 2).clamp(interval, slowest);
        self.next = Some(now + self.pause);
        self.has_ended = has_ended;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(3);

    #[test]
    fn pauses_grow_while_nothing_happens_and_shrink_when_something_does() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        assert!(schedule.is_due(now));
        for _ in 0..20 {
            schedule.still(now, INTERVAL, false);
        }
        assert_eq!(schedule.pause, INTERVAL * 5);
        assert!(!schedule.is_due(now + INTERVAL));
        schedule.moved(now, INTERVAL);
        assert!(schedule.is_due(now + INTERVAL));
        for _ in 0..20 {
            schedule.still(now, INTERVAL, true);
        }
        assert_eq!(schedule.pause, SLOWEST_ENDED);
    }

    #[test]
    fn the_end_of_an_application_is_looked_at_once() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        schedule.still(now, INTERVAL, false);
        schedule.note_end(false);
        assert!(!schedule.is_due(now));
        schedule.note_end(true);
        assert!(schedule.is_due(now));
        schedule.still(now, INTERVAL, true);
        schedule.note_end(true);
        assert!(!schedule.is_due(now));
    }
}
