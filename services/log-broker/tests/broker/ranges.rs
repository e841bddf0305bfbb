//! A range of time is what the whole log has of it, over archive and cluster, and at any page size.

use jiff::{SignedDuration, Timestamp};
use moka_log_broker::{
    archive::Limits,
    domain::{completeness::Verdict, cursor::Cursor},
};

use crate::{
    random::Random,
    raw::{object, objects},
    serving::{LIMITS, cri, driver_target, texts, written},
    world::{PATH, World},
};

async fn read_range(
    world: &World,
    since: Timestamp,
    until: Timestamp,
    lines_per_page: usize,
) -> Vec<String> {
    let mut received = Vec::new();
    let mut cursor = Cursor::Time(since);
    loop {
        let serving = world.serving();
        let target = driver_target(&serving).await;
        let limits = Limits {
            lines: lines_per_page,
            until: Some(until),
            ..LIMITS
        };
        let answer = serving.read(&target, cursor, limits).await.unwrap();
        received.extend(texts(&answer));
        // What a caller gets is a token.
        let token = answer.next.encode(&target.stream);
        cursor = Cursor::decode(&token, &target.stream).unwrap();
        if answer.at_end {
            return received;
        }
    }
}

fn expected(lines: &[(Timestamp, String)], since: Timestamp, until: Timestamp) -> Vec<String> {
    let within = lines
        .iter()
        .filter(|(time, _)| since <= *time && *time < until);
    within.map(|(_, text)| text.clone()).collect()
}

#[tokio::test]
async fn range_is_the_same_from_archive_and_cluster_and_at_any_page_size() {
    let mut random = Random(11);
    for shipped in [0, 30, 60] {
        let world = World::new();
        let lines = written(60, &mut random);
        for (number, bytes) in objects(PATH, None, &cri(&lines[..shipped]), 7)
            .into_iter()
            .enumerate()
        {
            world.ship(&format!("{number:02}"), bytes).await;
        }
        *world.cluster.file.lock().unwrap() = Some(lines.clone());
        for _ in 0..40 {
            let [first, last] = [random.below(60), random.below(60)].map(|index| lines[index].0);
            let since = first.min(last);
            let until = first.max(last) + SignedDuration::from_nanos(1);
            let range = read_range(&world, since, until, 1 + random.below(20)).await;
            assert_eq!(
                range,
                expected(&lines, since, until),
                "{shipped} {since} {until}"
            );
        }
    }
}

#[tokio::test]
async fn range_beyond_the_end_is_empty_and_goes_on_when_there_is_more() {
    let mut random = Random(5);
    let world = World::new();
    let lines = written(20, &mut random);
    world
        .ship("a", object(PATH, Some("7-1"), 0, &cri(&lines[..10])))
        .await;
    *world.cluster.file.lock().unwrap() = Some(lines[..10].to_vec());
    let serving = world.serving();
    let target = driver_target(&serving).await;
    let since = lines[9].0 + SignedDuration::from_nanos(1);
    let answer = serving.read(&target, Cursor::Time(since), LIMITS).await;
    let answer = answer.unwrap();
    assert_eq!(texts(&answer), Vec::<String>::new());
    assert!(answer.at_end);
    assert_eq!(answer.completeness.verdict, Verdict::Open);
    *world.cluster.file.lock().unwrap() = Some(lines.clone());
    let answer = serving.read(&target, answer.next, LIMITS).await.unwrap();
    assert_eq!(texts(&answer), expected(&lines, since, Timestamp::MAX));
}

#[tokio::test]
async fn range_that_ends_before_the_log_vouches_for_itself() {
    let world = World::new();
    // Standard error overtakes: its second line counts with the time of the line before it.
    let lines = [
        "2026-11-21T02:00:01Z stdout F a",
        "2026-11-21T02:00:03Z stdout F b",
        "2026-11-21T02:00:02Z stderr F c",
        "2026-11-21T02:00:04Z stdout F d",
    ];
    world.ship("a", object(PATH, None, 0, &lines)).await;
    let serving = world.serving();
    let target = driver_target(&serving).await;
    let time = |second: i64| Timestamp::from_second(1_795_226_400 + second).unwrap();
    for (since, until, expected, verdict) in [
        (0, 2, &["a"][..], Verdict::Complete),
        (2, 3, &[], Verdict::Complete),
        (3, 4, &["b", "c"], Verdict::Complete),
        (3, 5, &["b", "c", "d"], Verdict::Open),
    ] {
        let limits = Limits {
            until: Some(time(until)),
            ..LIMITS
        };
        let answer = serving
            .read(&target, Cursor::Time(time(since)), limits)
            .await;
        let answer = answer.unwrap();
        assert_eq!(texts(&answer), expected);
        assert_eq!(answer.completeness.verdict, verdict, "{since} {until}");
        assert!(answer.at_end);
    }
}

#[tokio::test]
async fn line_that_another_output_interrupts_is_whole_wherever_reading_starts() {
    let world = World::new();
    let lines = [
        "2026-11-21T02:00:01Z stdout F first",
        "2026-11-21T02:00:02Z stdout P one ",
        "2026-11-21T02:00:03Z stderr F between",
        "2026-11-21T02:00:04Z stdout F line",
        "2026-11-21T02:00:05Z stdout F last",
    ]
    .map(str::to_owned);
    for (number, bytes) in objects(PATH, None, &lines, 1).into_iter().enumerate() {
        world.ship(&format!("{number}"), bytes).await;
    }
    world.applications.set(Some(world.store.now()));
    world.store.wait(20);
    let serving = world.serving();
    let target = driver_target(&serving).await;
    let whole = ["first", "between", "one line", "last"];
    for count in 1..=4 {
        let cursor = serving.tail(&target, count).await.unwrap();
        let answer = serving.read(&target, cursor, LIMITS).await.unwrap();
        assert_eq!(texts(&answer), whole[4 - count..]);
    }
}
