//! Readers that stop reading hold back their own stream, and nothing is buffered for them; and no
//! more readers than there may be.

use std::time::Duration;

use moka_core::ErrorReason;
use moka_proto::logs::v1::{
    ContainerSource, DownloadLogRequest, FollowLogRequest, LogStreamName, SearchLogRequest,
    log_stream_name, search_log_request,
};

use crate::{
    api::{client_of, reason},
    raw::{attempt, objects},
    world::{PATH, World},
};

/// What a reader that takes nothing may make the service read: the answer it is asked for, one
/// that waits to be sent, and what the connection takes.
const MOST_BYTES_AHEAD: u64 = 6 << 20;
/// How long a source goes on while its reader does not read.
const PAUSE: Duration = Duration::from_millis(500);

/// An ended attempt with some 24 MiB of log.
async fn large() -> (World, u64) {
    let world = World::new();
    let text = "x".repeat(8_000);
    let lines: Vec<_> = (0..3_000)
        .map(|number| {
            let (minute, second) = (number / 60, number % 60);
            format!("2026-11-21T02:{minute:02}:{second:02}Z stdout F {text}")
        })
        .collect();
    for (number, bytes) in objects(PATH, Some("7-1"), &lines, 250)
        .into_iter()
        .enumerate()
    {
        world.ship(&format!("{number:02}"), bytes).await;
    }
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    (world, 3_000 * 8_000)
}

fn driver_name() -> LogStreamName {
    LogStreamName {
        application_id: attempt().application_id.to_string(),
        attempt_number: 0,
        source: Some(log_stream_name::Source::Container(
            ContainerSource::default(),
        )),
    }
}

fn download() -> DownloadLogRequest {
    DownloadLogRequest {
        stream: Some(driver_name()),
        ..Default::default()
    }
}

fn follow() -> FollowLogRequest {
    FollowLogRequest {
        stream: Some(driver_name()),
        ..Default::default()
    }
}

#[tokio::test]
async fn download_waits_for_its_reader() {
    let (world, text_bytes) = large().await;
    let serving = world.serving();
    let metrics = serving.metrics.clone();
    let mut client = client_of(serving);
    let mut answers = client.download_log(download()).await.unwrap().into_inner();
    let mut received = answers.message().await.unwrap().unwrap().data.len();
    tokio::time::sleep(PAUSE).await;
    let ahead = metrics.readers.downloaded_bytes.get() - received as u64;
    assert!(ahead <= MOST_BYTES_AHEAD, "{ahead} bytes ahead");
    while let Some(answer) = answers.message().await.unwrap() {
        received += answer.data.len();
        let ahead = metrics.readers.downloaded_bytes.get() - received as u64;
        assert!(ahead <= MOST_BYTES_AHEAD, "{ahead} bytes ahead");
    }
    assert_eq!(received as u64, text_bytes + 3_000);
}

#[tokio::test]
async fn follower_is_given_what_it_takes_and_no_more() {
    let (world, text_bytes) = large().await;
    let serving = world.serving();
    let metrics = serving.metrics.clone();
    let mut client = client_of(serving);
    let mut answers = client.follow_log(follow()).await.unwrap().into_inner();
    let size = |lines: &[moka_proto::logs::v1::LogLine]| -> u64 {
        lines.iter().map(|line| line.text.len() as u64).sum()
    };
    let mut received = size(&answers.message().await.unwrap().unwrap().lines);
    tokio::time::sleep(PAUSE).await;
    let ahead = metrics.readers.followed_bytes.get() - received;
    assert!(ahead <= MOST_BYTES_AHEAD, "{ahead} bytes ahead");
    while let Some(answer) = answers.message().await.unwrap() {
        received += size(&answer.lines);
        let ahead = metrics.readers.followed_bytes.get() - received;
        assert!(ahead <= MOST_BYTES_AHEAD, "{ahead} bytes ahead");
    }
    assert_eq!(received, text_bytes);
}

#[tokio::test]
async fn one_reader_more_than_the_limit_is_refused_until_another_leaves() {
    let (world, _) = large().await;
    let serving = world.serving();
    let readers = serving.readers.clone();
    let mut client = client_of(serving);
    let first = client.download_log(download()).await.unwrap();
    let second = client.download_log(download()).await.unwrap();
    assert_eq!(
        reason(client.download_log(download()).await),
        ErrorReason::Overloaded
    );
    drop((first, second));
    while client.download_log(download()).await.is_err() {
        tokio::task::yield_now().await;
    }

    let first = client.follow_log(follow()).await.unwrap();
    let second = client.follow_log(follow()).await.unwrap();
    assert_eq!(
        reason(client.follow_log(follow()).await),
        ErrorReason::Overloaded
    );
    drop((first, second));
    while client.follow_log(follow()).await.is_err() {
        tokio::task::yield_now().await;
    }

    let search = || SearchLogRequest {
        scope: Some(search_log_request::Scope::Stream(driver_name())),
        pattern: Some(search_log_request::Pattern::Literal("y".to_owned())),
        ..Default::default()
    };
    let held = [readers.search().unwrap(), readers.search().unwrap()];
    assert_eq!(
        reason(client.search_log(search()).await),
        ErrorReason::Overloaded
    );
    drop(held);
    assert!(client.search_log(search()).await.is_ok());
}
