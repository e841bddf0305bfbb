//! After the end: how, and what came before.

use super::{Evidence, Finding, Source, pods};
use crate::domain::{
    application::{Application, Attempt},
    exit::{Exit, ExitCategory},
    state::ApplicationState,
};

pub(super) fn findings(evidence: &Evidence) -> Vec<Finding> {
    let application = &evidence.application;
    let mut findings = vec![last_word(application)];
    findings.extend(no_attempt_left(application));
    if application.state == ApplicationState::Failed {
        findings.extend(pods::of_executors(evidence));
    }
    findings.extend(earlier_attempts(evidence));
    findings
}

fn last_word(application: &Application) -> Finding {
    let end_time = application.end_time;
    let finding = |reason: &str, message: String| {
        Finding::now(Source::Submission, reason, message)
            .at(end_time)
            .decisive()
    };
    let exit = application
        .attempt()
        .and_then(|attempt| attempt.exit.as_ref());
    match (application.state, exit) {
        (ApplicationState::Succeeded, _) => Finding {
            decisive: false,
            ..finding("SUCCEEDED", "it succeeded".to_owned())
        },
        (ApplicationState::Cancelled, Some(exit)) => finding("CANCELLED", exit.message.clone()),
        (ApplicationState::Cancelled, None) => {
            finding("CANCELLED", "it was cancelled before it began".to_owned())
        }
        (_, Some(exit)) => finding(exit.category.as_str(), told(exit)),
        (_, None) => finding("FAILED", "it failed before an attempt began".to_owned()),
    }
}

/// What happened and what it means, for each kind of end.
fn told(exit: &Exit) -> String {
    let Exit {
        category,
        exit_code,
        message,
        log_tail: _,
    } = exit;
    let code = exit_code.map_or_else(String::new, |code| format!(" (exit code {code})"));
    let what = match category {
        ExitCategory::Success => "the driver succeeded",
        ExitCategory::UserError => "the application's own code failed",
        ExitCategory::DriverOutOfMemory => "the driver exceeded its memory",
        ExitCategory::ExecutorOutOfMemory => "an executor exceeded its memory",
        ExitCategory::Image => "the image could not be pulled",
        ExitCategory::Quota => "the queue cannot hold it",
        ExitCategory::Preempted => "the driver was evicted or preempted",
        ExitCategory::NodeLost => "the driver's node went away",
        ExitCategory::LaunchRefused => "the launch was refused",
        ExitCategory::Deleted => "somebody deleted it in the cluster",
        ExitCategory::Cancelled => "it was cancelled",
        ExitCategory::Deadline => "a deadline of the request passed",
        ExitCategory::Rerouted => "its cluster was given up before it ran",
        ExitCategory::Unknown => "it ended, and nobody can tell why",
    };
    format!("{what}{code}: {message}")
}

/// That its retry policy would have tried this failure again, but the attempts are used up.
fn no_attempt_left(application: &Application) -> Option<Finding> {
    let last = application.attempt()?;
    let policy = &last.launch.as_ref()?.retry;
    let category = last.exit.as_ref()?.category;
    let used = application
        .attempts
        .iter()
        .filter(|attempt| !is_rerouted(attempt))
        .count();
    let is_over = application.state == ApplicationState::Failed
        && policy.max_attempts > 1
        && policy.categories.contains(&category)
        && used >= usize::try_from(policy.max_attempts).unwrap_or(usize::MAX);
    is_over.then(|| {
        let message = format!("all {} attempts are used up", policy.max_attempts);
        Finding::now(Source::Submission, "NO_ATTEMPT_LEFT", message).at(application.end_time)
    })
}

fn is_rerouted(attempt: &Attempt) -> bool {
    let exit = attempt.exit.as_ref();
    exit.is_some_and(|exit| exit.category == ExitCategory::Rerouted)
}

/// How the attempts before the current one ended, the latest first.
pub(super) fn earlier_attempts(evidence: &Evidence) -> Vec<Finding> {
    let application = &evidence.application;
    let all = application.attempts.iter().rev();
    // Between two attempts the last one is an earlier one too, but is told of by its retry.
    all.skip(1)
        .filter_map(|attempt| {
            let exit = attempt.exit.as_ref()?;
            let message = format!("attempt {}: {}", attempt.number, told(exit));
            Some(
                Finding::now(Source::Submission, exit.category.as_str(), message)
                    .at(attempt.end_time),
            )
        })
        .collect()
}
