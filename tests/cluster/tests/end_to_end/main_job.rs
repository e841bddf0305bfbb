//! A real PySpark application goes through every part of the mesh.

use std::time::Duration;

use moka_proto::{
    logs::v1::{
        CompletenessVerdict, EventLogState, GetEventLogRequest, ListLogStreamsRequest,
        ReadLogRequest, log_stream_name::Source,
    },
    metrics::v1::{GetSinkRequest, ListTargetsRequest},
    scheduling::v1::GetSchedulingStateRequest,
    submission::v1::{
        Application, ApplicationEvent,
        ApplicationState::{self, Launching, Queued, Running, Submitted, Succeeded},
        ExitCategory, ListApplicationEventsRequest,
    },
};
use moka_xtask::{
    demo::{applications, follow, judges, spark_application_id},
    mesh::{Clients, exporter},
};
use tokio::time::{Instant, sleep};

use crate::{Mesh, documents, fresh_key, submit};

const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_report_goes_through_the_whole_mesh() {
    let mesh = Mesh::get().await;
    let clients = mesh.clients();
    let request = applications::report(&mesh.cluster.spark_image, &fresh_key("report"));
    let id = submit(&clients, request.clone()).await;
    let again = submit(&clients, request).await;
    assert_eq!(
        id, again,
        "the same key and request are the same application"
    );

    let states = follow::to_the_end(&clients, &id, |application| {
        println!("{:?}", application.state());
    });
    let lines = follow::driver_output(&clients, &id, |_| {});
    let (ended, lines, ()) = tokio::join!(
        states,
        lines,
        an_exporter_answers_while_the_driver_runs(mesh, &id)
    );
    let (ended, lines) = (ended.unwrap(), lines.unwrap());

    assert_eq!(
        ended.state(),
        ApplicationState::Succeeded,
        "{:?}",
        ended.attempts
    );
    let exit = ended.attempts[0].exit.clone().unwrap();
    assert_eq!(
        (exit.category(), exit.exit_code),
        (ExitCategory::Success, Some(0))
    );
    assert!(
        lines.iter().any(|line| line.starts_with("report done:")),
        "{lines:?}"
    );

    the_states_are_in_order(&clients, &id).await;
    yunikorn_placed_a_gang(&clients, &ended).await;
    what_was_followed_live_is_what_is_archived(&clients, &id, &lines).await;
    nothing_of_ours_holds_the_pods(mesh, &ended).await;
    history_agrees_with_the_history_server(mesh, &clients, &ended).await;
    let series = judges::tsdb(&mesh.cluster, &id).await.unwrap();
    assert!(
        series.count > 20,
        "only {} series in the TSDB",
        series.count
    );
    the_shipper_tells_its_streams(mesh, &id).await;
    documents::commands_work(mesh, &id).await;
}

/// The sidecar's own gRPC port, reached at the driver's address.
async fn an_exporter_answers_while_the_driver_runs(mesh: &Mesh, id: &str) {
    let pod = format!("{id}-1-driver");
    let begun = Instant::now();
    while !exporter_has_written(mesh, &pod).await {
        assert!(
            begun.elapsed() < 2 * PATIENCE,
            "no exporter of {pod} has written anything"
        );
        sleep(Duration::from_millis(500)).await;
    }
}

async fn exporter_has_written(mesh: &Mesh, pod: &str) -> bool {
    let address = [
        "get",
        "pod",
        pod,
        "--namespace=spark-jobs",
        "--ignore-not-found",
    ];
    let address = mesh
        .kubectl(&[&address[..], &["--output=jsonpath={.status.podIP}"]].concat())
        .await;
    if address.is_empty() {
        return false;
    }
    let mut client = exporter(&format!("http://{address}:7405")).unwrap();
    let Ok(targets) = client.list_targets(ListTargetsRequest::default()).await else {
        return false;
    };
    let targets = targets.into_inner().targets;
    assert_eq!(
        targets.len(),
        2,
        "the driver's own endpoint and the executors'"
    );
    let sink = client.get_sink(GetSinkRequest {}).await;
    targets.iter().any(|target| target.last_samples > 0)
        && sink.is_ok_and(|sink| sink.into_inner().sink.unwrap().written_lines > 0)
}

async fn the_states_are_in_order(clients: &Clients, id: &str) {
    let request = ListApplicationEventsRequest {
        application_id: id.to_owned(),
        ..ListApplicationEventsRequest::default()
    };
    let events = clients
        .submission
        .clone()
        .list_application_events(request)
        .await
        .unwrap()
        .into_inner()
        .events;
    let mut states: Vec<_> = events.iter().map(ApplicationEvent::state).collect();
    states.dedup();
    assert_eq!(states, [Queued, Launching, Submitted, Running, Succeeded]);
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence)
    );
}

/// YuniKorn keeps finished applications for a while, so it can be asked afterwards.
async fn yunikorn_placed_a_gang(clients: &Clients, ended: &Application) {
    let attempt = &ended.attempts[0];
    let request = GetSchedulingStateRequest {
        cluster: attempt.cluster.clone(),
        attempt_name: attempt.name.clone(),
    };
    let state = clients
        .scheduling
        .clone()
        .get_scheduling_state(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(state.queue, "root.demo", "{state:?}");
    assert_eq!(
        state.replaced_placeholders, 3,
        "a driver and two executors: {state:?}"
    );
}

async fn what_was_followed_live_is_what_is_archived(clients: &Clients, id: &str, live: &[String]) {
    let mut archived = Vec::new();
    let mut cursor = String::new();
    loop {
        let request = ReadLogRequest {
            stream: Some(follow::driver_stream(id)),
            cursor: cursor.clone(),
            ..ReadLogRequest::default()
        };
        let answer = clients
            .logs
            .clone()
            .read_log(request)
            .await
            .unwrap()
            .into_inner();
        archived.extend(
            answer
                .lines
                .iter()
                .map(|line| String::from_utf8_lossy(&line.text).into_owned()),
        );
        if answer.at_end {
            let completeness = answer.completeness.unwrap();
            assert_eq!(
                completeness.verdict(),
                CompletenessVerdict::Complete,
                "{completeness:?}"
            );
            break;
        }
        cursor = answer.next_cursor;
    }
    assert_eq!(archived, live);

    let request = ListLogStreamsRequest {
        application_id: id.to_owned(),
        ..ListLogStreamsRequest::default()
    };
    let streams = clients
        .logs
        .clone()
        .list_log_streams(request)
        .await
        .unwrap()
        .into_inner()
        .streams;
    let containers = streams.iter().filter(|stream| {
        matches!(stream.name.as_ref().and_then(|name| name.source.as_ref()), Some(Source::Container(container)) if container.container.starts_with("spark-kubernetes-"))
    });
    assert_eq!(
        containers.count(),
        3,
        "a driver and two executors: {streams:?}"
    );
}

async fn nothing_of_ours_holds_the_pods(mesh: &Mesh, ended: &Application) {
    let name = &ended.attempts[0].name;
    for object in [
        format!("sparkapplication/{name}"),
        format!("pod/{name}-driver"),
    ] {
        let begun = Instant::now();
        loop {
            let finalizers = mesh
                .kubectl(&[
                    "get",
                    &object,
                    "--namespace=spark-jobs",
                    "--ignore-not-found",
                    "--output=jsonpath={.metadata.finalizers}",
                ])
                .await;
            if !finalizers.contains("moka.dev/outcome") {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{object} keeps {finalizers}");
            sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn history_agrees_with_the_history_server(
    mesh: &Mesh,
    clients: &Clients,
    ended: &Application,
) {
    let history = judges::history_index(clients, &ended.application_id)
        .await
        .unwrap();
    let request = GetEventLogRequest {
        application_id: ended.application_id.clone(),
        attempt_number: 0,
    };
    let event_log = clients
        .logs
        .clone()
        .get_event_log(request)
        .await
        .unwrap()
        .into_inner()
        .event_log
        .unwrap();
    assert_eq!(event_log.state(), EventLogState::Completed);
    assert!(!event_log.synthetic_end);

    let spark_id = spark_application_id(ended).unwrap();
    let verdict = judges::history_server(&mesh.cluster, spark_id)
        .await
        .unwrap();
    assert!(verdict.completed);
    assert!(verdict.jobs >= 4 && verdict.tasks >= 10, "{verdict:?}");
    assert_eq!(verdict, history);

    let url = format!(
        "{}/api/v1/applications/{spark_id}/jobs",
        mesh.endpoints.history_rest
    );
    let jobs: serde_json::Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
    assert_eq!(
        jobs.as_array().unwrap().len(),
        verdict.jobs,
        "the REST answers of history-index"
    );
}

async fn the_shipper_tells_its_streams(mesh: &Mesh, id: &str) {
    let url = format!("{}/streams", mesh.endpoints.log_shipper_admin);
    let streams = reqwest::get(&url).await.unwrap().text().await.unwrap();
    assert!(
        streams.contains(id),
        "the shipper does not know a stream of {id}: {streams}"
    );
}
