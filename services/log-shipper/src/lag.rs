//! How long the oldest byte has waited.

use tokio::time::Instant;

/// Remembers one length of the file and when it was seen, until everything up to it is shipped.
#[derive(Debug, Default)]
pub struct LagClock {
    mark: Option<(Instant, u64)>,
}

impl LagClock {
    /// Since when the byte at the offset has been there, as far as was seen: not later than its
    /// first sighting, and at most one mark earlier.
    pub fn look(&mut self, now: Instant, offset_bytes: u64, size_bytes: u64) -> Option<Instant> {
        let is_behind = |(_, until_bytes): &(Instant, u64)| offset_bytes < *until_bytes;
        self.mark = self
            .mark
            .filter(is_behind)
            .or_else(|| (size_bytes > offset_bytes).then_some((now, size_bytes)));
        self.mark.map(|(since, _)| since)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn file_that_always_grows_is_as_late_as_its_oldest_byte() {
        let start = Instant::now();
        let mut clock = LagClock::default();
        for (second, offset_bytes, size_bytes, since) in [
            (0, 10, 10, None),
            (1, 10, 20, Some(1)),
            (2, 10, 30, Some(1)),
            (3, 20, 40, Some(3)),
            (4, 30, 50, Some(3)),
            (5, 50, 50, None),
            // Rewritten, and short.
            (6, 0, 5, Some(6)),
        ] {
            let at = |second| start + Duration::from_secs(second);
            let looked = clock.look(at(second), offset_bytes, size_bytes);
            assert_eq!(looked, since.map(at), "second {second}");
        }
    }
}
