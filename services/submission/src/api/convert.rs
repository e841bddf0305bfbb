//! From our own types to the wire's.

mod explanation;
pub(super) mod rules;
pub(super) mod spec;

pub(super) use explanation::explanation;
use moka_proto::submission::v1 as wire;
use moka_rpc::timestamp::to_proto;

use crate::domain::{
    application::{Application, Attempt, Event},
    exit::{Exit, ExitCategory},
    spec::Architecture,
    state::ApplicationState,
};

pub(super) fn application(application: Application) -> wire::Application {
    let Application {
        id,
        submission,
        predecessor,
        state,
        attempts,
        create_time,
        update_time,
        end_time,
        version,
        next_attempt_time,
    } = application;
    wire::Application {
        application_id: id.to_string(),
        project: submission.project,
        idempotency_key: submission.idempotency_key,
        try_number: i32::try_from(submission.try_number).unwrap_or(i32::MAX),
        predecessor_application_id: predecessor.map(|id| id.to_string()).unwrap_or_default(),
        display_name: submission.display_name,
        spec: Some(spec::spec(submission.spec)),
        state: wire_state(state).into(),
        attempts: attempts
            .into_iter()
            .map(|one| attempt(moka_core::AttemptName::new(id, one.number), one))
            .collect(),
        create_time: Some(to_proto(create_time)),
        update_time: Some(to_proto(update_time)),
        end_time: end_time.map(to_proto),
        version,
        next_attempt_time: next_attempt_time.map(to_proto),
    }
}

fn attempt(name: moka_core::AttemptName, attempt: Attempt) -> wire::Attempt {
    let launch = attempt.launch.as_ref();
    wire::Attempt {
        number: i32::try_from(attempt.number).unwrap_or(i32::MAX),
        name: name.to_string(),
        cluster: attempt.placement.cluster,
        queue: attempt.placement.queue,
        namespace: attempt.placement.namespace,
        uid: attempt.uid.unwrap_or_default(),
        spark_application_id: attempt.spark_application_id.unwrap_or_default(),
        create_time: Some(to_proto(attempt.create_time)),
        start_time: attempt.start_time.map(to_proto),
        end_time: attempt.end_time.map(to_proto),
        exit: attempt.exit.map(exit),
        reason: attempt.reason,
        image: launch
            .map(|launch| launch.image.clone())
            .unwrap_or_default(),
        architecture: launch
            .and_then(|launch| launch.architecture)
            .map_or(wire::Architecture::Unspecified, architecture)
            .into(),
        driver_memory_bytes: launch.map_or(0, |launch| signed(launch.driver.memory_bytes)),
        executor_memory_bytes: launch.map_or(0, |launch| signed(launch.executor.pod.memory_bytes)),
    }
}

fn exit(exit: Exit) -> wire::Exit {
    wire::Exit {
        category: category(exit.category).into(),
        exit_code: exit.exit_code,
        message: exit.message,
        log_tail: exit.log_tail,
    }
}

pub(super) fn event(event: Event) -> wire::ApplicationEvent {
    wire::ApplicationEvent {
        sequence: event.sequence,
        application_id: event.application_id.to_string(),
        state: wire_state(event.state).into(),
        previous_state: event
            .previous_state
            .map_or(wire::ApplicationState::Unspecified, wire_state)
            .into(),
        attempt_number: i32::try_from(event.attempt_number).unwrap_or(i32::MAX),
        time: Some(to_proto(event.time)),
        message: event.message,
    }
}

fn architecture(architecture: Architecture) -> wire::Architecture {
    match architecture {
        Architecture::Amd64 => wire::Architecture::Amd64,
        Architecture::Arm64 => wire::Architecture::Arm64,
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

pub(super) fn wire_state(state: ApplicationState) -> wire::ApplicationState {
    match state {
        ApplicationState::Queued => wire::ApplicationState::Queued,
        ApplicationState::Launching => wire::ApplicationState::Launching,
        ApplicationState::Submitted => wire::ApplicationState::Submitted,
        ApplicationState::Running => wire::ApplicationState::Running,
        ApplicationState::Cancelling => wire::ApplicationState::Cancelling,
        ApplicationState::RetryWait => wire::ApplicationState::RetryWait,
        ApplicationState::Succeeded => wire::ApplicationState::Succeeded,
        ApplicationState::Failed => wire::ApplicationState::Failed,
        ApplicationState::Cancelled => wire::ApplicationState::Cancelled,
    }
}

/// The state of a wire number; `None` for UNSPECIFIED and numbers that are none.
pub(super) fn state_of(number: i32) -> Option<ApplicationState> {
    let wire = wire::ApplicationState::try_from(number).ok()?;
    ApplicationState::ALL
        .into_iter()
        .find(|state| wire_state(*state) == wire)
}

fn category(category: ExitCategory) -> wire::ExitCategory {
    match category {
        ExitCategory::Success => wire::ExitCategory::Success,
        ExitCategory::UserError => wire::ExitCategory::UserError,
        ExitCategory::DriverOutOfMemory => wire::ExitCategory::DriverOutOfMemory,
        ExitCategory::Image => wire::ExitCategory::Image,
        ExitCategory::Quota => wire::ExitCategory::Quota,
        ExitCategory::Preempted => wire::ExitCategory::Preempted,
        ExitCategory::NodeLost => wire::ExitCategory::NodeLost,
        ExitCategory::LaunchRefused => wire::ExitCategory::LaunchRefused,
        ExitCategory::Deleted => wire::ExitCategory::Deleted,
        ExitCategory::Cancelled => wire::ExitCategory::Cancelled,
        ExitCategory::Unknown => wire::ExitCategory::Unknown,
        ExitCategory::ExecutorOutOfMemory => wire::ExitCategory::ExecutorOutOfMemory,
        ExitCategory::Deadline => wire::ExitCategory::Deadline,
        ExitCategory::Rerouted => wire::ExitCategory::Rerouted,
    }
}
