//! A driver that writes so much that the kubelet rotates its log again and again is followed from
//! before its pod exists to its end, over connections that break: each line once, in order.

use std::time::Duration;

use moka_core::labels::DRIVER_CONTAINER;
use moka_proto::logs::v1::{CompletenessVerdict, FollowLogRequest};
use moka_xtask::{
    demo::{applications, follow},
    mesh::Clients,
};
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};

use crate::{
    Mesh, fresh_key,
    node::{container_logs, entries},
    submit,
};

/// What `examples/chatty_driver.py` writes.
const LINES: usize = 240_000;
const LINE_CHARACTERS: usize = 200;
/// The follower leaves and comes back with its cursor after so many lines.
const LINES_OF_A_CONNECTION: usize = 50_000;
const PATIENCE: Duration = Duration::from_mins(6);
const RETRY: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_log_is_followed_once_through_its_rotations() {
    let mesh = Mesh::get().await;
    let clients = mesh.clients();
    let request = applications::chatty_driver(&mesh.cluster.spark_image, &fresh_key("chatty"));
    let id = submit(&clients, request).await;
    let mut following = Box::pin(timeout(PATIENCE, followed(&clients, &id)));
    let mut most_files = 0;
    let followed = loop {
        tokio::select! {
            followed = &mut following => break followed.expect("the log comes to its end in time"),
            () = sleep(RETRY) => most_files = most_files.max(files_of(&id)),
        }
    };
    assert!(most_files > 1, "the kubelet never rotated the log");
    assert_eq!(followed.verdict, CompletenessVerdict::Complete);
    let ours: Vec<_> = followed
        .lines
        .iter()
        .filter(|line| line.starts_with("line "))
        .collect();
    assert_eq!(ours.len(), LINES);
    for (number, line) in ours.into_iter().enumerate() {
        let expected = format!("line {number} ");
        assert_eq!(*line, format!("{expected:x<LINE_CHARACTERS$}"));
    }
}

#[derive(Default)]
struct Followed {
    lines: Vec<String>,
    verdict: CompletenessVerdict,
    /// Lines that came over the present connection.
    count: usize,
}

/// Follows the driver's log to its end.
async fn followed(clients: &Clients, id: &str) -> Followed {
    let mut followed = Followed::default();
    let mut request = FollowLogRequest {
        stream: Some(follow::driver_stream(id)),
        ..FollowLogRequest::default()
    };
    loop {
        match follow_once(clients, &mut request, &mut followed).await {
            Ok(true) => return followed,
            Ok(false) => {}
            Err(status) => {
                let is_early = matches!(status.code(), Code::NotFound | Code::Unavailable);
                assert!(is_early, "{status}");
                sleep(RETRY).await;
            }
        }
    }
}

/// Follows over one connection; says whether the log has ended.
async fn follow_once(
    clients: &Clients,
    request: &mut FollowLogRequest,
    followed: &mut Followed,
) -> Result<bool, Status> {
    followed.count = 0;
    let answer = clients.logs.clone().follow_log(request.clone()).await?;
    let mut answers = answer.into_inner();
    while let Some(answer) = answers.message().await? {
        let texts = answer
            .lines
            .iter()
            .map(|line| String::from_utf8_lossy(&line.text).into_owned());
        followed.lines.extend(texts);
        followed.count += answer.lines.len();
        followed.verdict = answer.completeness.unwrap_or_default().verdict();
        request.cursor = answer.next_cursor;
        if followed.count >= LINES_OF_A_CONNECTION {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many files the driver's log has on its node now.
fn files_of(id: &str) -> usize {
    let folder = container_logs(&format!("{id}-1-driver"), DRIVER_CONTAINER);
    folder.map_or(0, |folder| entries(&folder).len())
}
