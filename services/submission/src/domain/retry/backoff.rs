//! How long to wait before another attempt.

use jiff::SignedDuration;
use moka_core::AttemptName;

use super::super::launch_spec::RetryPolicy;

/// How far a pause may be from its rule, in hundredths.
const JITTER_PERCENT: u64 = 20;

/// The pause after the `spent`-th attempt that counts: it doubles with each, give or take a fifth,
/// up to the policy's longest. The jitter comes from the attempt's name, so that every replica and
/// every repetition finds the same.
pub(super) fn after(policy: &RetryPolicy, spent: u32, attempt: AttemptName) -> SignedDuration {
    let doubled = 2_u64.saturating_pow(spent.saturating_sub(1));
    let longest_ms = u64::from(policy.max_backoff_seconds) * 1000;
    let rule_ms = u64::from(policy.initial_backoff_seconds)
        .saturating_mul(1000)
        .saturating_mul(doubled)
        .min(longest_ms);
    let least_ms = rule_ms - rule_ms * JITTER_PERCENT / 100;
    let width_ms = rule_ms * 2 * JITTER_PERCENT / 100;
    let pause_ms = (least_ms + hash(attempt) % (width_ms + 1)).min(longest_ms);
    SignedDuration::from_millis(i64::try_from(pause_ms).unwrap_or(i64::MAX))
}

/// Half of an application's id is random; mixing the number in as splitmix64 does gives each of its
/// attempts a number of its own.
fn hash(attempt: AttemptName) -> u64 {
    let id = u128::from_be_bytes(attempt.application_id.trace_id());
    let random = u64::try_from(id & u128::from(u64::MAX)).unwrap_or_default();
    let mut mixed = random ^ u64::from(attempt.number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
