//! Readers get every line once, over archive and cluster, and hear what is missing.

use jiff::{SignedDuration, Timestamp};
use moka_log_broker::{
    archive::Limits,
    domain::{completeness::Verdict, cursor::Cursor},
    serving::{Answer, Serving, SourceRequest, StreamRequest, Target},
};

use crate::{
    life::{Life, STEPS},
    random::Random,
    raw::{attempt, object, objects},
    world::{PATH, World},
};

pub(crate) const LIMITS: Limits = Limits {
    lines: 1000,
    text_bytes: 1 << 20,
    until: None,
};

pub(crate) async fn target(serving: &Serving, source: SourceRequest) -> Target {
    let application_id = attempt().application_id;
    let request = StreamRequest {
        application_id,
        attempt_number: None,
        source,
    };
    serving.resolve(request).await.unwrap()
}

pub(crate) async fn driver_target(serving: &Serving) -> Target {
    target(
        serving,
        SourceRequest::Container {
            pod: String::new(),
            container: String::new(),
        },
    )
    .await
}

pub(crate) fn texts(answer: &Answer) -> Vec<String> {
    answer
        .lines
        .iter()
        .map(|line| String::from_utf8(line.text.to_vec()).unwrap())
        .collect()
}

/// Lines with their times, some of them equal.
pub(crate) fn written(count: usize, random: &mut Random) -> Vec<(Timestamp, String)> {
    let mut time: Timestamp = "2026-11-21T02:00:00Z".parse().unwrap();
    let mut lines = Vec::new();
    for number in 0..count {
        time += SignedDuration::from_millis([0, 1, 1, 400, 3000][random.below(5)]);
        // Equal texts, so that only places tell lines apart.
        lines.push((time, format!("line {}", number / 3)));
    }
    lines
}

pub(crate) fn cri(lines: &[(Timestamp, String)]) -> Vec<String> {
    lines
        .iter()
        .map(|(time, text)| format!("{time} stdout F {text}"))
        .collect()
}

/// A reader reads in between with every kind of limit.
async fn reads_each_line_once(seed: u64) {
    let mut life = Life::new(seed);
    let mut received = Vec::new();
    let mut token = String::new();
    for step in 1..=STEPS {
        life.go_on(step).await;
        // A process may be replaced at any time: the cursor is all that stays.
        let serving = life.world.serving();
        let target = driver_target(&serving).await;
        let random = &mut life.random;
        for _ in 0..if step == STEPS { 200 } else { random.below(3) } {
            let limits = Limits {
                lines: 1 + random.below(20),
                text_bytes: 1 + random.below(200),
                until: None,
            };
            let cursor = Cursor::decode(&token, &target.stream).unwrap();
            let answer = serving.read(&target, cursor, limits).await.unwrap();
            received.extend(texts(&answer));
            token = answer.next.encode(&target.stream);
        }
    }
    assert_eq!(received, life.texts(), "seed {seed}");
}

#[tokio::test]
async fn line_is_read_once_across_live_and_archive() {
    for seed in 0..100 {
        reads_each_line_once(seed).await;
    }
}

#[tokio::test]
async fn tail_is_the_last_lines_of_archive_and_cluster() {
    let mut random = Random(3);
    let world = World::new();
    let lines = written(60, &mut random);
    for (number, bytes) in objects(PATH, None, &cri(&lines[..40]), 7)
        .into_iter()
        .enumerate()
    {
        world.ship(&format!("{number}"), bytes).await;
    }
    *world.cluster.file.lock().unwrap() = Some(lines.clone());
    let serving = world.serving();
    let target = driver_target(&serving).await;
    for count in [1, 5, 19, 20, 21, 33, 59, 60, 61, 1000] {
        let cursor = serving.tail(&target, count).await.unwrap();
        let answer = serving.read(&target, cursor, LIMITS).await.unwrap();
        let start = lines.len().saturating_sub(count);
        let expected: Vec<_> = lines[start..]
            .iter()
            .map(|(_, text)| text.clone())
            .collect();
        assert_eq!(texts(&answer), expected, "last {count}");
        assert_eq!(answer.completeness.verdict, Verdict::Open);
    }
}

#[tokio::test]
async fn reader_waits_at_a_young_gap_and_hears_of_an_old_one() {
    let world = World::new();
    let lines: Vec<_> = (0..9)
        .map(|second| format!("2026-11-21T02:00:0{second}Z stderr F {second}"))
        .collect();
    let all = objects(PATH, None, &lines, 3);
    world.ship("a", all[0].clone()).await;
    world.ship("b", all[2].clone()).await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let serving = world.serving();
    let target = driver_target(&serving).await;
    let answer = serving.read(&target, Cursor::Begin, LIMITS).await.unwrap();
    assert_eq!(texts(&answer), ["0", "1", "2"]);
    assert!(answer.at_end && !answer.finished);
    assert_eq!(answer.completeness.verdict, Verdict::Open);

    world.store.wait(60);
    let answer = serving.read(&target, answer.next, LIMITS).await.unwrap();
    assert_eq!(texts(&answer), ["6", "7", "8"]);
    assert_eq!(answer.completeness.verdict, Verdict::Lost);
    let gap = &answer.completeness.gaps[0];
    let size = lines[0].len() as u64 + 1;
    assert_eq!(
        (&*gap.path, gap.start_bytes, gap.end_bytes),
        (PATH, 3 * size, 6 * size)
    );

    world.ship("c", all[1].clone()).await;
    world.store.wait(10);
    let answer = serving.read(&target, Cursor::Begin, LIMITS).await.unwrap();
    assert_eq!(answer.lines.len(), 9);
    assert_eq!(
        (answer.finished, answer.completeness.verdict),
        (true, Verdict::Complete)
    );
}

#[tokio::test]
async fn beginning_that_was_rotated_away_is_truncated() {
    let world = World::new();
    world
        .ship(
            "a",
            object(PATH, None, 1000, &["2026-11-21T02:00:00Z stdout F late"]),
        )
        .await;
    world.applications.set(Some(world.store.now()));
    world.store.wait(100);
    let serving = world.serving();
    let target = driver_target(&serving).await;
    let answer = serving.read(&target, Cursor::Begin, LIMITS).await.unwrap();
    assert_eq!(texts(&answer), ["late"]);
    assert_eq!(answer.completeness.verdict, Verdict::Truncated);
    assert_eq!(answer.completeness.gaps[0].end_bytes, 1000);
}

#[tokio::test]
async fn line_that_travels_in_pieces_is_one_line() {
    let world = World::new();
    let record = |offset: u64, log: &str, torn: bool| {
        let record = serde_json::json!({
            "path": PATH, "offset": offset, "log": log, "generation": "7-9", "torn": torn,
        });
        format!("{record}\n").into_bytes()
    };
    let head = "2026-11-21T02:00:00Z stdout F long ";
    world.ship("b", record(0, head, true)).await;
    let end = [
        record(head.len() as u64, "line", false),
        record(
            head.len() as u64 + 5,
            "2026-11-21T02:00:01Z stdout F torn",
            true,
        ),
    ];
    world.ship("a", end.concat()).await;
    world.applications.set(Some(world.store.now()));
    let serving = world.serving();
    let target = driver_target(&serving).await;
    // While the stream may grow, a line without its end waits.
    let answer = serving.read(&target, Cursor::Begin, LIMITS).await.unwrap();
    assert_eq!(texts(&answer), ["long line"]);
    world.store.wait(20);
    let answer = serving.read(&target, answer.next, LIMITS).await.unwrap();
    assert_eq!(texts(&answer), ["torn"]);
    assert_eq!(
        (answer.finished, answer.completeness.verdict),
        (true, Verdict::Complete)
    );
}
