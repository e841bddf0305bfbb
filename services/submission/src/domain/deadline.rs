//! Which deadline of an application passes next.

use jiff::{SignedDuration, Timestamp};

use super::{application::Application, state::ApplicationState};

/// A deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// When it passes.
    pub time: Timestamp,
    /// What it means that it passed.
    pub message: String,
}

/// The next deadline that would end an application; `None` when there is none, or when it is being
/// ended already.
pub fn next(application: &Application) -> Option<Deadline> {
    use ApplicationState::{Cancelling, Launching, Queued, RetryWait, Running, Submitted};
    let state = application.state;
    let attempt = application.attempt();
    let is_ending = attempt.is_some_and(|one| one.exit.is_none() && one.ending.is_some());
    if state.is_final() || state == Cancelling || is_ending {
        return None;
    }
    let deadlines = application.deadlines();
    let after = |begin: Timestamp, seconds: Option<u32>, what: &str| {
        let seconds = seconds?;
        let time = begin.saturating_add(SignedDuration::from_secs(seconds.into()));
        Some(Deadline {
            time: time.ok()?,
            message: format!("{what} {seconds} s"),
        })
    };
    let accepted = application.create_time;
    let never_ran = application
        .attempts
        .iter()
        .all(|attempt| attempt.start_time.is_none());
    let waits = matches!(state, Queued | Launching | Submitted | RetryWait);
    let queue = deadlines.queue_seconds.filter(|_| waits && never_ran);
    let running_since = attempt
        .filter(|_| state == Running)
        .and_then(|attempt| attempt.start_time);
    [
        after(accepted, queue, "no driver ran within"),
        after(
            accepted,
            deadlines.total_seconds,
            "the application did not end within",
        ),
        running_since
            .and_then(|since| after(since, deadlines.run_seconds, "the driver ran longer than")),
    ]
    .into_iter()
    .flatten()
    .min_by_key(|deadline| deadline.time)
}

#[cfg(test)]
mod tests;
