//! How long to wait after a failure.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// The wait before the next try: doubles from half a second to thirty seconds, of which `random`
/// takes away up to a half, so that streams that failed together do not come back together.
pub fn backoff(failures_in_a_row: u32, random: u8) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures_in_a_row.saturating_sub(1).min(6));
    let full = doubled.min(LONGEST);
    full.saturating_sub(full * u32::from(random) / (2 * u32::from(u8::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_keep_at_least_half() {
        for (failures, random, milliseconds) in [
            (1, 0, 500),
            (1, 255, 250),
            (2, 0, 1_000),
            (6, 0, 16_000),
            (7, 0, 30_000),
            (u32::MAX, 0, 30_000),
            (u32::MAX, 255, 15_000),
        ] {
            assert_eq!(
                backoff(failures, random),
                Duration::from_millis(milliseconds),
                "{failures} failures"
            );
        }
    }
}
