//! How long to wait after a failure.

use std::time::Duration;

use moka_core::entropy::Entropy;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// A random share, at least half, of a bound that doubles with every failure.
pub(super) fn after(failures: u32, entropy: &dyn Entropy) -> Duration {
    let bound = FIRST
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(LONGEST);
    let mut random = [0; 4];
    entropy.fill(&mut random);
    let share = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
    bound.mul_f64(f64::midpoint(1.0, share))
}

#[cfg(test)]
mod tests {
    use moka_core::entropy::SeededEntropy;

    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let entropy = SeededEntropy::new(3);
        for failures in 0..100 {
            let pause = after(failures, &entropy);
            let bound = FIRST
                .saturating_mul(2_u32.saturating_pow(failures))
                .min(LONGEST);
            assert!(
                pause >= bound / 2 && pause <= bound,
                "{failures}: {pause:?}"
            );
        }
    }
}
