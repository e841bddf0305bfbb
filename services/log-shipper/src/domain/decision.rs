//! What to do with a file next.

use std::time::Duration;

/// What was just seen of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Its length.
    pub size_bytes: u64,
    /// Whether no directory names it any more. Its rest can be read for as long as it is open.
    pub unlinked: bool,
    /// Whether nothing more is expected: unlinked, or an event log past its retention.
    pub finished: bool,
    /// Whether the process is to stop.
    pub stopping: bool,
    /// Since when there have been bytes to ship.
    pub pending_for: Duration,
}

/// When a batch leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many bytes leave without waiting.
    pub batch_bytes: u64,
    /// Fewer leave after this time.
    pub flush_interval: Duration,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Nothing to do now.
    Wait,
    /// Ship complete lines from the offset on.
    Ship,
    /// Ship everything, the torn last line too.
    ShipRest,
    /// The file was cut off: what it holds now is another generation.
    StartOver,
    /// All of it is shipped, and there will be no more.
    Done,
}

/// Decides by the acknowledged offset and by `torn_until_bytes`: the length that the file had when
/// it was found to hold no complete line past the offset.
pub fn decide(
    observation: Observation,
    offset_bytes: u64,
    torn_until_bytes: Option<u64>,
    limits: Limits,
) -> Decision {
    let Observation {
        size_bytes,
        unlinked,
        finished,
        stopping,
        pending_for,
    } = observation;
    let Some(pending_bytes) = size_bytes.checked_sub(offset_bytes) else {
        return Decision::StartOver;
    };
    if pending_bytes == 0 {
        return if unlinked {
            Decision::Done
        } else {
            Decision::Wait
        };
    }
    if finished {
        return Decision::ShipRest;
    }
    if torn_until_bytes == Some(size_bytes) {
        return Decision::Wait;
    }
    if stopping || pending_bytes >= limits.batch_bytes || pending_for >= limits.flush_interval {
        return Decision::Ship;
    }
    Decision::Wait
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        batch_bytes: 100,
        flush_interval: Duration::from_secs(2),
    };
    #[test]
    fn bytes_leave_by_size_by_time_and_at_the_end() {
        // The flags: u(nlinked), f(inished), s(topping), l(ate).
        for (flags, size_bytes, offset_bytes, torn_until_bytes, expected) in [
            ("", 50, 50, None, Decision::Wait),
            ("", 50, 40, None, Decision::Wait),
            ("l", 50, 40, None, Decision::Ship),
            ("", 140, 40, None, Decision::Ship),
            ("s", 50, 40, None, Decision::Ship),
            ("s", 50, 40, Some(50), Decision::Wait),
            ("l", 50, 40, Some(50), Decision::Wait),
            ("l", 50, 40, Some(49), Decision::Ship),
            ("f", 50, 40, Some(50), Decision::ShipRest),
            ("f", 50, 50, None, Decision::Wait),
            ("uf", 50, 50, None, Decision::Done),
            ("", 50, 51, None, Decision::StartOver),
            ("uf", 50, 51, None, Decision::StartOver),
        ] {
            let observation = Observation {
                size_bytes,
                unlinked: flags.contains('u'),
                finished: flags.contains('f'),
                stopping: flags.contains('s'),
                pending_for: Duration::from_secs(if flags.contains('l') { 2 } else { 1 }),
            };
            assert_eq!(
                decide(observation, offset_bytes, torn_until_bytes, LIMITS),
                expected,
                "{observation:?} at {offset_bytes}, torn {torn_until_bytes:?}"
            );
        }
    }
}
