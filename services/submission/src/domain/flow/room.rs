//! Whether a cluster has room for another attempt. What is counted is counted from time to time, so
//! what was placed since is added.

/// How much there may be in a cluster, and how much there is.
#[derive(Debug, Clone, Default)]
pub struct Room {
    most_live: Option<u32>,
    most_backlog: u32,
    live: u32,
    backlog: u32,
    placed_since_live: u32,
    placed_since_backlog: u32,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// As many attempts as may be are live.
    Live(u32),
    /// As many objects as may be wait for the operator.
    Backlog(u32),
}

impl Room {
    /// Sets the limits: 0 live attempts means no limit.
    pub fn set_limits(&mut self, most_live: u32, most_backlog: u32) {
        self.most_live = (most_live > 0).then_some(most_live);
        self.most_backlog = most_backlog;
    }

    /// What was placed until now; give it to [`Room::counted_live`] once a count that begins now is
    /// there.
    pub fn mark(&self) -> u32 {
        self.placed_since_live
    }

    /// `live` attempts were counted since `mark` was taken.
    pub fn counted_live(&mut self, live: u32, mark: u32) {
        self.live = live;
        self.placed_since_live = self.placed_since_live.saturating_sub(mark);
    }

    /// Whoever watches the cluster has counted anew what waits for the operator.
    pub fn counted_backlog(&mut self, backlog: u32) {
        self.backlog = backlog;
        self.placed_since_backlog = 0;
    }

    /// Live attempts.
    pub fn live(&self) -> u32 {
        self.live.saturating_add(self.placed_since_live)
    }

    /// Why there is no room; `None` when there is.
    pub fn full(&self) -> Option<Full> {
        if let Some(most) = self.most_live
            && self.live() >= most
        {
            return Some(Full::Live(most));
        }
        let backlog = self.backlog.saturating_add(self.placed_since_backlog);
        (backlog >= self.most_backlog).then_some(Full::Backlog(self.most_backlog))
    }

    /// An attempt was placed.
    pub fn placed(&mut self) {
        self.placed_since_live = self.placed_since_live.saturating_add(1);
        self.placed_since_backlog = self.placed_since_backlog.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_many_as_may_be_and_not_one_more() {
        let mut room = Room::default();
        room.set_limits(3, 100);
        room.counted_live(1, 0);
        for _ in 0..2 {
            assert_eq!(room.full(), None);
            room.placed();
        }
        assert_eq!(room.full(), Some(Full::Live(3)));
        room.set_limits(0, 2);
        assert_eq!(room.full(), Some(Full::Backlog(2)));
        room.counted_backlog(1);
        assert_eq!(room.full(), None);
    }

    #[test]
    fn what_is_placed_while_it_is_counted_is_not_forgotten() {
        let mut room = Room::default();
        room.set_limits(2, 100);
        let mark = room.mark();
        room.placed();
        room.counted_live(1, mark);
        assert_eq!(room.full(), Some(Full::Live(2)));
    }

    proptest! {
        #[test]
        fn one_replica_never_goes_beyond_its_limit(most in 1_u32..20, steps in prop::collection::vec(0_u8..3, 0..200)) {
            let mut room = Room::default();
            room.set_limits(most, u32::MAX);
            let mut live: u32 = 0;
            for step in steps {
                match step {
                    0 if room.full().is_none() => {
                        room.placed();
                        live += 1;
                    }
                    1 => live = live.saturating_sub(1),
                    _ => {
                        let mark = room.mark();
                        room.counted_live(live, mark);
                    }
                }
                prop_assert!(live <= most);
            }
        }
    }
}
