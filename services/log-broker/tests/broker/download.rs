//! A download is the stream's text, byte for byte, in whatever parts and forms it comes.

use jiff::Timestamp;
use moka_core::ErrorReason;
use moka_log_broker::{
    domain::{
        completeness::{Completeness, Verdict},
        cursor::Cursor,
        stream::Source,
    },
    serving::{Download, Encoding, Part, Serving, SourceRequest, Target},
};
use moka_proto::logs::v1::{
    CompletenessVerdict, ContainerSource, DownloadEncoding, DownloadLogRequest, LogStreamName,
    log_stream_name,
};

use crate::{
    api::{client, reason},
    raw::{FILE, attempt, grammar, object, objects},
    serving::{cri, driver_target, target},
    world::{PATH, World, driver},
};

/// Downloads from a cursor to the end, or until so many parts came.
async fn download(
    serving: &Serving,
    target: &Target,
    cursor: Cursor,
    encoding: Encoding,
    most_parts: usize,
) -> (Vec<u8>, Cursor, Option<Completeness>) {
    let started = Download::start(serving.clone(), target.clone(), cursor, encoding).await;
    let mut download = started.unwrap();
    let (mut bytes, mut next, mut end) = (Vec::new(), cursor, None);
    for _ in 0..most_parts {
        let part = download.next().await.unwrap();
        match part.expect("a download ends by saying so") {
            Part::Bytes(part, cursor) => {
                assert!(!part.is_empty());
                bytes.extend(part);
                next = cursor;
            }
            Part::End(cursor, completeness) => {
                next = cursor;
                end = Some(completeness);
                assert_eq!(download.next().await.unwrap(), None);
                break;
            }
        }
    }
    (bytes, next, end)
}

/// Some MiB of lines, shipped but for the last ones.
async fn large(world: &World, shipped: usize) -> Vec<(Timestamp, String)> {
    let begin: Timestamp = "2026-11-21T02:00:00Z".parse().unwrap();
    let lines: Vec<_> = (0..3_000)
        .map(|number| {
            let time = begin + jiff::SignedDuration::from_millis(number);
            (time, format!("{number} {}", "x".repeat(1_000)))
        })
        .collect();
    for (number, bytes) in objects(PATH, Some("7-1"), &cri(&lines[..shipped]), 500)
        .into_iter()
        .enumerate()
    {
        world.ship(&format!("{number}"), bytes).await;
    }
    lines
}

fn text(lines: &[(Timestamp, String)]) -> Vec<u8> {
    let lines = lines.iter().map(|(_, text)| format!("{text}\n"));
    lines.collect::<String>().into_bytes()
}

#[tokio::test]
async fn download_can_be_resumed_and_compressed() {
    let world = World::new();
    let lines = large(&world, 3_000).await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let serving = world.serving();
    let target = driver_target(&serving).await;
    let expected = text(&lines);
    for encoding in [Encoding::Plain, Encoding::Zstd] {
        let plain = |bytes: Vec<u8>| match encoding {
            Encoding::Plain => bytes,
            Encoding::Zstd => zstd::stream::decode_all(&*bytes).unwrap(),
        };
        let (whole, _, end) =
            download(&serving, &target, Cursor::Begin, encoding, usize::MAX).await;
        assert!(plain(whole) == expected, "{encoding:?}");
        assert_eq!(end.unwrap().verdict, Verdict::Complete);
        for parts in 1..3 {
            let begun = download(&serving, &target, Cursor::Begin, encoding, parts).await;
            let (mut bytes, next, end) = begun;
            assert_eq!(end, None);
            // A process may be replaced at any time: the token is all that stays.
            let token = next.encode(&target.stream);
            let next = Cursor::decode(&token, &target.stream).unwrap();
            let rest = download(&world.serving(), &target, next, encoding, usize::MAX).await;
            bytes.extend(rest.0);
            assert!(plain(bytes) == expected, "{encoding:?} after {parts}");
        }
    }
}

#[tokio::test]
async fn what_only_the_cluster_has_comes_after_the_archive() {
    let world = World::new();
    let lines = large(&world, 2_500).await;
    *world.cluster.file.lock().unwrap() = Some(lines.clone());
    let serving = world.serving();
    let target = driver_target(&serving).await;
    let (bytes, _, end) = download(
        &serving,
        &target,
        Cursor::Begin,
        Encoding::Plain,
        usize::MAX,
    )
    .await;
    assert!(bytes == text(&lines));
    assert_eq!(end.unwrap().verdict, Verdict::Open);
}

#[tokio::test]
async fn event_log_comes_as_it_is_in_its_file() {
    let world = World::new();
    let record = |offset: usize, log: &str, torn: bool| {
        let record = serde_json::json!({
            "path": format!("/e/{FILE}"), "offset": offset, "log": log, "generation": "7-9", "torn": torn,
        });
        format!("{record}\n").into_bytes()
    };
    let mut name = driver();
    name.source = Source::EventLog {
        file: FILE.to_owned(),
    };
    let long = "y".repeat(3 << 20);
    let mut bytes = record(0, &long, false);
    bytes.extend(record(long.len() + 1, "", false));
    bytes.extend(record(long.len() + 2, "{\"torn", true));
    let key = format!("{}1.jsonl", grammar().stream_prefix(&name));
    world.store.put(&key, bytes).await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let serving = world.serving();
    let source = SourceRequest::EventLog {
        file: String::new(),
    };
    let target = target(&serving, source).await;
    let (bytes, ..) = download(
        &serving,
        &target,
        Cursor::Begin,
        Encoding::Plain,
        usize::MAX,
    )
    .await;
    assert!(bytes == format!("{long}\n\n{{\"torn").into_bytes());
}

#[tokio::test]
async fn download_ends_at_a_young_gap_and_tells_of_an_old_one() {
    let world = World::new();
    let lines: Vec<_> = (0..9)
        .map(|second| format!("2026-11-21T02:00:0{second}Z stderr F {second}"))
        .collect();
    let all = objects(PATH, None, &lines, 3);
    world.ship("a", all[0].clone()).await;
    world.ship("c", all[2].clone()).await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let serving = world.serving();
    let target = driver_target(&serving).await;
    let (bytes, next, end) = download(&serving, &target, Cursor::Begin, Encoding::Plain, 9).await;
    assert_eq!(bytes, b"0\n1\n2\n");
    assert_eq!(end.unwrap().verdict, Verdict::Open);
    world.store.wait(100);
    let (bytes, _, end) = download(&serving, &target, next, Encoding::Plain, 9).await;
    assert_eq!(bytes, b"6\n7\n8\n");
    let end = end.unwrap();
    assert_eq!((end.verdict, end.gaps.len()), (Verdict::Lost, 1));
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

#[tokio::test]
async fn last_answer_alone_has_the_verdict() {
    let world = World::new();
    let line = "2026-11-21T02:00:00Z stderr F hello";
    world.ship("1", object(PATH, None, 0, &[line])).await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let mut client = client(&world);
    let request = DownloadLogRequest {
        stream: Some(driver_name()),
        encoding: DownloadEncoding::Zstd.into(),
        ..Default::default()
    };
    let mut answers = client
        .download_log(request.clone())
        .await
        .unwrap()
        .into_inner();
    let first = answers.message().await.unwrap().unwrap();
    assert_eq!(zstd::stream::decode_all(&*first.data).unwrap(), b"hello\n");
    assert_eq!(first.completeness, None);
    let last = answers.message().await.unwrap().unwrap();
    assert!(last.data.is_empty());
    assert_eq!(
        last.completeness.unwrap().verdict(),
        CompletenessVerdict::Complete
    );
    assert_eq!(answers.message().await.unwrap(), None);

    let foreign = Cursor::Offset(1).encode(&driver());
    for (request, expected) in [
        (
            DownloadLogRequest {
                cursor: foreign,
                ..request.clone()
            },
            ErrorReason::InvalidCursor,
        ),
        (
            DownloadLogRequest {
                encoding: 9,
                ..request.clone()
            },
            ErrorReason::InvalidField,
        ),
        (DownloadLogRequest::default(), ErrorReason::InvalidField),
        (
            DownloadLogRequest {
                stream: Some(LogStreamName {
                    application_id: "m01hf7yat00v2t9d4h5w8k3e6qy".to_owned(),
                    ..driver_name()
                }),
                ..request.clone()
            },
            ErrorReason::ApplicationNotFound,
        ),
        (
            DownloadLogRequest {
                stream: Some(LogStreamName {
                    source: Some(log_stream_name::Source::Container(ContainerSource {
                        pod: String::new(),
                        container: "sidecar".to_owned(),
                    })),
                    ..driver_name()
                }),
                ..request
            },
            ErrorReason::LogStreamNotFound,
        ),
    ] {
        assert_eq!(reason(client.download_log(request).await), expected);
    }
}
