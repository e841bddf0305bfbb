//! The service's parts around a store in memory, and hands to put logs there.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use bytes::Bytes;
use jiff::Timestamp;
use moka_core::{
    ApplicationId,
    clock::{Clock, ManualClock},
    entropy::SeededEntropy,
};
use moka_db::PoolOptions;
use moka_history_index::{
    api::{HistoryApi, rest},
    client::Submission,
    follower::Follower,
    indexer::Indexer,
    metrics::Metrics,
    store::{AttemptRecord, Store},
};
use moka_objects::{MemoryStore, ObjectKey, ObjectStore, PutCondition};
use moka_process::Tasks;
use moka_proto::submission::v1::submission_service_server::SubmissionServiceServer;
use moka_rpc::{ClientOptions, Server, ServerOptions, memory};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use super::{corpus::Corpus, submission::FakeSubmission};

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) submission: FakeSubmission,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tasks: Tasks,
    pub(crate) registry: Registry,
    _directory: TempDir,
}

impl World {
    /// A world where nothing works yet.
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!(
            "sqlite:{}",
            directory.path().join("history.sqlite").display()
        );
        Self {
            store: Store::open(&url, PoolOptions::default()).await.unwrap(),
            objects: Arc::new(MemoryStore::new()),
            submission: FakeSubmission::default(),
            clock: Arc::new(ManualClock::new(
                Timestamp::from_second(1_795_200_000).unwrap(),
            )),
            tasks: Tasks::default(),
            registry: Registry::default(),
            _directory: directory,
        }
    }

    /// A world where the follower and one indexer work.
    pub(crate) async fn running() -> Self {
        let mut world = Self::new().await;
        world.start_follower();
        world.start_indexer(Arc::clone(&world.objects));
        world
    }

    pub(crate) fn start_follower(&mut self) {
        let (channel, incoming) = memory::channel(&ClientOptions::default()).unwrap();
        let server = Server::new(ServerOptions::default(), &mut self.registry)
            .add_service(SubmissionServiceServer::new(self.submission.clone()));
        let stop = self.tasks.stop().clone();
        self.tasks
            .spawn("submission", server.serve_incoming(incoming, stop));
        let follower = Follower {
            store: self.store.clone(),
            submission: Submission::new(channel),
            metrics: Metrics::register(&mut self.registry),
        };
        self.tasks
            .spawn("follower", follower.run(self.tasks.stop().clone()));
    }

    pub(crate) fn start_indexer(&mut self, objects: Arc<dyn ObjectStore>) -> Tasks {
        let tasks = Tasks::default();
        let indexer = Indexer {
            store: self.store.clone(),
            objects,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            metrics: Metrics::register(&mut self.registry),
            poll_interval: Duration::from_millis(10),
            abandon_after: Duration::from_hours(1),
        };
        tasks.spawn("indexer", indexer.run(tasks.stop().clone()));
        tasks
    }

    pub(crate) fn grpc(&self) -> HistoryApi {
        HistoryApi {
            store: self.store.clone(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        }
    }

    /// The REST answer: its status and its text.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let router: Router = rest::router(rest::Rest {
            store: self.store.clone(),
            clock,
        });
        let request = axum::http::Request::get(format!("/api/v1{path}"))
            .body(Body::empty())
            .unwrap();
        let answer = router.oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX)
            .await
            .unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// A REST answer that must be a good one.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn put(&self, name: &str, bytes: &[u8]) {
        let key = ObjectKey::new(format!("eventlogs/{name}")).unwrap();
        let bytes = Bytes::copy_from_slice(bytes);
        self.objects
            .put(&key, bytes, PutCondition::Always)
            .await
            .unwrap();
    }

    pub(crate) async fn delete(&self, name: &str) {
        let key = ObjectKey::new(format!("eventlogs/{name}")).unwrap();
        self.objects.delete(&key).await.unwrap();
    }

    /// Puts every recorded log into the object store, and tells submission's watch of it. The
    /// answer has our id for each of Spark's.
    pub(crate) async fn put_corpus(&self, corpus: &Corpus) -> BTreeMap<String, String> {
        for (path, bytes) in corpus.log_files() {
            self.put(&path, &bytes).await;
        }
        let mut ids = BTreeMap::new();
        for (seed, spark_id) in corpus.logs().into_keys().enumerate() {
            let id = application_id(seed as u64);
            self.submission.tell(&id, &spark_id, false);
            ids.insert(spark_id, id);
        }
        ids
    }

    /// Waits until the attempt is as it should be.
    pub(crate) async fn wait_for(
        &self,
        id: &str,
        condition: impl Fn(&AttemptRecord) -> bool,
    ) -> AttemptRecord {
        let mut last = None;
        for _ in 0..3000 {
            last = self.store.find_attempt(id, 0).await.unwrap();
            if let Some(record) = last.as_ref().filter(|record| condition(record)) {
                return record.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{id} did not get there: {last:?}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

/// An id of ours, the same for the same seed.
pub(crate) fn application_id(seed: u64) -> String {
    let clock = ManualClock::new(Timestamp::from_second(1_700_000_000).unwrap());
    ApplicationId::mint(&clock, &SeededEntropy::new(seed)).to_string()
}
