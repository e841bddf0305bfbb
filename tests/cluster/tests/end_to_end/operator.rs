//! The Spark Operator is killed while it submits one application and watches another, and started
//! again: each runs once, and its end is told.

use std::time::Duration;

use moka_proto::{
    logs::v1::LogStreamName,
    submission::v1::{
        Application,
        ApplicationState::{self, Running, Submitted, Succeeded},
        GetApplicationRequest,
    },
};
use moka_xtask::{cluster, demo::follow, mesh::Clients};
use tokio::time::sleep;

use crate::{
    Mesh, fresh_key,
    node::{eventually, statements},
    submit,
};

/// How long nobody submits or watches.
const AWAY: Duration = Duration::from_secs(3);
const SHORT: &str = "SELECT concat('only ', 'once') AS told";
const LONG: &str = "SELECT concat('only ', 'once') AS told, count(slept) FROM (SELECT \
     reflect('java.lang.Thread', 'sleep', 1000L) AS slept FROM range(0, 8, 1, 8))";

#[tokio::test]
async fn applications_run_once_through_a_crash_of_the_operator() {
    let mesh = Mesh::get().await;
    let clients = mesh.clients();
    let request =
        |key: &str, text: &str| statements(&mesh.cluster.spark_image, &fresh_key(key), &[text]);

    let watched = submit(&clients, request("operator-watches", LONG)).await;
    reaches(&clients, &watched, Running).await;
    let submitted = submit(&clients, request("operator-submits", SHORT)).await;
    reaches(&clients, &submitted, Submitted).await;
    cluster::kill("spark-operator").await.unwrap();
    sleep(AWAY).await;
    cluster::ensure_up().await.unwrap();

    for id in [watched, submitted] {
        let ended = follow::to_the_end(&clients, &id, |_| {}).await.unwrap();
        assert_eq!(ended.state(), Succeeded, "{ended:?}");
        println!("{} attempts", ended.attempts.len());
        assert_eq!(
            output(&clients, &ended).await.matches("only once").count(),
            1,
            "{ended:?}"
        );
    }
}

async fn reaches(clients: &Clients, id: &str, state: ApplicationState) {
    eventually("the state", async || {
        let request = GetApplicationRequest {
            application_id: id.to_owned(),
        };
        let answer = clients.submission.clone().get_application(request).await;
        let application = answer.unwrap().into_inner().application.unwrap();
        (application.state() == state).then_some(())
    })
    .await;
}

/// What the drivers of all attempts wrote.
async fn output(clients: &Clients, application: &Application) -> String {
    let mut lines = Vec::new();
    for attempt in &application.attempts {
        let stream = LogStreamName {
            attempt_number: attempt.number,
            ..follow::driver_stream(&application.application_id)
        };
        lines.extend(follow::output(clients, stream, |_| {}).await.unwrap());
    }
    lines.join("\n")
}
