//! How long to wait before running a transaction again.

use std::time::Duration;

use moka_core::entropy::Entropy;

const FIRST_DELAY: Duration = Duration::from_millis(5);
const LONGEST_DELAY: Duration = Duration::from_millis(500);

/// A random share of an exponentially growing bound ("full jitter"), which spreads competing
/// transactions better than a fixed delay: <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>.
/// `attempt` counts from 1.
pub(crate) fn delay_after(attempt: u32, entropy: &dyn Entropy) -> Duration {
    let bound = FIRST_DELAY
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(LONGEST_DELAY);
    let mut random = [0; 4];
    entropy.fill(&mut random);
    bound.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use moka_core::entropy::SeededEntropy;

    use super::*;

    #[test]
    fn delays_stay_below_their_bound() {
        let entropy = SeededEntropy::new(7);
        for attempt in 1..100 {
            let delay = delay_after(attempt, &entropy);
            assert!(delay <= LONGEST_DELAY, "{delay:?} after attempt {attempt}");
        }
        assert!(delay_after(1, &entropy) <= 2 * FIRST_DELAY);
    }
}
