//! What a happening does to an application: the only code that changes one.

use jiff::Timestamp;

use super::{
    application::{Application, Attempt, Ending, Placement},
    exit::{Exit, ExitCategory},
    launch_spec::LaunchSpec,
    retry::{self, Retry},
    state::{ApplicationState, Step},
};

/// Something that was found out or decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A place was chosen for the next attempt.
    Placed {
        /// Number of the attempt that it was chosen for.
        attempt_number: u32,
        /// The place.
        placement: Placement,
        /// What it will be launched with.
        launch: Box<LaunchSpec>,
    },
    /// No place was found for good. An object that a cluster refuses is an [`Happening::Ending`]:
    /// an earlier create of it may be on its way.
    Refused(Exit),
    /// The object exists.
    Created {
        /// Its uid.
        uid: String,
    },
    /// The driver's pod exists.
    DriverSeen {
        /// Spark's own id.
        spark_application_id: String,
    },
    /// The driver's container runs.
    DriverStarted {
        /// Since when.
        start_time: Timestamp,
    },
    /// The attempt is about to be stopped, or somebody is stopping it.
    Ending(Ending),
    /// Nothing of the attempt runs any more.
    Ended(Exit),
    /// The caller wants it to end.
    CancelRequested {
        /// Why.
        reason: String,
        /// Whether the driver is killed at once, without its grace.
        force: bool,
    },
    /// It was given up, because a deadline passed.
    DeadlinePassed {
        /// Which one, in a sentence.
        message: String,
    },
}

/// What became of a happening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The state changed; the message is the event's.
    Changed {
        /// The state before.
        previous_state: ApplicationState,
        /// A sentence for people.
        message: String,
    },
    /// Something was noted, the state is the same.
    Noted,
    /// Nothing changed: it was known, or comes too late.
    Nothing,
}

/// Applies a happening to an attempt by its number, if it is the current one and has not ended; to
/// the application itself when there is no number.
pub fn apply_to(
    application: &mut Application,
    attempt_number: Option<u32>,
    happening: &Happening,
    now: Timestamp,
) -> Effect {
    let live = application
        .attempt()
        .filter(|attempt| attempt.exit.is_none())
        .map(|attempt| attempt.number);
    if attempt_number.is_some() && attempt_number != live {
        return Effect::Nothing;
    }
    apply(application, happening, now)
}

/// Applies a happening to an application at `now`.
pub fn apply(application: &mut Application, happening: &Happening, now: Timestamp) -> Effect {
    let noted = note(application, happening, now);
    let previous_state = application.state;
    let retry = retry_of(application, happening, now);
    let step = match retry {
        Some(_) => Some(Step::Retry),
        None => step_of(application, happening),
    };
    let Some(state) = step.and_then(|step| previous_state.after(step)) else {
        return if noted {
            Effect::Noted
        } else {
            Effect::Nothing
        };
    };
    application.state = state;
    application.update_time = now;
    application.next_attempt_time = retry
        .filter(|_| state == ApplicationState::RetryWait)
        .map(|retry| retry.not_before);
    if state.is_final() {
        application.end_time = Some(now);
    }
    let message = message_of(application, happening);
    Effect::Changed {
        previous_state,
        message,
    }
}

/// Whether another attempt follows the one that this happening ends.
fn retry_of(application: &Application, happening: &Happening, now: Timestamp) -> Option<Retry> {
    match happening {
        Happening::Refused(_) | Happening::Ended(_)
            if application.state.after(Step::Retry).is_some() =>
        {
            retry::after(application, now)
        }
        _ => None,
    }
}

fn step_of(application: &Application, happening: &Happening) -> Option<Step> {
    match happening {
        // A place for an attempt that was begun and ended meanwhile is none for the next one.
        Happening::Placed { attempt_number, .. } => {
            let current = application.attempt()?;
            (current.number == *attempt_number && current.exit.is_none()).then_some(Step::Place)
        }
        // Whoever has placed it meanwhile was right: something may be on its way by now.
        Happening::Refused(_) => {
            let is_waiting = application.state.after(Step::Place).is_some();
            is_waiting.then_some(Step::Refuse)
        }
        Happening::Created { .. } => Some(Step::Create),
        Happening::DriverStarted { .. } => Some(Step::Start),
        // The noted exit decides: it may have an earlier reason than the observed one.
        Happening::Ended(_) => Some(match application.attempt()?.exit.as_ref()?.category {
            ExitCategory::Success => Step::Succeed,
            _ => Step::Fail,
        }),
        Happening::CancelRequested { .. } => Some(Step::Cancel),
        // Of an attempt that was begun something may exist: it has to be ended first.
        Happening::DeadlinePassed { .. } => application
            .state
            .after(Step::Place)
            .is_some()
            .then_some(Step::Refuse),
        Happening::DriverSeen { .. } | Happening::Ending(_) => None,
    }
}

/// Writes what a happening says into the attempt, where the state allows it. Says whether anything
/// changed.
fn note(application: &mut Application, happening: &Happening, now: Timestamp) -> bool {
    let state = application.state;
    if state.is_final() {
        return false;
    }
    match happening {
        Happening::Placed {
            attempt_number,
            placement,
            launch,
        } if state.after(Step::Place).is_some()
            && *attempt_number == application.next_attempt_number() =>
        {
            let launch = Some(LaunchSpec::clone(launch));
            let attempt = next_attempt(application, placement.clone(), launch, now);
            application.attempts.push(attempt);
            true
        }
        Happening::Refused(exit) if state.after(Step::Place).is_some() => {
            begin_placeless(application, now);
            end(application, exit, now)
        }
        Happening::DeadlinePassed { message } if state.after(Step::Place).is_some() => {
            begin_placeless(application, now);
            let exit = Exit::without_container(ExitCategory::Deadline, message);
            end(application, &exit, now)
        }
        Happening::CancelRequested { reason, force } => {
            let wanted = state.after(Step::Cancel).map(|_| cancelled(reason));
            application
                .attempts
                .last_mut()
                .is_some_and(|attempt| note_cancel(attempt, wanted, *force))
        }
        Happening::Created { .. }
        | Happening::DriverSeen { .. }
        | Happening::DriverStarted { .. }
        | Happening::Ending(_)
        | Happening::DeadlinePassed { .. }
        | Happening::Ended(_) => application
            .attempts
            .last_mut()
            .is_some_and(|attempt| note_run(attempt, happening, now)),
        Happening::Placed { .. } | Happening::Refused(_) => false,
    }
}

/// An attempt for which no place was found, so that its end can be told.
fn begin_placeless(application: &mut Application, now: Timestamp) {
    let placement = Placement {
        queue: application.submission.spec.queue.clone(),
        ..Placement::default()
    };
    let attempt = next_attempt(application, placement, None, now);
    application.attempts.push(attempt);
}

fn end(application: &mut Application, exit: &Exit, now: Timestamp) -> bool {
    let attempt = application.attempts.last_mut();
    attempt.is_some_and(|attempt| note_exit(attempt, exit, now))
}

fn cancelled(reason: &str) -> Ending {
    let message = if reason.is_empty() {
        "cancelled through the API".to_owned()
    } else {
        format!("cancelled: {reason}")
    };
    Ending {
        category: ExitCategory::Cancelled,
        message,
    }
}

/// `wanted` is there when the cancel means something in this state. A later one may still force.
fn note_cancel(attempt: &mut Attempt, wanted: Option<Ending>, force: bool) -> bool {
    if attempt.exit.is_some() {
        return false;
    }
    let is_new = wanted.is_some();
    if is_new {
        attempt.ending = wanted;
    }
    let is_forced = force && !attempt.is_killed && attempt.ending.is_some();
    attempt.is_killed |= is_forced;
    is_new || is_forced
}

fn note_run(attempt: &mut Attempt, happening: &Happening, now: Timestamp) -> bool {
    // What is found out about an attempt that is over comes too late, also between two attempts.
    if attempt.exit.is_some() {
        return false;
    }
    match happening {
        Happening::Created { uid } => fill(&mut attempt.uid, uid.clone()),
        Happening::DriverSeen {
            spark_application_id,
        } => fill(
            &mut attempt.spark_application_id,
            spark_application_id.clone(),
        ),
        Happening::DriverStarted { start_time } => fill(&mut attempt.start_time, *start_time),
        // A driver that has started runs on where it is.
        Happening::Ending(ending)
            if ending.category == ExitCategory::Rerouted && attempt.start_time.is_some() =>
        {
            false
        }
        Happening::Ending(ending) => fill(&mut attempt.ending, ending.clone()),
        Happening::DeadlinePassed { message } => {
            let category = ExitCategory::Deadline;
            let message = message.clone();
            fill(&mut attempt.ending, Ending { category, message })
        }
        Happening::Ended(exit) => note_exit(attempt, exit, now),
        _ => false,
    }
}

/// What was noted before it ended decides: what its processes say while they are stopped is a
/// consequence and no reason.
fn note_exit(attempt: &mut Attempt, exit: &Exit, now: Timestamp) -> bool {
    if attempt.exit.is_some() {
        return false;
    }
    attempt.exit = Some(match &attempt.ending {
        // It was done before it could be moved, or was launched after all: it must not be done
        // again.
        Some(Ending {
            category: ExitCategory::Rerouted | ExitCategory::LaunchRefused,
            ..
        }) if exit.category == ExitCategory::Success => exit.clone(),
        Some(ending) => Exit {
            category: ending.category,
            message: ending.message.clone(),
            ..exit.clone()
        },
        None => exit.clone(),
    });
    attempt.end_time = Some(now);
    true
}

fn fill<T>(slot: &mut Option<T>, value: T) -> bool {
    let empty = slot.is_none();
    slot.get_or_insert(value);
    empty
}

fn next_attempt(
    application: &Application,
    placement: Placement,
    launch: Option<LaunchSpec>,
    now: Timestamp,
) -> Attempt {
    Attempt {
        number: application.next_attempt_number(),
        reason: retry::reason(application, launch.as_ref()),
        placement,
        launch,
        uid: None,
        spark_application_id: None,
        create_time: now,
        start_time: None,
        end_time: None,
        ending: None,
        is_killed: false,
        exit: None,
    }
}

fn message_of(application: &Application, happening: &Happening) -> String {
    let exit = || {
        let exit = application
            .attempt()
            .and_then(|attempt| attempt.exit.as_ref());
        exit.map_or_else(String::new, |exit| exit.message.clone())
    };
    match happening {
        Happening::Placed { placement, .. } => format!(
            "placed in queue {} of cluster {}",
            placement.queue, placement.cluster
        ),
        Happening::Refused(_) | Happening::Ended(_) | Happening::DeadlinePassed { .. } => exit(),
        Happening::Created { .. } => "the SparkApplication exists".to_owned(),
        Happening::DriverStarted { .. } => "the driver runs".to_owned(),
        Happening::CancelRequested { reason, .. } if reason.is_empty() => {
            "cancel requested".to_owned()
        }
        Happening::CancelRequested { reason, .. } => format!("cancel requested: {reason}"),
        Happening::DriverSeen { .. } | Happening::Ending(_) => String::new(),
    }
}

#[cfg(test)]
mod tests;
