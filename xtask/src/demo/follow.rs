//! Submitting one application and following it to its end: its states, and its driver's lines while
//! they are written.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use moka_proto::{
    logs::v1::{
        ContainerSource, FollowLogRequest, LogLine, LogStreamName, log_stream_name::Source,
    },
    submission::v1::{
        Application, ApplicationState, SubmitApplicationRequest, WatchApplicationsRequest,
        watch_applications_response::Step,
    },
};
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};

use crate::mesh::Clients;

const PATIENCE: Duration = Duration::from_mins(4);
const RETRY: Duration = Duration::from_secs(1);

/// Submits an application and returns its id. A submission that has just been started first has to
/// learn of the queues.
///
/// # Errors
/// When it is refused, or there is no answer in four minutes.
pub async fn submit(clients: &Clients, request: SubmitApplicationRequest) -> Result<String> {
    let submit = async {
        loop {
            let mut submission = clients.submission.clone();
            match submission.submit_application(request.clone()).await {
                Err(status) if status.code() == Code::Unavailable => sleep(RETRY).await,
                answer => return answer,
            }
        }
    };
    let answer = timeout(PATIENCE, submit).await;
    let answer = answer.context("the application was not accepted")??;
    let application = answer.into_inner().application;
    let application = application.context("submit answered without an application")?;
    Ok(application.application_id)
}

/// Whether a state is final.
pub fn is_final(state: ApplicationState) -> bool {
    use ApplicationState::{Cancelled, Failed, Succeeded};
    matches!(state, Succeeded | Failed | Cancelled)
}

/// The driver's output of the last attempt.
pub fn driver_stream(application_id: &str) -> LogStreamName {
    LogStreamName {
        application_id: application_id.to_owned(),
        attempt_number: 0,
        source: Some(Source::Container(ContainerSource::default())),
    }
}

/// Watches an application until its state is final, telling each state, and returns it.
///
/// # Errors
/// When the watch fails or the end does not come in four minutes.
pub async fn to_the_end(
    clients: &Clients,
    application_id: &str,
    mut tell: impl FnMut(&Application),
) -> Result<Application> {
    let watch = async {
        let request = WatchApplicationsRequest {
            application_id: application_id.to_owned(),
            ..WatchApplicationsRequest::default()
        };
        let mut submission = clients.submission.clone();
        let mut steps = submission.watch_applications(request).await?.into_inner();
        let mut last = None;
        while let Some(answer) = steps.message().await? {
            let application = match answer.step {
                Some(Step::Snapshot(application)) => application,
                Some(Step::Change(change)) => {
                    change.application.context("a change without application")?
                }
                _ => continue,
            };
            let state = application.state();
            if last != Some(state) {
                tell(&application);
                last = Some(state);
            }
            if is_final(state) {
                return Ok(application);
            }
        }
        bail!("the watch of {application_id} ended before the application did")
    };
    timeout(PATIENCE, watch)
        .await
        .with_context(|| format!("{application_id} did not end in {} s", PATIENCE.as_secs()))?
}

/// Follows the driver's output to its end and tells each line. Waits for the first line, and goes
/// on after a lost connection where it was.
///
/// # Errors
/// When log-broker refuses, or the output does not end in four minutes.
pub async fn driver_output(
    clients: &Clients,
    application_id: &str,
    tell: impl FnMut(&str),
) -> Result<Vec<String>> {
    output(clients, driver_stream(application_id), tell).await
}

/// Follows any stream as [`driver_output`] does.
///
/// # Errors
/// As there.
pub async fn output(
    clients: &Clients,
    stream: LogStreamName,
    mut tell: impl FnMut(&str),
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut take = |line: &LogLine| {
        let text = String::from_utf8_lossy(&line.text).into_owned();
        tell(&text);
        lines.push(text);
    };
    let mut request = FollowLogRequest {
        stream: Some(stream),
        ..FollowLogRequest::default()
    };
    let follow = async {
        while let Err(status) = follow_once(clients, &mut request, &mut take).await {
            if !matches!(status.code(), Code::NotFound | Code::Unavailable) {
                return Err(status);
            }
            sleep(RETRY).await;
        }
        Ok(())
    };
    timeout(PATIENCE, follow)
        .await
        .context("the output did not end")??;
    Ok(lines)
}

/// Follows over one connection; the request's cursor moves with what was taken.
async fn follow_once(
    clients: &Clients,
    request: &mut FollowLogRequest,
    take: &mut impl FnMut(&LogLine),
) -> Result<(), Status> {
    let mut answers = clients
        .logs
        .clone()
        .follow_log(request.clone())
        .await?
        .into_inner();
    while let Some(answer) = answers.message().await? {
        answer.lines.iter().for_each(&mut *take);
        request.cursor = answer.next_cursor;
    }
    Ok(())
}
