//! What the demo prints of the mesh's answers.

use anyhow::Result;
use moka_proto::{
    logs::v1::ReadLogRequest,
    submission::v1::{Application, ApplicationState, ListApplicationEventsRequest},
};

use super::follow::driver_stream;
use crate::{
    cluster::ClusterInfo,
    mesh::{Clients, Endpoints},
};

const ALL: i32 = 1000;

/// Begins a part of the demo.
pub(super) fn title(text: &str) {
    println!("\n== {text}");
}

/// A state without its prefix.
pub(super) fn state_name(state: ApplicationState) -> &'static str {
    state.as_str_name().trim_start_matches("APPLICATION_STATE_")
}

/// The state history of an application and the reason of its end.
pub(super) async fn states(clients: &Clients, application: &Application) -> Result<()> {
    let request = ListApplicationEventsRequest {
        application_id: application.application_id.clone(),
        page_size: ALL,
        ..ListApplicationEventsRequest::default()
    };
    let events = clients
        .submission
        .clone()
        .list_application_events(request)
        .await?
        .into_inner()
        .events;
    println!(
        "\n  {} {}",
        application.application_id, application.display_name
    );
    let mut before = None;
    for event in &events {
        let time = event.time.unwrap_or_default();
        let seconds =
            f64::from(i32::try_from(time.seconds % 86_400)?) + f64::from(time.nanos) / 1e9;
        let step = seconds - before.unwrap_or(seconds);
        println!(
            "    +{step:5.1} s  {:<10} {}",
            state_name(event.state()),
            event.message
        );
        before = Some(seconds);
    }
    if let Some(exit) = application
        .attempts
        .last()
        .and_then(|attempt| attempt.exit.as_ref())
    {
        let code = exit
            .exit_code
            .map_or_else(|| "none".to_owned(), |code| code.to_string());
        println!("    exit code {code}: {}", exit.message);
    }
    Ok(())
}

/// The last lines of a driver, from the archive.
pub(super) async fn last_lines(clients: &Clients, application_id: &str, count: i32) -> Result<()> {
    let request = ReadLogRequest {
        stream: Some(driver_stream(application_id)),
        tail_lines: count,
        ..ReadLogRequest::default()
    };
    let answer = clients.logs.clone().read_log(request).await?.into_inner();
    println!("\n  the last lines of its driver:");
    for line in &answer.lines {
        println!("  | {}", String::from_utf8_lossy(&line.text));
    }
    Ok(())
}

/// What to try next, by hand.
pub(super) fn next_commands(cluster: &ClusterInfo, endpoints: &Endpoints, application_id: &str) {
    let address = |url: &str| url.trim_start_matches("http://").to_owned();
    let grpcurl = cluster.grpcurl.display();
    let submission = address(&endpoints.submission);
    let logs = address(&endpoints.log_broker);
    let history = address(&endpoints.history_index);
    title("to try next, with KEEP=1");
    println!("  export KUBECONFIG={}", cluster.kubeconfig.display());
    println!("  {grpcurl} -plaintext {submission} list");
    println!(
        "  {grpcurl} -plaintext -d '{{\"application_id\":\"{application_id}\"}}' {submission} moka.submission.v1.SubmissionService/GetApplication"
    );
    println!(
        "  {grpcurl} -plaintext -d '{{\"stream\":{{\"application_id\":\"{application_id}\",\"container\":{{}}}},\"tail_lines\":5}}' {logs} moka.logs.v1.LogService/ReadLog"
    );
    println!(
        "  {grpcurl} -plaintext -d '{{\"application_id\":\"{application_id}\"}}' {history} moka.history.v1.HistoryService/ListStages"
    );
    println!(
        "  {grpcurl} -plaintext {} moka.scheduling.v1.SchedulingService/ListQueues",
        address(&endpoints.scheduler_adapter)
    );
    println!("  curl {}/api/v1/applications", endpoints.history_rest);
    println!("  curl {}/streams", endpoints.log_shipper_admin);
}
