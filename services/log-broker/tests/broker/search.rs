//! Searches over many streams, live lines and gaps, and through the gRPC face.

use moka_core::ErrorReason;
use moka_log_broker::{
    archive::Limits,
    domain::{
        completeness::Verdict, cursor::Cursor, hits::Context, pattern::Pattern, stream::Source,
    },
    serving::{SearchAnswer, SearchRequest, SearchScope, SourceRequest, StreamRequest},
};
use moka_proto::logs::v1::{
    AttemptScope, CompletenessVerdict, ReadLogRequest, SearchLogRequest, search_log_request,
};

use crate::{
    api::{client, reason},
    raw::{FILE, attempt, grammar, object, objects},
    serving::{LIMITS, cri, driver_target, texts},
    world::{PATH, World, driver},
};

const NO_LINES: Context = Context {
    before: 0,
    after: 0,
};

fn request(scope: SearchScope, needle: &str, context: Context) -> SearchRequest {
    SearchRequest {
        scope,
        pattern: Pattern::literal(needle, false).unwrap(),
        context,
        maximum_hits: 100,
    }
}

fn application() -> SearchScope {
    SearchScope::Application(attempt().application_id)
}

fn found(answer: &SearchAnswer) -> Vec<String> {
    let text = |text: &[u8]| String::from_utf8(text.to_vec()).unwrap();
    let hits = answer.hits.iter();
    hits.map(|(stream, hit)| match &stream.source {
        Source::Container { pod, .. } => format!("{pod}: {}", text(&hit.line.text)),
        Source::EventLog { .. } => format!("events: {}", text(&hit.line.text)),
    })
    .collect()
}

/// A driver, two executors and an event log, each with a hit.
async fn shipped() -> World {
    let world = World::new();
    let name = attempt();
    for pod in [
        name.driver_pod(),
        format!("{name}-exec-1"),
        format!("{name}-exec-2"),
    ] {
        let container = if pod == name.driver_pod() {
            "spark-kubernetes-driver"
        } else {
            "spark-kubernetes-executor"
        };
        let lines = [
            format!("2026-11-21T02:00:00Z stdout F begin of {pod}"),
            "2026-11-21T02:00:01Z stderr F OutOfMemoryError".to_owned(),
            "2026-11-21T02:00:02Z stdout F end".to_owned(),
        ];
        let path = format!("/var/log/pods/ns_{pod}_uid/{container}/0.log");
        let key = format!(
            "{}{pod}/{container}/1.jsonl",
            grammar().containers_prefix(name)
        );
        world.store.put(&key, object(&path, None, 0, &lines)).await;
    }
    let key = format!("{}{FILE}/1.jsonl", grammar().events_prefix(name));
    let path = format!("/var/lib/moka/events/{name}/{FILE}");
    let lines = ["{\"Event\":\"x\"}", "{\"Reason\":\"OutOfMemoryError\"}"];
    world.store.put(&key, object(&path, None, 0, &lines)).await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    world
}

#[tokio::test]
async fn every_stream_of_an_application_is_searched_in_order() {
    let world = shipped().await;
    let serving = world.serving();
    let name = attempt();
    let expected = [
        format!("{}: OutOfMemoryError", name.driver_pod()),
        format!("{name}-exec-1: OutOfMemoryError"),
        format!("{name}-exec-2: OutOfMemoryError"),
        "events: {\"Reason\":\"OutOfMemoryError\"}".to_owned(),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    for scope in [
        application(),
        SearchScope::Attempt(name.application_id, None),
        SearchScope::Attempt(name.application_id, Some(1)),
    ] {
        let request = request(scope, "OutOfMemory", NO_LINES);
        let answer = serving.search(&request, None).await.unwrap();
        let mut hits = found(&answer);
        hits.sort();
        assert_eq!((hits, answer.next), (expected.clone(), None));
        assert_eq!(answer.completeness.verdict, Verdict::Complete);

        let one_by_one = SearchRequest {
            maximum_hits: 1,
            ..request
        };
        let mut hits = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let serving = world.serving();
            let page = serving.search(&one_by_one, after.as_deref()).await.unwrap();
            hits.extend(found(&page));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        hits.sort();
        assert_eq!(hits, expected);
    }
}

#[tokio::test]
async fn live_lines_are_searched_with_the_archived_ones_around_them() {
    let world = World::new();
    let time = |second: i64| jiff::Timestamp::from_second(1_795_226_400 + second).unwrap();
    let lines: Vec<_> = ["a", "b", "x1", "c", "x2", "d"]
        .iter()
        .enumerate()
        .map(|(second, text)| (time(i64::try_from(second).unwrap()), (*text).to_owned()))
        .collect();
    *world.cluster.file.lock().unwrap() = Some(lines.clone());
    for shipped in [0, 2, 3, 4, 6] {
        if shipped > 0 {
            let bytes = object(PATH, Some("7-1"), 0, &cri(&lines[..shipped]));
            world.ship(&format!("{shipped}"), bytes).await;
        }
        let serving = world.serving();
        let around = Context {
            before: 2,
            after: 2,
        };
        let request = request(application(), "x", around);
        let answer = serving.search(&request, None).await.unwrap();
        let target = driver_target(&serving).await;
        let mut shown = Vec::new();
        for (_, hit) in &answer.hits {
            let text = |line: &moka_log_broker::domain::lines::Line| {
                String::from_utf8(line.text.to_vec()).unwrap()
            };
            let before: Vec<_> = hit.before.iter().map(text).collect();
            let after: Vec<_> = hit.after.iter().map(text).collect();
            shown.push(format!(
                "{}[{}]{}",
                before.join(""),
                text(&hit.line),
                after.join("")
            ));
            let limits = Limits { lines: 1, ..LIMITS };
            let read = serving.read(&target, hit.start, limits).await.unwrap();
            assert_eq!(texts(&read), [text(&hit.line)], "{shipped}");
        }
        assert_eq!(shown, ["ab[x1]cx2", "x1c[x2]d"], "{shipped} shipped");
        assert_eq!(answer.completeness.verdict, Verdict::Open);
        assert_eq!(answer.next, None);
    }
}

#[tokio::test]
async fn search_says_what_it_could_not_look_at() {
    let world = World::new();
    let lines: Vec<_> = (0..9)
        .map(|second| format!("2026-11-21T02:00:0{second}Z stderr F x{second}"))
        .collect();
    let all = objects(PATH, None, &lines, 3);
    world.ship("a", all[0].clone()).await;
    world.ship("c", all[2].clone()).await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let serving = world.serving();
    let request = request(application(), "x", NO_LINES);
    // The gap is young: it may still be filled.
    let answer = serving.search(&request, None).await.unwrap();
    assert_eq!(answer.hits.len(), 3);
    assert_eq!(answer.completeness.verdict, Verdict::Open);
    world.store.wait(100);
    let answer = serving.search(&request, None).await.unwrap();
    assert_eq!(answer.hits.len(), 6);
    assert_eq!(answer.completeness.verdict, Verdict::Lost);
    let size = lines[0].len() as u64 + 1;
    let gap = &answer.completeness.gaps[0];
    assert_eq!((gap.start_bytes, gap.end_bytes), (3 * size, 6 * size));
}

#[tokio::test]
async fn object_without_the_text_is_not_parsed() {
    let world = World::new();
    let lines: Vec<_> = (0..30)
        .map(|second| format!("2026-11-21T02:00:{second:02}Z stderr F line {second}"))
        .collect();
    for (number, bytes) in objects(PATH, None, &lines, 10).into_iter().enumerate() {
        world.ship(&format!("{number}"), bytes).await;
    }
    world.applications.set(Some(world.store.now()));
    world.store.wait(100);
    let serving = world.serving();
    let pattern = Pattern::literal("line 15", false).unwrap();
    let keys = world.store.list(&grammar().stream_prefix(&driver())).await;
    let mut parsed = Vec::new();
    for meta in keys {
        let objects = &serving.objects;
        let loaded = objects.load_screened(&meta.key, pattern.screen().cloned());
        parsed.push(loaded.await.unwrap().is_some());
    }
    assert_eq!(parsed, [false, true, false]);
}

fn wire(needle: &str) -> SearchLogRequest {
    SearchLogRequest {
        scope: Some(search_log_request::Scope::ApplicationId(
            attempt().application_id.to_string(),
        )),
        pattern: Some(search_log_request::Pattern::Literal(needle.to_owned())),
        ..Default::default()
    }
}

#[tokio::test]
async fn hits_travel_with_their_stream_and_a_cursor_that_reads_them() {
    let world = shipped().await;
    let mut client = client(&world);
    let search = SearchLogRequest {
        page_size: 1,
        lines_before: 1,
        lines_after: 1,
        ..wire("OutOfMemory")
    };
    let page = client
        .search_log(search.clone())
        .await
        .unwrap()
        .into_inner();
    let hit = &page.hits[0];
    assert_eq!(&hit.line.as_ref().unwrap().text[..], b"OutOfMemoryError");
    assert_eq!(&hit.after[0].text[..], b"end");
    assert!(hit.before[0].text.starts_with(b"begin of "));
    assert_eq!(
        page.completeness.unwrap().verdict(),
        CompletenessVerdict::Open
    );
    assert!(page.searched_bytes > 0);
    let read = ReadLogRequest {
        stream: hit.stream.clone(),
        cursor: hit.cursor.clone(),
        maximum_lines: 1,
        ..Default::default()
    };
    let read = client.read_log(read).await.unwrap().into_inner();
    assert_eq!(read.lines[..], [hit.line.clone().unwrap()]);

    let mut count = 1;
    let mut token = page.next_page_token;
    while !token.is_empty() {
        let next = SearchLogRequest {
            page_token: token,
            ..search.clone()
        };
        let page = client.search_log(next).await.unwrap().into_inner();
        count += page.hits.len();
        token = page.next_page_token;
    }
    assert_eq!(count, 4);
}

#[tokio::test]
async fn search_that_cannot_be_answered_has_its_reason() {
    let world = shipped().await;
    let mut client = client(&world);
    let page = SearchLogRequest {
        page_size: 1,
        ..wire("OutOfMemory")
    };
    let page = client.search_log(page).await.unwrap().into_inner();
    let foreign_token = SearchLogRequest {
        page_token: page.next_page_token,
        ..wire("other")
    };
    let damaged_token = SearchLogRequest {
        page_token: "x".to_owned(),
        ..wire("x")
    };
    let scope = |application_id: &str, attempt_number| {
        let scope = AttemptScope {
            application_id: application_id.to_owned(),
            attempt_number,
        };
        SearchLogRequest {
            scope: Some(search_log_request::Scope::Attempt(scope)),
            ..wire("x")
        }
    };
    for (request, expected) in [
        (foreign_token, ErrorReason::InvalidPageToken),
        (damaged_token, ErrorReason::InvalidPageToken),
        (wire(""), ErrorReason::InvalidField),
        (
            scope("m01hf7yat00v2t9d4h5w8k3e6qy", 0),
            ErrorReason::ApplicationNotFound,
        ),
        (
            scope(&attempt().application_id.to_string(), 2),
            ErrorReason::LogStreamNotFound,
        ),
        (
            scope(&attempt().application_id.to_string(), -1),
            ErrorReason::InvalidField,
        ),
    ] {
        assert_eq!(reason(client.search_log(request).await), expected);
    }
    let serving = world.serving();
    let request = request(application(), "x", NO_LINES);
    for end in ["", "\n", "0000000001/", "9\nx"] {
        let answer = serving.search(&request, Some(end)).await;
        assert!(answer.is_ok(), "{end:?}");
    }
    let key = format!("{:010}/{}", 1, driver());
    let other = Cursor::Offset(1).encode(&driver());
    let answer = serving
        .search(&request, Some(&format!("{key}\n{other}")))
        .await;
    let error = moka_core::PublicError::from(answer.unwrap_err());
    assert_eq!(error.reason, ErrorReason::InvalidPageToken);
}

#[tokio::test]
async fn call_ends_its_page_with_the_object_that_reaches_its_budget() {
    let world = World::new();
    let line = |second| format!("2026-11-21T02:00:0{second}Z stdout F hit");
    let lines: Vec<_> = (0..6).map(line).collect();
    let parts = objects(PATH, Some("7-1"), &lines, 2);
    for (number, bytes) in parts.into_iter().enumerate() {
        world.ship(&number.to_string(), bytes).await;
    }
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let object_bytes = 2 * (lines[0].len() as u64 + 1);
    for (budget_bytes, object_count) in [
        (1, 1),
        (object_bytes, 1),
        (object_bytes + 1, 2),
        (2 * object_bytes, 2),
        (2 * object_bytes + 1, 3),
        (u64::MAX, 3),
    ] {
        let mut serving = world.serving();
        serving.settings.search_bytes = budget_bytes;
        let request = request(application(), "hit", NO_LINES);
        let answer = serving.search(&request, None).await.unwrap();
        assert_eq!(answer.searched_bytes, object_count * object_bytes);
        assert_eq!(answer.hits.len() as u64, 2 * object_count);
        assert_eq!(answer.next.is_some(), object_count < 3, "{budget_bytes}");
    }
}

#[tokio::test]
async fn running_executors_are_searched_to_their_newest_line_once_they_were_shipped() {
    let world = shipped().await;
    world.applications.set(None);
    let written = [
        ("2026-11-21T02:00:00Z", "begin"),
        ("2026-11-21T02:00:01Z", "OutOfMemoryError"),
        ("2026-11-21T02:00:02Z", "end"),
        ("2026-11-21T02:00:03Z", "OutOfMemoryError again"),
    ];
    let written = written.map(|(time, text)| (time.parse().unwrap(), text.to_owned()));
    *world.cluster.file.lock().unwrap() = Some(written.to_vec());
    let serving = world.serving();
    let name = attempt();
    let request = request(application(), "OutOfMemoryError", NO_LINES);
    let answer = serving.search(&request, None).await.unwrap();
    assert_eq!(answer.completeness.verdict, Verdict::Open);
    let hits = found(&answer);
    for pod in [
        name.driver_pod(),
        format!("{name}-exec-1"),
        format!("{name}-exec-2"),
    ] {
        for text in ["OutOfMemoryError", "OutOfMemoryError again"] {
            let hit = format!("{pod}: {text}");
            assert_eq!(
                hits.iter().filter(|found| **found == hit).count(),
                1,
                "{hit}"
            );
        }
    }
    assert_eq!(hits.len(), 3 * 2 + 1);

    // Of this one nothing was shipped: it is searched when it is named.
    let named = SearchScope::Stream(StreamRequest {
        application_id: name.application_id,
        attempt_number: None,
        source: SourceRequest::Container {
            pod: format!("{name}-exec-3"),
            container: String::new(),
        },
    });
    let request = SearchRequest {
        scope: named,
        ..request
    };
    let answer = serving.search(&request, None).await.unwrap();
    assert_eq!(found(&answer).len(), 2);
}
