//! A submission and a cluster that tests control.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use moka_core::{ApplicationId, ErrorReason, PublicError, clock::Clock, labels::DRIVER_CONTAINER};
use moka_log_broker::{
    applications::{ApplicationView, Applications, AttemptView},
    archive::RawObjects,
    cluster::{LiveContainer, LiveLines, LiveLogs},
    domain::{
        lines::{LineJoiner, PlacedLine},
        retention::RetentionRules,
        stream::{Source, StreamName},
    },
    error::Error,
    metrics::Metrics,
    retention::Retention,
    serving::{Indexes, Pages, ReaderLimits, Readers, Serving, ServingSettings, SharedTails},
};
use moka_objects::ObjectStore;

use crate::raw::{Store, attempt, grammar};

/// The driver's log file.
pub(crate) const PATH: &str = "/var/log/pods/spark-jobs_driver_uid/spark-kubernetes-driver/0.log";

/// A store, submission and a cluster.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) applications: Arc<FakeApplications>,
    pub(crate) cluster: Arc<FakeCluster>,
}

impl World {
    pub(crate) fn new() -> Self {
        let applications = Arc::new(FakeApplications::default());
        applications.set(None);
        Self {
            store: Store::new(),
            applications,
            cluster: Arc::default(),
        }
    }

    /// A new process on it.
    pub(crate) fn serving(&self) -> Serving {
        let memory = Arc::new(self.store.memory.clone());
        let clock = Arc::clone(&self.store.clock) as Arc<dyn Clock>;
        let live = Arc::clone(&self.cluster) as Arc<dyn LiveLogs>;
        Serving {
            live: Some(live),
            ..serving(memory, clock, &self.applications)
        }
    }

    /// Puts a raw object of the driver's log.
    pub(crate) async fn ship(&self, name: &str, bytes: Vec<u8>) {
        self.store
            .put(
                &format!("{}{name}.jsonl", grammar().stream_prefix(&driver())),
                bytes,
            )
            .await;
    }
}

/// The driver's stream.
pub(crate) fn driver() -> StreamName {
    let (pod, container) = (attempt().driver_pod(), DRIVER_CONTAINER.to_owned());
    StreamName {
        attempt: attempt(),
        source: Source::Container { pod, container },
    }
}

/// What submission would say.
#[derive(Debug, Default)]
pub(crate) struct FakeApplications {
    pub(crate) known: Mutex<BTreeMap<ApplicationId, ApplicationView>>,
    pub(crate) down: Mutex<bool>,
}

impl FakeApplications {
    /// Knows one application with one attempt, which has ended or not.
    pub(crate) fn set(&self, ended: Option<Timestamp>) {
        let name = attempt();
        let attempt = AttemptView {
            name,
            cluster: "local".into(),
            namespace: "spark-jobs".into(),
            ended,
        };
        let view = ApplicationView {
            id: name.application_id,
            project: "etl".to_owned(),
            ended,
            attempts: vec![attempt],
        };
        self.known.lock().unwrap().insert(name.application_id, view);
    }
}

#[async_trait]
impl Applications for FakeApplications {
    async fn get(&self, id: ApplicationId) -> Result<Option<ApplicationView>, PublicError> {
        if *self.down.lock().unwrap() {
            return Err(PublicError::new(
                ErrorReason::PeerUnavailable,
                "submission does not answer",
            ));
        }
        Ok(self.known.lock().unwrap().get(&id).cloned())
    }
}

/// Lines of a log file with their times; `None` without a pod.
type LogFile = Option<Vec<(Timestamp, String)>>;

/// The present log file of the driver's container.
#[derive(Debug, Default)]
pub(crate) struct FakeCluster {
    pub(crate) file: Arc<Mutex<LogFile>>,
    /// How many connections were opened that stay.
    pub(crate) follows: AtomicUsize,
    /// The first so many of them tell nothing more.
    pub(crate) deaf: Arc<AtomicUsize>,
}

/// A connection that stays open as the kubelet's does: when the file is another one, it goes on at
/// its beginning, whatever the old one got meanwhile.
struct Growing {
    file: Arc<Mutex<LogFile>>,
    number: usize,
    deaf: Arc<AtomicUsize>,
    since: i64,
    begin: Option<Timestamp>,
    given: usize,
    joiner: LineJoiner,
}

impl Growing {
    async fn next(&mut self) -> Option<Vec<PlacedLine>> {
        loop {
            if self.number >= self.deaf.load(Ordering::Relaxed) {
                let file = self.file.lock().unwrap();
                let lines = file.as_ref()?;
                let begin = lines.first().map(|(time, _)| *time);
                if self.begin != begin {
                    (self.begin, self.given) = (begin, 0);
                }
                if let Some((time, text)) = lines.get(self.given) {
                    self.given += 1;
                    if time.as_second() >= self.since {
                        let text = text.clone().into();
                        return Some(self.joiner.push_joined(*time, text));
                    }
                    continue;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[async_trait]
impl LiveLogs for FakeCluster {
    async fn read(
        &self,
        container: &LiveContainer,
        since: Option<Timestamp>,
    ) -> Result<Option<Vec<PlacedLine>>, Error> {
        assert_eq!(container.namespace, "spark-jobs");
        let file = self.file.lock().unwrap();
        // The API takes whole seconds.
        let since = since.map_or(i64::MIN, Timestamp::as_second);
        let mut joiner = LineJoiner::default();
        Ok(file.as_ref().map(|lines| {
            let lines = lines.iter().filter(|(time, _)| time.as_second() >= since);
            lines
                .flat_map(|(time, text)| joiner.push_joined(*time, text.clone().into()))
                .collect()
        }))
    }

    async fn follow(
        &self,
        _container: &LiveContainer,
        since: Timestamp,
    ) -> Result<Option<LiveLines>, Error> {
        if self.file.lock().unwrap().is_none() {
            return Ok(None);
        }
        let growing = Growing {
            file: Arc::clone(&self.file),
            number: self.follows.fetch_add(1, Ordering::Relaxed),
            deaf: Arc::clone(&self.deaf),
            since: since.as_second(),
            begin: None,
            given: 0,
            joiner: LineJoiner::default(),
        };
        let lines = stream::unfold(growing, async |mut growing| {
            let lines = growing.next().await?;
            Some((Ok(lines), growing))
        });
        Ok(Some(lines.boxed()))
    }

    async fn first_time(&self, _container: &LiveContainer) -> Result<Option<Timestamp>, Error> {
        let file = self.file.lock().unwrap();
        Ok(file
            .as_ref()
            .and_then(|lines| lines.first())
            .map(|(time, _)| *time))
    }

    fn knows(&self, cluster: &str) -> bool {
        cluster == "local"
    }
}

/// Serving on a store, without a cluster.
pub(crate) fn serving(
    store: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    applications: &Arc<FakeApplications>,
) -> Serving {
    let metrics = Metrics::default();
    let objects = RawObjects::new(store, 1 << 20, metrics.clone());
    let grammar = Arc::new(grammar());
    Serving {
        retention: Retention::new(
            objects.clone(),
            Arc::clone(&grammar),
            RetentionRules::default(),
            Arc::clone(&clock),
            metrics.clone(),
        ),
        applications: Arc::clone(applications) as Arc<dyn Applications>,
        objects,
        grammar,
        live: None,
        tails: SharedTails::new(metrics.readers.clone()),
        pages: Pages::new(metrics.readers.clone()),
        indexes: Indexes::new(1 << 20),
        clock,
        settings: ServingSettings {
            settle: Duration::from_secs(10),
            gap_wait: Duration::from_mins(1),
            relist_after: Duration::ZERO,
            poll_interval: Duration::from_millis(1),
            search_bytes: 1 << 30,
            search_time: Duration::from_mins(1),
        },
        readers: Readers::new(ReaderLimits {
            followers: 2,
            downloads: 2,
            searches: 2,
        }),
        metrics,
        answer_by: None,
    }
}
