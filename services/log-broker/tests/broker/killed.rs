//! The real process is killed while it deletes, and started again.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use moka_core::clock::SystemClock;
use moka_log_broker::domain::retention::{DeletionState, LogKind};
use moka_objects::{DirectoryStore, ObjectStore};
use moka_proto::{
    logs::v1::{DeleteLogsRequest, LogKind as WireKind, log_service_client::LogServiceClient},
    submission::v1::{
        Application, ApplicationState, Attempt, submission_service_server::SubmissionServiceServer,
    },
};
use moka_rpc::{ClientOptions, Server, ServerOptions};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};
use tokio_util::sync::CancellationToken;

use crate::{
    keeping::Place,
    process::{broker, port_of, url},
    raw::attempt,
    watch::FakeSubmission,
};

/// Several batches.
const OBJECTS: u64 = 2_000;

/// A submission that knows one application, which has failed; its port.
fn submission(stop: CancellationToken) -> u16 {
    let application = Application {
        application_id: attempt().application_id.to_string(),
        state: ApplicationState::Failed.into(),
        attempts: vec![Attempt {
            number: 1,
            ..Default::default()
        }],
        ..Default::default()
    };
    let submission = FakeSubmission::of(application);
    let mut registry = prometheus_client::registry::Registry::default();
    let server = Server::new(ServerOptions::default(), &mut registry)
        .add_service(SubmissionServiceServer::new(submission))
        .bind("127.0.0.1:0".parse().unwrap())
        .unwrap();
    let port = server.local_address().port();
    let tasks = moka_process::Tasks::default();
    tasks.spawn("submission", server.serve(stop));
    port
}

async fn start(directory: &Path, submission: u16) -> (Child, u16) {
    let submission = format!("http://127.0.0.1:{submission}");
    let mut child = broker()
        .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--submission-url", &submission, "--log-format", "json"])
        .args(["--retention-interval-seconds", "1"])
        .args(["--objects-url", &url(directory)])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let port = port_of(&mut lines, "gRPC port is open").await;
    // What else it says is read, so that it never waits for a reader.
    let tasks = moka_process::Tasks::default();
    tasks.spawn("read what the broker says", async move {
        while let Ok(Some(_)) = lines.next_line().await {}
    });
    (child, port)
}

async fn count(place: &Place) -> usize {
    place.keys("logs/qz/").await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn process_that_is_killed_while_it_deletes_leaves_a_whole_proof() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(directory.path()).await.unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let place = Place::of(store, Arc::new(SystemClock));
    for number in 0..OBJECTS {
        place.ship(number).await;
    }
    let others = "logs/q0/m01hf7yat00v2t9d4h5w8k3e6q0/1/containers/p/c/1.jsonl";
    place.put(others, b"others".to_vec()).await;
    let all: BTreeMap<_, _> = place
        .list("logs/qz/")
        .await
        .into_iter()
        .map(|object| (object.key.to_string(), object.etag.to_string()))
        .collect();

    let stop = CancellationToken::new();
    let submission = submission(stop.clone());
    let (mut child, port) = start(directory.path(), submission).await;
    let address = format!("http://127.0.0.1:{port}");
    let channel = moka_rpc::client::connect(&address, &ClientOptions::default()).unwrap();
    let request = DeleteLogsRequest {
        application_id: attempt().application_id.to_string(),
        kinds: vec![WireKind::Containers.into()],
        requested_by: "ann@example.com".to_owned(),
        reason: "a test".to_owned(),
    };
    let mut client = LogServiceClient::new(channel);
    client.delete_logs(request).await.unwrap();
    while count(&place).await == all.len() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().await.unwrap();
    let left = place.keys("logs/qz/").await;
    assert!(!left.is_empty(), "it was faster than it was killed");
    let gone = all.keys().filter(|key| !left.contains(*key));
    let proven = proof(&place).await;
    assert!(gone.clone().count() > 0);
    for key in gone {
        assert_eq!(proven.get(key), all.get(key), "deleted without a proof");
    }

    let (mut child, _) = start(directory.path(), submission).await;
    let keeper = place.keeper(&[]);
    while keeper.state(LogKind::Containers).await != Some(DeletionState::Deleted) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(count(&place).await, 0);
    assert_eq!(proof(&place).await, all);
    assert_eq!(place.proof(1000).await.len(), all.len());
    let expected = BTreeSet::from([others.to_owned()]);
    assert_eq!(place.keys("logs/").await, expected);
    child.kill().await.unwrap();
    stop.cancel();
}

/// Key and version of each object that is proven to be deleted.
async fn proof(place: &Place) -> BTreeMap<String, String> {
    let proof = place.proof(1000).await.into_iter();
    proof.map(|(key, _, etag)| (key, etag)).collect()
}
