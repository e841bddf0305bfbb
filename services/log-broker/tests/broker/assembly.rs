//! Event logs are assembled whole, in order and once, whatever fails.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use moka_log_broker::{
    archive::RawObjects,
    assembler::{AssemblySettings, EventLogAssembly},
    domain::{
        chunk::{EventLogKeys, synthetic_end},
        manifest::{AssemblyState, Manifest, ManifestGap},
    },
    metrics::Metrics,
};
use moka_objects::{FailingStore, Fault, FaultRates, ObjectKey, ObjectStore, Operation};

use crate::raw::{FILE, Store, attempt, grammar, object, objects, text};

const PATH: &str =
    "/var/lib/moka/events/m01hf7yat00v2t9d4h5w8k3e6qz-1/spark-0123456789abcdef0123456789abcdef";
const SETTINGS: AssemblySettings = AssemblySettings {
    chunk_bytes: 300,
    chunk_interval: Duration::from_secs(10),
    settle: Duration::from_secs(10),
    synthetic_end: true,
};

fn log(events: usize) -> Vec<String> {
    let mut lines = vec![
        "{\"Event\":\"SparkListenerLogStart\",\"Spark Version\":\"4.0.1\"}".to_owned(),
        format!(
            "{{\"Event\":\"SparkListenerApplicationStart\",\"App Name\":\"a\",\"App ID\":\"{FILE}\"}}"
        ),
    ];
    lines.extend(
        (0..events).map(|event| format!("{{\"Event\":\"SparkListenerTaskEnd\",\"Task\":{event}}}")),
    );
    lines
}

fn ended_log(events: usize) -> Vec<String> {
    let mut lines = log(events);
    lines
        .push("{\"Event\":\"SparkListenerApplicationEnd\",\"Timestamp\":1795177201764}".to_owned());
    lines
}

fn assembly(store: Arc<dyn ObjectStore>) -> EventLogAssembly {
    let objects = RawObjects::new(Arc::clone(&store), 1 << 20, Metrics::default());
    EventLogAssembly::new(
        attempt(),
        FILE,
        objects,
        store,
        SETTINGS,
        Metrics::default(),
    )
}

fn raw_prefix() -> String {
    format!("{}{FILE}/", grammar().events_prefix(attempt()))
}

async fn ship(store: &Store, name: &str, bytes: Vec<u8>) {
    store
        .put(&format!("{}{name}.jsonl", raw_prefix()), bytes)
        .await;
}

async fn ship_all(store: &Store, lines: &[String], lines_per_object: usize) {
    for (number, bytes) in objects(PATH, Some("7-9"), lines, lines_per_object)
        .into_iter()
        .enumerate()
    {
        // Names are in another order than content.
        ship(store, &format!("{:03}", (number * 7) % 100), bytes).await;
    }
}

async fn advance(
    assembly: &mut EventLogAssembly,
    store: &Store,
    ended: Option<Timestamp>,
) -> AssemblyState {
    let listed = store.list(&raw_prefix()).await;
    assembly
        .advance(listed, ended, store.now())
        .await
        .unwrap()
        .state
}

/// All chunks, which must be numbered from 1 without a hole.
async fn assembled(store: &Store) -> Vec<u8> {
    let keys = EventLogKeys::new(FILE);
    let count = store
        .keys(&format!("{}/events_", keys.directory()))
        .await
        .len();
    let mut bytes = Vec::new();
    for number in 1..=u32::try_from(count).unwrap() {
        let chunk = store.get(&keys.chunk(number)).await.unwrap();
        assert!(!chunk.is_empty() && chunk.ends_with(b"\n"));
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

async fn manifest(store: &Store) -> Manifest {
    let bytes = store
        .get(&EventLogKeys::new(FILE).manifest())
        .await
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

async fn markers(store: &Store) -> Vec<String> {
    let prefix = format!("{}/appstatus_", EventLogKeys::new(FILE).directory());
    let keys = store.keys(&prefix).await;
    keys.iter()
        .map(|key| key[prefix.len()..].replace(FILE, ""))
        .collect()
}

#[tokio::test]
async fn ended_log_is_completed_with_the_drivers_bytes() {
    let store = Store::new();
    let lines = ended_log(30);
    ship_all(&store, &lines, 4).await;
    let mut assembly = assembly(Arc::new(store.memory.clone()));
    assert_eq!(
        advance(&mut assembly, &store, None).await,
        AssemblyState::Completed
    );
    assert_eq!(assembled(&store).await, text(&lines));
    assert_eq!(markers(&store).await, [""]);
    let manifest = manifest(&store).await;
    assert_eq!(manifest.spark_application_id, FILE);
    assert_eq!(
        (manifest.synthetic_end, manifest.state),
        (false, AssemblyState::Completed)
    );
    assert_eq!(manifest.assembled_bytes, text(&lines).len() as u64);
    assert!(manifest.chunk_count > 3);
}

#[tokio::test]
async fn running_log_is_in_progress_and_small_chunks_wait() {
    let store = Store::new();
    let lines = log(4);
    ship(&store, "1", object(PATH, None, 0, &lines[..2])).await;
    let mut assembly = assembly(Arc::new(store.memory.clone()));
    assert_eq!(
        advance(&mut assembly, &store, None).await,
        AssemblyState::InProgress
    );
    assert_eq!(assembled(&store).await, text(&lines[..2]));
    assert_eq!(markers(&store).await, [".inprogress"]);

    let offset = text(&lines[..2]).len() as u64;
    ship(&store, "0", object(PATH, None, offset, &lines[2..])).await;
    advance(&mut assembly, &store, None).await;
    assert_eq!(assembled(&store).await, text(&lines[..2]));
    store.wait(10);
    advance(&mut assembly, &store, None).await;
    assert_eq!(assembled(&store).await, text(&lines));
}

#[tokio::test]
async fn killed_driver_gets_a_synthetic_end_without_its_torn_line() {
    let store = Store::new();
    let mut lines = log(10);
    lines.push("{\"Event\":\"SparkListenerTaskEnd\",\"Ta".to_owned());
    ship_all(&store, &lines, 4).await;
    let mut assembly = assembly(Arc::new(store.memory.clone()));
    let ended = store.now();
    store.wait(9);
    assert_eq!(
        advance(&mut assembly, &store, Some(ended)).await,
        AssemblyState::InProgress
    );
    assert_eq!(markers(&store).await, [".inprogress"]);
    store.wait(1);
    assert_eq!(
        advance(&mut assembly, &store, Some(ended)).await,
        AssemblyState::Completed
    );
    let mut expected = text(&lines[..lines.len() - 1]);
    expected.extend(synthetic_end(ended.as_millisecond()));
    assert_eq!(assembled(&store).await, expected);
    assert_eq!(markers(&store).await, [""]);
    assert!(manifest(&store).await.synthetic_end);
    // Another look changes nothing.
    store.wait(100);
    advance(&mut assembly, &store, Some(ended)).await;
    assert_eq!(assembled(&store).await, expected);
}

#[tokio::test]
async fn gap_holds_the_rest_back_until_it_is_filled() {
    let store = Store::new();
    let lines = ended_log(20);
    let all = objects(PATH, None, &lines, 5);
    for (number, bytes) in all.iter().enumerate().filter(|(number, _)| *number != 2) {
        ship(&store, &number.to_string(), bytes.clone()).await;
    }
    let mut assembly = assembly(Arc::new(store.memory.clone()));
    let ended = store.now();
    store.wait(20);
    assert_eq!(
        advance(&mut assembly, &store, Some(ended)).await,
        AssemblyState::HeldBack
    );
    let (start, end) = (
        text(&lines[..10]).len() as u64,
        text(&lines[..15]).len() as u64,
    );
    assert_eq!(assembled(&store).await, text(&lines[..10]));
    assert_eq!(markers(&store).await, [".inprogress"]);
    let gap = ManifestGap {
        start_offset_bytes: start,
        end_offset_bytes: end,
    };
    assert_eq!(manifest(&store).await.gaps, [gap]);

    ship(&store, "late", all[2].clone()).await;
    assert_eq!(
        advance(&mut assembly, &store, Some(ended)).await,
        AssemblyState::Completed
    );
    assert_eq!(assembled(&store).await, text(&lines));
    assert_eq!(manifest(&store).await.gaps, []);
}

#[tokio::test]
async fn raw_objects_may_go_once_their_bytes_are_published() {
    let store = Store::new();
    let lines = ended_log(20);
    let parts = objects(PATH, Some("7-9"), &lines, 5);
    ship(&store, "0", parts[0].clone()).await;
    ship(&store, "1", parts[1].clone()).await;
    let mut assembly = assembly(Arc::new(store.memory.clone()));
    advance(&mut assembly, &store, None).await;
    store.wait(10);
    advance(&mut assembly, &store, None).await;
    assert_eq!(assembled(&store).await, text(&lines[..10]));
    let first = ObjectKey::new(format!("{}0.jsonl", raw_prefix())).unwrap();
    store.memory.delete(&first).await.unwrap();
    for (number, bytes) in parts.into_iter().enumerate().skip(2) {
        ship(&store, &number.to_string(), bytes).await;
    }
    assert_eq!(
        advance(&mut assembly, &store, None).await,
        AssemblyState::Completed
    );
    assert_eq!(assembled(&store).await, text(&lines));
    assert_eq!(manifest(&store).await.gaps, []);
}

#[tokio::test]
async fn line_longer_than_a_chunk_is_a_chunk() {
    let store = Store::new();
    let mut lines = log(1);
    lines.push(format!(
        "{{\"Event\":\"x\",\"Plan\":\"{}\"}}",
        "p".repeat(2000)
    ));
    lines.extend(ended_log(1));
    ship_all(&store, &lines, 2).await;
    let mut assembly = assembly(Arc::new(store.memory.clone()));
    assert_eq!(
        advance(&mut assembly, &store, None).await,
        AssemblyState::Completed
    );
    assert_eq!(assembled(&store).await, text(&lines));
}

#[tokio::test]
async fn another_attempts_directory_is_refused() {
    let store = Store::new();
    let foreign = Manifest {
        application_id: "m01hf7yat00v2t9d4h5w8k3e6qy".to_owned(),
        ..foreign_manifest()
    };
    let key = EventLogKeys::new(FILE).manifest();
    store.put(&key, serde_json::to_vec(&foreign).unwrap()).await;
    ship_all(&store, &ended_log(3), 4).await;
    let mut assembly = assembly(Arc::new(store.memory.clone()));
    let listed = store.list(&raw_prefix()).await;
    assert!(assembly.advance(listed, None, store.now()).await.is_err());
    assert_eq!(manifest(&store).await, foreign);
    assert_eq!(assembled(&store).await, b"");
}

fn foreign_manifest() -> Manifest {
    Manifest {
        application_id: String::new(),
        attempt_number: 1,
        spark_application_id: FILE.to_owned(),
        state: AssemblyState::InProgress,
        synthetic_end: false,
        gaps: Vec::new(),
        chunk_count: 1,
        assembled_bytes: 1,
    }
}

/// Ships a driver's log that ends without its end, with `fault` at the given call of `operation`;
/// after a failure a new process goes on. Returns whether the fault happened.
async fn survives(operation: Operation, call: usize, fault: Fault) -> bool {
    let store = Store::new();
    let lines = log(20);
    let failing = Arc::new(FailingStore::scripted(Arc::new(store.memory.clone())));
    for _ in 0..call {
        failing.next(operation, Fault::None);
    }
    failing.next(operation, fault);
    let ended = store.now();
    let mut current = assembly(Arc::clone(&failing) as Arc<dyn ObjectStore>);
    for (number, bytes) in objects(PATH, None, &lines, 5).into_iter().enumerate() {
        ship(&store, &number.to_string(), bytes).await;
        store.wait(10);
        let listed = store.list(&raw_prefix()).await;
        // A process may also be replaced without any failure.
        if current
            .advance(listed, Some(ended), store.now())
            .await
            .is_err()
            || number == 2
        {
            current = assembly(Arc::clone(&failing) as Arc<dyn ObjectStore>);
        }
    }
    store.wait(20);
    for _ in 0..2 {
        let listed = store.list(&raw_prefix()).await;
        if current
            .advance(listed, Some(ended), store.now())
            .await
            .is_err()
        {
            current = assembly(Arc::clone(&failing) as Arc<dyn ObjectStore>);
        }
    }
    let bytes = assembled(&store).await;
    let end = synthetic_end(ended.as_millisecond());
    let drivers: Vec<u8> = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| *line != end)
        .flatten()
        .copied()
        .collect();
    assert_eq!(drivers, text(&lines), "{operation:?} {call} {fault:?}");
    assert_eq!(
        bytes.len(),
        drivers.len() + end.len(),
        "{operation:?} {call} {fault:?}"
    );
    assert_eq!(
        markers(&store).await,
        [""],
        "{operation:?} {call} {fault:?}"
    );
    assert_eq!(manifest(&store).await.state, AssemblyState::Completed);
    failing.fault_count() > 0
}

#[tokio::test]
async fn failure_at_any_call_ends_in_the_same_bytes() {
    for operation in [
        Operation::Put,
        Operation::Get,
        Operation::GetRange,
        Operation::Head,
        Operation::Delete,
    ] {
        for fault in [Fault::Before, Fault::After] {
            let mut call = 0;
            while survives(operation, call, fault).await {
                call += 1;
            }
            assert!(call > 0, "{operation:?} was never called");
        }
    }
}

#[tokio::test]
async fn two_replicas_with_failures_end_in_the_same_bytes() {
    for seed in 0..50 {
        let store = Store::new();
        let lines = ended_log(40);
        let rates = FaultRates {
            before_per_mille: 80,
            after_per_mille: 80,
            ..FaultRates::default()
        };
        let inner: Arc<dyn ObjectStore> = Arc::new(store.memory.clone());
        let failing: Arc<dyn ObjectStore> = Arc::new(FailingStore::seeded(inner, seed, rates));
        let mut replicas = [assembly(Arc::clone(&failing)), assembly(failing)];
        let parts = objects(PATH, None, &lines, 3);
        for round in 0..parts.len() + 30 {
            if let Some(bytes) = parts.get(round) {
                ship(&store, &format!("{}", (round * 5) % 31), bytes.clone()).await;
            }
            store.wait(3);
            let (listed, now) = (store.list(&raw_prefix()).await, store.now());
            let [first, second] = &mut replicas;
            // Both at once; failures are repaired by the next round.
            let _ = tokio::join!(
                first.advance(listed.clone(), None, now),
                second.advance(listed, None, now)
            );
        }
        assert_eq!(assembled(&store).await, text(&lines), "seed {seed}");
        assert_eq!(markers(&store).await, [""], "seed {seed}");
    }
}
