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
        /// The place.
        placement: Placement,
        /// What it will be launched with.
        launch: Box<LaunchSpec>,
    },
    /// No place was found for good, or the cluster refuses the object.
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
        Happening::Placed { .. } => Some(Step::Place),
        Happening::Refused(_) => Some(Step::Refuse),
        Happening::Created { .. } => Some(Step::Create),
        Happening::DriverStarted { .. } => Some(Step::Start),
        // The noted exit decides: it may have an earlier reason than the observed one.
        Happening::Ended(_) => Some(match application.attempt()?.exit.as_ref()?.category {
            ExitCategory::Success => Step::Succeed,
            _ => Step::Fail,
        }),
        Happening::CancelRequested { .. } => Some(Step::Cancel),
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
        Happening::Placed { placement, launch } if state.after(Step::Place).is_some() => {
            let launch = Some(LaunchSpec::clone(launch));
            let attempt = next_attempt(application, placement.clone(), launch, now);
            application.attempts.push(attempt);
            true
        }
        Happening::Refused(exit) if state.after(Step::Refuse).is_some() => {
            if state != ApplicationState::Launching {
                let placement = Placement {
                    queue: application.submission.spec.queue.clone(),
                    ..Placement::default()
                };
                let attempt = next_attempt(application, placement, None, now);
                application.attempts.push(attempt);
            }
            application.attempts.last_mut().is_some_and(|attempt| {
                attempt.exit = Some(exit.clone());
                attempt.end_time = Some(now);
                true
            })
        }
        Happening::CancelRequested { reason } if state.after(Step::Cancel).is_some() => {
            let message = if reason.is_empty() {
                "cancelled through the API".to_owned()
            } else {
                format!("cancelled: {reason}")
            };
            let category = ExitCategory::Cancelled;
            application.attempts.last_mut().is_some_and(|attempt| {
                attempt.ending = Some(Ending { category, message });
                true
            })
        }
        Happening::Created { .. }
        | Happening::DriverSeen { .. }
        | Happening::DriverStarted { .. }
        | Happening::Ending(_)
        | Happening::Ended(_) => application
            .attempts
            .last_mut()
            .is_some_and(|attempt| note_run(attempt, happening, now)),
        Happening::Placed { .. } | Happening::Refused(_) | Happening::CancelRequested { .. } => {
            false
        }
    }
}

fn note_run(attempt: &mut Attempt, happening: &Happening, now: Timestamp) -> bool {
    match happening {
        Happening::Created { uid } => fill(&mut attempt.uid, uid.clone()),
        Happening::DriverSeen {
            spark_application_id,
        } => fill(
            &mut attempt.spark_application_id,
            spark_application_id.clone(),
        ),
        Happening::DriverStarted { start_time } => fill(&mut attempt.start_time, *start_time),
        Happening::Ending(ending) => fill(&mut attempt.ending, ending.clone()),
        Happening::Ended(exit) if attempt.exit.is_none() => {
            attempt.exit = Some(match &attempt.ending {
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
        _ => false,
    }
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
        number: application
            .attempt()
            .map_or(1, |attempt| attempt.number + 1),
        reason: retry::reason(application),
        placement,
        launch,
        uid: None,
        spark_application_id: None,
        create_time: now,
        start_time: None,
        end_time: None,
        ending: None,
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
        Happening::Refused(_) | Happening::Ended(_) => exit(),
        Happening::Created { .. } => "the SparkApplication exists".to_owned(),
        Happening::DriverStarted { .. } => "the driver runs".to_owned(),
        Happening::CancelRequested { reason } if reason.is_empty() => "cancel requested".to_owned(),
        Happening::CancelRequested { reason } => format!("cancel requested: {reason}"),
        Happening::DriverSeen { .. } | Happening::Ending(_) => String::new(),
    }
}

#[cfg(test)]
mod tests;
