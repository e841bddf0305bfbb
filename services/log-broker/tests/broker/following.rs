//! Followers get every line once, alone and together.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use moka_log_broker::{
    domain::{completeness::Verdict, cursor::Cursor},
    serving::{Follower, Serving},
};
use tokio::time::{sleep, timeout};

use crate::{
    life::{Life, STEPS},
    random::Random,
    raw::object,
    serving::{cri, driver_target, texts, written},
    world::{PATH, World},
};

async fn follower(serving: &Serving) -> Follower {
    let target = driver_target(serving).await;
    Follower::new(serving.clone(), target, Cursor::Begin)
}

/// Everything that a follower gets, to the end of the stream.
async fn all_of(mut follower: Follower, mut random: Random) -> (Vec<String>, Option<Verdict>) {
    let mut received = Vec::new();
    let mut verdict = None;
    while let Some(answer) = follower.next().await.unwrap() {
        received.extend(texts(&answer));
        verdict = Some(answer.completeness.verdict);
        let pause = [0, 0, 10, 500][random.below(4)];
        sleep(Duration::from_millis(pause)).await;
    }
    (received, verdict)
}

/// Followers are there all the time, and are slow now and then. Returns how often the cluster was
/// asked to keep a connection open.
async fn follow_each_line_once(seed: u64, followers: u64) -> usize {
    let mut life = Life::new(seed);
    let serving = life.world.serving();
    let cluster = Arc::clone(&life.world.cluster);
    let mut following = Vec::new();
    for number in 0..followers {
        let random = Random(seed + 1000 * (number + 1));
        following.push(all_of(follower(&serving).await, random));
    }
    let living = async {
        for step in 1..=STEPS {
            life.go_on(step).await;
            let pause = [1, 20, 100, 300][life.random.below(4)];
            sleep(Duration::from_millis(pause)).await;
        }
    };
    let (all_received, ()) = tokio::join!(join_all(following), living);
    for (received, verdict) in all_received {
        assert_eq!(received, life.texts(), "seed {seed}");
        assert_eq!(verdict, Some(Verdict::Complete), "seed {seed}");
    }
    // Whoever reads the connections hears that nobody is left.
    tokio::task::yield_now().await;
    assert_eq!(
        serving.metrics.readers.live_connections.get(),
        0,
        "seed {seed}"
    );
    cluster.follows.load(Ordering::Relaxed)
}

async fn connections(followers: u64) -> usize {
    let mut connections = 0;
    for seed in 0..20 {
        connections += follow_each_line_once(seed, followers).await;
    }
    connections
}

#[tokio::test(start_paused = true)]
async fn followers_get_each_line_once_though_the_kubelet_skips_some() {
    let alone = connections(1).await;
    assert!(alone >= 20, "{alone} connections");
    let together = connections(10).await;
    assert!(
        together < 2 * alone,
        "{together} connections for ten, {alone} for one"
    );
}

/// A running driver's log that a follower has read.
async fn followed(world: &World, serving: &Serving, lines: &[(Timestamp, String)]) -> Follower {
    *world.cluster.file.lock().unwrap() = Some(lines.to_vec());
    let mut follower = follower(serving).await;
    assert_eq!(next(&mut follower).await, texts_of(lines));
    follower
}

fn texts_of(lines: &[(Timestamp, String)]) -> Vec<String> {
    lines.iter().map(|(_, text)| text.clone()).collect()
}

/// The next lines, within the time that a connection needs.
async fn next(follower: &mut Follower) -> Vec<String> {
    let answer = timeout(Duration::from_secs(1), follower.next()).await;
    texts(&answer.unwrap().unwrap().unwrap())
}

/// As many lines as there are, over several answers.
async fn take(follower: &mut Follower, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < count {
        lines.extend(texts(&follower.next().await.unwrap().unwrap()));
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn connection_is_there_as_long_as_a_follower_is() {
    let lines = written(40, &mut Random(1));
    let world = World::new();
    let serving = world.serving();
    let mut first = followed(&world, &serving, &lines[..10]).await;
    let mut second = followed(&world, &serving, &lines[..10]).await;
    let mut third = followed(&world, &serving, &lines[..10]).await;
    for (begin, end) in [(10, 11), (11, 20)] {
        let growing = async {
            // All wait by then.
            sleep(Duration::from_millis(500)).await;
            *world.cluster.file.lock().unwrap() = Some(lines[..end].to_vec());
        };
        let (one, two, three, ()) = tokio::join!(
            next(&mut first),
            next(&mut second),
            next(&mut third),
            growing
        );
        let new = texts_of(&lines[begin..end]);
        assert_eq!([one, two, three], [new.clone(), new.clone(), new]);
        assert_eq!(serving.metrics.readers.live_connections.get(), 1);
    }
    // Whoever came first may go.
    drop((first, second));
    *world.cluster.file.lock().unwrap() = Some(lines[..30].to_vec());
    assert_eq!(next(&mut third).await, texts_of(&lines[20..30]));
    drop(third);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(serving.metrics.readers.live_connections.get(), 0);
    assert_eq!(world.cluster.follows.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn follower_that_is_far_behind_comes_back() {
    let mut lines = written(2, &mut Random(1));
    let world = World::new();
    let serving = world.serving();
    let mut slow = followed(&world, &serving, &lines).await;
    let mut fast = followed(&world, &serving, &lines).await;
    // Much more than is kept for those who are behind.
    for (round, size) in [1, 1, 40, 40, 40, 1, 1].into_iter().enumerate() {
        let begin = lines.len();
        for number in 0..size {
            let time = lines[lines.len() - 1].0 + SignedDuration::from_millis(10);
            lines.push((time, format!("{round}.{number} {}", "x".repeat(2000))));
        }
        *world.cluster.file.lock().unwrap() = Some(lines.clone());
        assert_eq!(take(&mut fast, size).await, texts_of(&lines[begin..]));
        if round < 2 {
            assert_eq!(take(&mut slow, size).await, texts_of(&lines[begin..]));
        }
    }
    let missed = texts_of(&lines[4..]);
    assert_eq!(take(&mut slow, missed.len()).await, missed);
    let time = lines[lines.len() - 1].0 + SignedDuration::from_secs(1);
    lines.push((time, "last".to_owned()));
    *world.cluster.file.lock().unwrap() = Some(lines);
    assert_eq!(next(&mut fast).await, ["last"]);
    assert_eq!(next(&mut slow).await, ["last"]);
    assert_eq!(world.cluster.follows.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn connection_that_tells_nothing_more_is_opened_anew() {
    let lines = written(50, &mut Random(1));
    let world = World::new();
    let serving = world.serving();
    let mut first = followed(&world, &serving, &lines[..10]).await;
    let mut second = followed(&world, &serving, &lines[..10]).await;
    *world.cluster.file.lock().unwrap() = Some(lines[..20].to_vec());
    let new = texts_of(&lines[10..20]);
    assert_eq!(take(&mut first, 10).await, new);
    assert_eq!(take(&mut second, 10).await, new);
    // The connection that is open hears nothing any more, as when a network forgets it.
    world.cluster.deaf.store(1, Ordering::Relaxed);
    for written in [20, 30, 40] {
        *world.cluster.file.lock().unwrap() = Some(lines[..written + 10].to_vec());
        let new = texts_of(&lines[written..written + 10]);
        let (one, two) = tokio::join!(take(&mut first, 10), take(&mut second, 10));
        assert_eq!([one, two], [new.clone(), new]);
    }
    assert_eq!(serving.metrics.readers.live_connections.get(), 1);
    assert_eq!(world.cluster.follows.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn follower_of_an_ending_attempt_gets_all_lines_and_ends() {
    let mut random = Random(9);
    let world = World::new();
    let lines = written(30, &mut random);
    let serving = world.serving();
    let follower = follower(&serving).await;
    assert_eq!(serving.metrics.readers.followers.get(), 1);
    // Nothing is there at first, then the cluster has it, then the archive.
    let live = async {
        tokio::task::yield_now().await;
        *world.cluster.file.lock().unwrap() = Some(lines[..20].to_vec());
        sleep(Duration::from_millis(20)).await;
        *world.cluster.file.lock().unwrap() = None;
        world.applications.set(Some(world.store.now()));
        world.ship("a", object(PATH, None, 0, &cri(&lines))).await;
        world.store.wait(20);
    };
    let ((received, verdict), ()) = tokio::join!(all_of(follower, random), live);
    assert_eq!(received, texts_of(&lines));
    assert_eq!(verdict, Some(Verdict::Complete));
    assert_eq!(serving.metrics.readers.followers.get(), 0);
}
