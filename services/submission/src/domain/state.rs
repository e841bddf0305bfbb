//! Where an application stands, and the one function that says where it may go.

use std::{fmt, str::FromStr};

/// Where an application stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApplicationState {
    /// Accepted and durable; no worker has placed it yet.
    Queued,
    /// Cluster, queue and name are written down; the object may or may not exist.
    Launching,
    /// The object exists; the driver does not run yet.
    Submitted,
    /// The driver runs.
    Running,
    /// A cancel was accepted; the driver may still be stopping.
    Cancelling,
    /// Between two attempts.
    RetryWait,
    /// Final: the driver ended with exit code 0.
    Succeeded,
    /// Final: the last attempt failed.
    Failed,
    /// Final: cancelled, and nothing of it runs.
    Cancelled,
}

impl ApplicationState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Launching,
        Self::Submitted,
        Self::Running,
        Self::Cancelling,
        Self::RetryWait,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// The name, as the API and the database write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Launching => "LAUNCHING",
            Self::Submitted => "SUBMITTED",
            Self::Running => "RUNNING",
            Self::Cancelling => "CANCELLING",
            Self::RetryWait => "RETRY_WAIT",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The state after `step`; `None` when the step means nothing here and must change nothing.
    ///
    /// Total: every step is answered in every state, so that a late, repeated or reordered
    /// observation can do no harm.
    pub fn after(self, step: Step) -> Option<Self> {
        use ApplicationState::{
            Cancelled, Cancelling, Failed, Launching, Queued, RetryWait, Running, Submitted,
            Succeeded,
        };
        match (self, step) {
            (Queued | RetryWait, Step::Place) => Some(Launching),
            (Queued | RetryWait | Launching, Step::Refuse) => Some(Failed),
            (Launching, Step::Create) => Some(Submitted),
            // The driver proves that the object exists, also when that was not written down yet.
            (Launching | Submitted, Step::Start) => Some(Running),
            (Launching | Submitted | Running, Step::Succeed) => Some(Succeeded),
            (Launching | Submitted | Running, Step::Fail) => Some(Failed),
            (Queued | RetryWait, Step::Cancel) => Some(Cancelled),
            (Launching | Submitted | Running, Step::Cancel) => Some(Cancelling),
            (Queued | RetryWait | Launching | Submitted | Running, Step::Retry) => Some(RetryWait),
            (Cancelling, Step::Succeed | Step::Fail) => Some(Cancelled),
            _ => None,
        }
    }
}

impl fmt::Display for ApplicationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no state of an application")]
pub struct ParseStateError {
    text: String,
}

impl FromStr for ApplicationState {
    type Err = ParseStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| ParseStateError {
            text: text.to_owned(),
        })
    }
}

/// What can happen to an application, as far as its state is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A place was chosen.
    Place,
    /// No place, or no object, for good.
    Refuse,
    /// The object exists.
    Create,
    /// The driver's container runs.
    Start,
    /// The attempt ended well.
    Succeed,
    /// The attempt ended otherwise.
    Fail,
    /// The attempt ended, and another one follows.
    Retry,
    /// The caller wants it to end.
    Cancel,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEPS: [Step; 8] = [
        Step::Place,
        Step::Refuse,
        Step::Create,
        Step::Start,
        Step::Succeed,
        Step::Fail,
        Step::Retry,
        Step::Cancel,
    ];

    fn walk(steps: &[Step]) -> Vec<ApplicationState> {
        let mut state = ApplicationState::Queued;
        let mut seen = vec![state];
        for step in steps {
            state = state.after(*step).unwrap_or(state);
            seen.push(state);
        }
        seen
    }

    proptest! {
        #[test]
        fn final_states_stay(steps in prop::collection::vec(prop::sample::select(&STEPS[..]), 0..40)) {
            let seen = walk(&steps);
            if let Some(end) = seen.iter().position(|state| state.is_final()) {
                prop_assert!(seen[end..].iter().all(|state| *state == seen[end]));
            }
        }

        #[test]
        fn an_accepted_cancel_ends_in_cancelled_or_waits(
            before in prop::collection::vec(prop::sample::select(&STEPS[..]), 0..10),
            after in prop::collection::vec(prop::sample::select(&STEPS[..]), 0..10),
        ) {
            let state = *walk(&before).last().unwrap();
            let Some(cancelled) = state.after(Step::Cancel) else { return Ok(()) };
            let end = after.iter().fold(cancelled, |state, step| state.after(*step).unwrap_or(state));
            prop_assert!(matches!(end, ApplicationState::Cancelling | ApplicationState::Cancelled), "{end}");
        }

        #[test]
        fn a_launch_begins_once_and_again_only_after_a_retry(steps in prop::collection::vec(prop::sample::select(&STEPS[..]), 0..40)) {
            let seen = walk(&steps);
            let times = |state| seen.windows(2).filter(|pair| pair[0] != pair[1] && pair[1] == state).count();
            prop_assert!(times(ApplicationState::Launching) <= 1 + times(ApplicationState::RetryWait));
        }
    }

    #[test]
    fn every_live_state_can_be_cancelled() {
        for state in ApplicationState::ALL {
            let after = state.after(Step::Cancel);
            let expected_change = !state.is_final() && state != ApplicationState::Cancelling;
            assert_eq!(after.is_some(), expected_change, "{state}");
        }
    }

    #[test]
    fn names_read_back() {
        for state in ApplicationState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("".parse::<ApplicationState>().is_err());
    }
}
