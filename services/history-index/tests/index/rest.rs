//! The REST answers against those of the real History Server.

use moka_history_index::store::LogState;
use serde_json::Value;

use super::{corpus::Corpus, world::World};

const RUNNING: [&str; 2] = ["local-1795176741830", "local-1795176962993"];
const UNSUPPORTED: [&str; 3] = [
    "local-1795182461351",
    "local-1795182468747",
    "local-1795182476103",
];

/// Fields that depend on where and when a History Server looks, and are not compared.
const OF_THE_SERVER: [&str; 4] = [
    "logSourceName",
    "logSourceFullPath",
    "lastUpdated",
    "lastUpdatedEpoch",
];

async fn indexed() -> (World, Corpus) {
    let world = World::running().await;
    let corpus = Corpus::unpack();
    world.put_corpus(&corpus).await;
    for id in corpus.logs().into_keys() {
        let expected = if UNSUPPORTED.contains(&id.as_str()) {
            LogState::Refused
        } else if RUNNING.contains(&id.as_str()) {
            LogState::Indexing
        } else {
            LogState::Settled
        };
        world
            .wait_for(&id, |record| record.log_state == expected)
            .await;
    }
    (world, corpus)
}

#[tokio::test]
async fn recorded_applications_are_answered_over_rest_as_by_the_history_server() {
    let (world, corpus) = indexed().await;
    for id in corpus
        .logs()
        .into_keys()
        .filter(|id| !UNSUPPORTED.contains(&id.as_str()))
    {
        for list in ["jobs", "stages", "executors", "allexecutors"] {
            let mut ours = world.json(&format!("/applications/{id}/{list}")).await;
            let mut theirs = corpus.answer(&format!("{id}/{list}"));
            if RUNNING.contains(&id.as_str()) {
                for executor in [&mut ours, &mut theirs] {
                    without(executor, &["totalDuration"]);
                }
            }
            assert_eq!(ours, theirs, "{id}/{list}");
        }
    }
}

#[tokio::test]
async fn applications_are_listed_as_by_the_history_server() {
    let (world, corpus) = indexed().await;
    let mut theirs = corpus.answer("applications");
    theirs
        .as_array_mut()
        .unwrap()
        .retain(|one| !UNSUPPORTED.contains(&one["id"].as_str().unwrap()));
    let mut ours = world.json("/applications").await;
    for list in [&mut ours, &mut theirs] {
        for application in list.as_array_mut().unwrap() {
            without(&mut application["attempts"], &OF_THE_SERVER);
        }
    }
    assert_eq!(ours, theirs);

    let mut one = world.json("/applications/app-20261120130610-0000").await;
    without(&mut one["attempts"], &OF_THE_SERVER);
    assert!(theirs.as_array().unwrap().contains(&one));
    for (query, expected) in [
        ("limit=3", 3),
        ("status=running", 2),
        ("status=completed", 8),
        ("minDate=2026-11-21", 0),
        ("minDate=2026-11-20T13:00:00.000GMT", 1),
        ("maxEndDate=2026-11-20T12:10:00.000GMT", 5),
        ("minEndDate=2026-11-20T13:00:00.000GMT", 3),
    ] {
        let found = world.json(&format!("/applications?{query}")).await;
        assert_eq!(found.as_array().unwrap().len(), expected, "{query}");
    }
}

#[tokio::test]
async fn single_jobs_and_stages_are_answered_and_unknown_ones_are_told() {
    let (world, corpus) = indexed().await;
    let id = "app-20261120130610-0000";
    let jobs = corpus.answer(&format!("{id}/jobs"));
    assert_eq!(
        world.json(&format!("/applications/{id}/jobs/2")).await,
        jobs[1]
    );
    let failed = world
        .json(&format!("/applications/{id}/stages?status=failed"))
        .await;
    assert_eq!(failed[0]["stageId"], 7);
    let attempts = world.json(&format!("/applications/{id}/stages/6")).await;
    let numbers: Vec<_> = attempts
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["attemptId"])
        .collect();
    assert_eq!(numbers, [0, 1, 2]);
    assert_eq!(
        world.json(&format!("/applications/{id}/stages/6/1")).await,
        attempts[1]
    );
    for (path, status, text) in [
        ("/applications/app-0", 404, "unknown app: app-0"),
        ("/applications/app-0/jobs", 404, "no such app: app-0"),
        (
            &format!("/applications/{id}/jobs/99"),
            404,
            "unknown job: 99",
        ),
        (
            &format!("/applications/{id}/stages/99"),
            404,
            "unknown stage: 99",
        ),
        (
            &format!("/applications/{id}/stages/7/5"),
            404,
            "unknown attempt for stage 7.  Found attempts: [0,1]",
        ),
        (
            &format!("/applications/{id}/jobs?status=odd"),
            400,
            "unknown status: odd",
        ),
    ] {
        assert_eq!(world.get(path).await, (status, text.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_running_driver_has_run_until_now() {
    let (world, _corpus) = indexed().await;
    let driver = world
        .json(&format!("/applications/{}/executors", RUNNING[0]))
        .await;
    let running = 1_795_200_000_000_i64 - 1_795_176_741_087;
    assert_eq!(driver[0]["totalDuration"], running);
}

fn without(list: &mut Value, names: &[&str]) {
    for item in list.as_array_mut().unwrap() {
        for name in names {
            item.as_object_mut().unwrap().remove(*name);
        }
    }
}
