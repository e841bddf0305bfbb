//! An application that fails tells its real reason, and its event log is whole all the same.

use moka_proto::{
    logs::v1::ReadLogRequest,
    submission::v1::{ApplicationState, ExitCategory},
};
use moka_xtask::demo::{applications, follow, judges, spark_application_id};

use crate::{Mesh, fresh_key, submit};

#[tokio::test]
async fn a_failing_application_tells_exit_code_and_exception() {
    let mesh = Mesh::get().await;
    let clients = mesh.clients();
    let request = applications::broken_orders(&mesh.cluster.spark_image, &fresh_key("broken"));
    let id = submit(&clients, request).await;

    let ended = follow::to_the_end(&clients, &id, |application| {
        println!("{:?}", application.state());
    });
    let ended = ended.await.unwrap();
    assert_eq!(ended.state(), ApplicationState::Failed);
    let exit = ended.attempts[0].exit.clone().unwrap();
    assert_eq!(
        (exit.category(), exit.exit_code),
        (ExitCategory::UserError, Some(1)),
        "{exit:?}"
    );
    assert_eq!(
        exit.message,
        "ValueError: order 42 has a negative amount: -7"
    );

    follow::driver_output(&clients, &id, |_| {}).await.unwrap();
    let request = ReadLogRequest {
        stream: Some(follow::driver_stream(&id)),
        tail_lines: 200,
        ..ReadLogRequest::default()
    };
    let archived = clients
        .logs
        .clone()
        .read_log(request)
        .await
        .unwrap()
        .into_inner();
    let text =
        |line: &moka_proto::logs::v1::LogLine| String::from_utf8_lossy(&line.text).into_owned();
    assert!(
        archived
            .lines
            .iter()
            .map(text)
            .any(|line| line == "checked 1000 orders")
    );

    let history = judges::history_index(&clients, &id).await.unwrap();
    let verdict = judges::history_server(&mesh.cluster, spark_application_id(&ended).unwrap())
        .await
        .unwrap();
    assert!(verdict.completed);
    assert_eq!(verdict, history);
}
