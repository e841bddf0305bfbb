//! A driver's sidecar is killed and started again by the kubelet: its log goes on, and is followed
//! with one cursor.

use std::{collections::BTreeMap, fs, time::Duration};

use moka_proto::{
    logs::v1::{
        CompletenessVerdict, ContainerSource, LogLine, LogStreamName, ReadLogRequest,
        log_stream_name::Source,
    },
    submission::v1::ApplicationState,
};
use moka_xtask::{demo::follow, mesh::Clients};
use tokio::time::sleep;

use crate::{
    Mesh, fresh_key,
    node::{container_logs, eventually, kill, statements},
    submit,
};

const CONTAINER: &str = "moka-metrics-exporter";
/// In the images of all services.
const PROGRAM: &str = "moka-service";
const POLL: Duration = Duration::from_millis(100);
/// Long enough for the kubelet to start the sidecar again.
const STATEMENT: &str = "SELECT count(slept) FROM (SELECT reflect('java.lang.Thread', 'sleep', 1000L) AS slept \
     FROM range(0, 80, 1, 80))";

#[tokio::test]
async fn log_of_a_sidecar_is_followed_once_through_its_restart() {
    let mesh = Mesh::get().await;
    let clients = mesh.clients();
    let request = statements(
        &mesh.cluster.spark_image,
        &fresh_key("sidecar"),
        &[STATEMENT],
    );
    let id = submit(&clients, request).await;
    let pod = format!("{id}-1-driver");

    let states = follow::to_the_end(&clients, &id, |application| {
        println!("{:?}", application.state());
    });
    let followed = follow::output(&clients, stream(&id), |_| {});
    let mut files = Files::default();
    let (ended, followed) = {
        let both = async { tokio::join!(states, followed) };
        let kept = async {
            loop {
                files.keep(&pod);
                sleep(POLL).await;
            }
        };
        let restart = async {
            eventually("the sidecar's first line", async || {
                lines_of(&pod, "0.log").contains(&b'\n').then_some(())
            })
            .await;
            kill(mesh, &pod, PROGRAM).await;
            eventually("the sidecar's second log", async || {
                lines_of(&pod, "1.log").contains(&b'\n').then_some(())
            })
            .await;
        };
        tokio::select! {
            (both, ()) = async { tokio::join!(both, restart) } => both,
            () = kept => unreachable!("it has no end"),
        }
    };
    files.keep(&pod);
    assert_eq!(ended.unwrap().state(), ApplicationState::Succeeded);
    assert_eq!(files.0.len(), 2, "{:?}", files.0.keys());
    let expected = files.texts();
    assert_eq!(followed.unwrap(), expected);
    assert_eq!(archived(&clients, &id).await, expected);
}

fn stream(id: &str) -> LogStreamName {
    LogStreamName {
        application_id: id.to_owned(),
        attempt_number: 1,
        source: Some(Source::Container(ContainerSource {
            pod: format!("{id}-1-driver"),
            container: CONTAINER.to_owned(),
        })),
    }
}

fn lines_of(pod: &str, file: &str) -> Vec<u8> {
    let folder = container_logs(pod, CONTAINER);
    folder
        .and_then(|folder| fs::read(folder.join(file)).ok())
        .unwrap_or_default()
}

/// The sidecar's files as they were last: the kubelet deletes them after a while.
#[derive(Default)]
struct Files(BTreeMap<&'static str, Vec<u8>>);

impl Files {
    fn keep(&mut self, pod: &str) {
        for name in ["0.log", "1.log", "2.log"] {
            let bytes = lines_of(pod, name);
            if !bytes.is_empty() {
                self.0.insert(name, bytes);
            }
        }
    }

    /// What the container runtime put in front of each line, taken away.
    fn texts(&self) -> Vec<String> {
        let bytes = self.0.values().flatten().copied().collect();
        let text = String::from_utf8(bytes).unwrap();
        let lines = text.lines().map(|line| {
            let mut parts = line.splitn(4, ' ');
            assert_eq!(parts.nth(2), Some("F"), "{line}");
            parts.next().unwrap_or_default().to_owned()
        });
        lines.collect()
    }
}

async fn archived(clients: &Clients, id: &str) -> Vec<String> {
    let request = ReadLogRequest {
        stream: Some(stream(id)),
        maximum_lines: 10_000,
        ..ReadLogRequest::default()
    };
    let answer = clients.logs.clone().read_log(request).await;
    let answer = answer.unwrap().into_inner();
    assert!(answer.at_end);
    let completeness = answer.completeness.unwrap();
    assert_eq!(
        completeness.verdict(),
        CompletenessVerdict::Complete,
        "{completeness:?}"
    );
    let text = |line: &LogLine| String::from_utf8_lossy(&line.text).into_owned();
    answer.lines.iter().map(text).collect()
}
