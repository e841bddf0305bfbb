//! What a request or a project says about retries.

use std::ops::RangeInclusive;

use moka_proto::submission::v1::{ExitCategory as WireCategory, RetryPolicy};
use moka_rpc::Violations;
use serde::{Deserialize, Serialize};

use super::parse::{distinct, seconds};
use crate::domain::exit::ExitCategory;

/// What a request or a project says about retries; 0, `None` or nothing for "the default".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryRequest {
    /// Attempts in all.
    pub max_attempts: u32,
    /// Which failures are tried again.
    pub categories: Vec<ExitCategory>,
    /// Pause before the second attempt.
    pub initial_backoff_seconds: Option<u32>,
    /// The longest pause.
    pub max_backoff_seconds: Option<u32>,
    /// Hundredths of its size to which memory grows.
    pub memory_growth_percent: u32,
    /// No pod grows beyond this.
    pub max_memory_bytes: u64,
}

pub(in crate::domain) const ATTEMPTS: RangeInclusive<i32> = 1..=10;
const INITIAL_BACKOFF_SECONDS: RangeInclusive<i64> = 1..=3600;
const MAX_BACKOFF_SECONDS: RangeInclusive<i64> = 1..=86_400;
const GROWTH_PERCENT: RangeInclusive<i32> = 100..=400;
const MEMORY_BYTES: RangeInclusive<i64> = 0..=1 << 40;

/// Checks what is said about retries.
pub(in crate::domain) fn parse(
    violations: &mut Violations,
    path: &str,
    policy: &RetryPolicy,
) -> RetryRequest {
    if policy.max_attempts != 0 {
        let field = format!("{path}.max_attempts");
        violations.range(&field, &policy.max_attempts, &ATTEMPTS);
    }
    if policy.memory_growth_percent != 0 {
        let field = format!("{path}.memory_growth_percent");
        violations.range(&field, &policy.memory_growth_percent, &GROWTH_PERCENT);
    }
    let field = format!("{path}.max_memory_bytes");
    violations.range(&field, &policy.max_memory_bytes, &MEMORY_BYTES);
    RetryRequest {
        max_attempts: policy.max_attempts.unsigned_abs(),
        categories: categories(
            violations,
            &format!("{path}.categories"),
            &policy.categories,
        ),
        initial_backoff_seconds: seconds(
            violations,
            &format!("{path}.initial_backoff"),
            policy.initial_backoff.as_ref(),
            &INITIAL_BACKOFF_SECONDS,
        ),
        max_backoff_seconds: seconds(
            violations,
            &format!("{path}.max_backoff"),
            policy.max_backoff.as_ref(),
            &MAX_BACKOFF_SECONDS,
        ),
        memory_growth_percent: policy.memory_growth_percent.unsigned_abs(),
        max_memory_bytes: policy.max_memory_bytes.unsigned_abs(),
    }
}

fn categories(violations: &mut Violations, field: &str, numbers: &[i32]) -> Vec<ExitCategory> {
    let known: Vec<_> = numbers
        .iter()
        .filter_map(|number| curable(*number))
        .collect();
    if known.len() != numbers.len() {
        violations.add(field, "must be categories of failures that can be retried");
    }
    distinct(
        violations,
        field,
        known.iter().map(|category| category.as_str()),
    );
    known
}

/// The category, unless another attempt could never help.
fn curable(number: i32) -> Option<ExitCategory> {
    match WireCategory::try_from(number).ok()? {
        WireCategory::DriverOutOfMemory => Some(ExitCategory::DriverOutOfMemory),
        WireCategory::ExecutorOutOfMemory => Some(ExitCategory::ExecutorOutOfMemory),
        WireCategory::Image => Some(ExitCategory::Image),
        WireCategory::Quota => Some(ExitCategory::Quota),
        WireCategory::Preempted => Some(ExitCategory::Preempted),
        WireCategory::NodeLost => Some(ExitCategory::NodeLost),
        WireCategory::LaunchRefused => Some(ExitCategory::LaunchRefused),
        WireCategory::Unknown => Some(ExitCategory::Unknown),
        WireCategory::Unspecified
        | WireCategory::Success
        | WireCategory::UserError
        | WireCategory::Deleted
        | WireCategory::Cancelled
        | WireCategory::Deadline
        | WireCategory::Rerouted => None,
    }
}
