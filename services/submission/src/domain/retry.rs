//! Whether another attempt follows one that ended, when, and with how much memory.

mod backoff;
mod growth;

use std::borrow::Cow;

pub use growth::grow;
use jiff::{SignedDuration, Timestamp};
use moka_core::AttemptName;

use super::{
    application::Application,
    exit::ExitCategory,
    launch_spec::{LaunchSpec, RetryPolicy},
    resolve::retry_policy,
};

/// Another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// When it may begin at the earliest.
    pub not_before: Timestamp,
}

/// Failures that another attempt would only repeat, and ends that somebody wanted.
const FINAL: [ExitCategory; 5] = [
    ExitCategory::Success,
    ExitCategory::UserError,
    ExitCategory::Deleted,
    ExitCategory::Cancelled,
    ExitCategory::Deadline,
];

/// Decides after the current attempt ended at `now`, with its exit noted.
pub fn after(application: &Application, now: Timestamp) -> Option<Retry> {
    let attempt = application.attempt()?;
    let category = attempt.exit.as_ref()?.category;
    if category == ExitCategory::Rerouted {
        // It never ran: there is nothing to wait for, and nothing that counts.
        return Some(Retry { not_before: now });
    }
    let policy = policy(application);
    let spent = attempts_that_count(application);
    if FINAL.contains(&category)
        || !policy.categories.contains(&category)
        || spent >= policy.max_attempts
    {
        return None;
    }
    let name = AttemptName::new(application.id, attempt.number);
    let pause = backoff::after(&policy, spent, name);
    let not_before = now.saturating_add(pause).ok()?;
    let in_time = total_deadline(application).is_none_or(|deadline| not_before < deadline);
    in_time.then_some(Retry { not_before })
}

/// Why there is a next attempt, before it is there, and what is changed for it.
pub fn reason(application: &Application, launch: Option<&LaunchSpec>) -> String {
    let exit = application
        .attempt()
        .and_then(|attempt| attempt.exit.as_ref());
    let Some(exit) = exit else {
        return "first".to_owned();
    };
    let mut reason = match exit.category {
        ExitCategory::Rerouted => format!("moved: {}", exit.message),
        category => format!("after {}", category.as_str()),
    };
    let mut earlier = application.attempts.iter().rev();
    let last_launch = earlier.find_map(|attempt| attempt.launch.as_ref());
    if let (Some(launch), Some(last_launch)) = (launch, last_launch) {
        reason.push_str(&growth::difference(last_launch, launch));
    }
    reason
}

/// The policy of the latest attempt that had one. An attempt without a place has none: before the
/// first placement the application's terms count.
fn policy(application: &Application) -> Cow<'_, RetryPolicy> {
    let mut newest_first = application.attempts.iter().rev();
    let launched = newest_first.find_map(|attempt| Some(&attempt.launch.as_ref()?.retry));
    launched.map_or_else(
        || Cow::Owned(retry_policy(application.submission.retry())),
        Cow::Borrowed,
    )
}

fn attempts_that_count(application: &Application) -> u32 {
    let counts = |category: Option<ExitCategory>| category != Some(ExitCategory::Rerouted);
    let count = application
        .attempts
        .iter()
        .filter(|attempt| counts(attempt.exit.as_ref().map(|exit| exit.category)))
        .count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn total_deadline(application: &Application) -> Option<Timestamp> {
    let seconds = application.deadlines().total_seconds?;
    let total = SignedDuration::from_secs(seconds.into());
    application.create_time.saturating_add(total).ok()
}

#[cfg(test)]
mod tests;
