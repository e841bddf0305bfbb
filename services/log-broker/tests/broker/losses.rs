//! A shipper that had to give up the end of a file leaves a mark; readers hear what they miss.

use moka_log_broker::{
    archive::Limits,
    domain::{completeness::Verdict, cursor::Cursor},
};

use crate::{
    random::Random,
    raw::{objects, text},
    serving::{LIMITS, cri, driver_target, texts, written},
    world::{PATH, World},
};

const GENERATION: &str = "7-1000";

/// As log-shipper writes it: a line of no bytes where the loss ends.
fn mark(end_bytes: usize, lost_bytes: usize) -> Vec<u8> {
    let record = serde_json::json!({
        "date": "2026-11-21T03:00:00Z", "path": PATH, "offset": end_bytes, "log": "", "torn": true,
        "generation": GENERATION, "cluster": "local", "lost_bytes": lost_bytes,
    });
    format!("{record}\n").into_bytes()
}

/// Ships the first `kept_lines` of thirty and the mark; reads all, `lines_per_page` at a time.
async fn check(kept_lines: usize, lines_per_page: usize, expected: Verdict) {
    let world = World::new();
    let lines = written(30, &mut Random(3));
    let file = cri(&lines);
    let (end, kept) = (text(&file).len(), text(&file[..kept_lines]).len());
    world.ship("mark", mark(end, end - kept)).await;
    for (number, bytes) in objects(PATH, Some(GENERATION), &file[..kept_lines], 7)
        .into_iter()
        .enumerate()
    {
        world.ship(&format!("{number:02}"), bytes).await;
    }
    world.applications.set(Some(world.store.now()));
    world.store.wait(3600);

    let serving = world.serving();
    let target = driver_target(&serving).await;
    let mut received = Vec::new();
    let mut cursor = Cursor::Begin;
    let completeness = loop {
        let limits = Limits {
            lines: lines_per_page,
            ..LIMITS
        };
        let answer = serving.read(&target, cursor, limits).await.unwrap();
        received.extend(texts(&answer));
        cursor = answer.next;
        if answer.at_end {
            break answer.completeness;
        }
    };
    let kept_texts: Vec<_> = lines[..kept_lines].iter().map(|(_, text)| text).collect();
    assert_eq!(received.iter().collect::<Vec<_>>(), kept_texts);
    assert_eq!(completeness.verdict, expected);
    let gaps = completeness.gaps.iter();
    let gaps: Vec<_> = gaps.map(|gap| (gap.start_bytes, gap.end_bytes)).collect();
    let missing = (kept as u64, end as u64);
    assert_eq!(gaps, if kept == end { vec![] } else { vec![missing] });
}

#[tokio::test]
async fn lost_end_of_a_file_is_named_to_the_byte() {
    for lines_per_page in [4, 1000] {
        check(20, lines_per_page, Verdict::Lost).await;
        check(0, lines_per_page, Verdict::Truncated).await;
    }
}

#[tokio::test]
async fn mark_of_lines_that_are_there_says_nothing() {
    for lines_per_page in [4, 1000] {
        check(30, lines_per_page, Verdict::Complete).await;
    }
}
