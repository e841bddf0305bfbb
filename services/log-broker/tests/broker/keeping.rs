//! A store with logs of an application, and processes that keep or delete them.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::SignedDuration;
use moka_core::{
    PublicError,
    clock::{Clock, ManualClock},
};
use moka_log_broker::{
    applications::{ApplicationView, Applications},
    archive::RawObjects,
    assembler::{AssemblySettings, EventLogAssembly},
    domain::{
        cursor::Cursor,
        retention::{DeletionState, LogKind, RetentionRules},
    },
    error::Error,
    metrics::Metrics,
    retention::{Retention, SweepSettings, Sweeper},
    serving::{SourceRequest, StreamRequest},
};
use moka_objects::{MemoryStore, ObjectKey, ObjectMeta, ObjectStore, PutCondition};

use crate::{
    raw::{FILE, attempt, grammar, object},
    serving::LIMITS,
    world::{FakeApplications, PATH, driver, serving},
};

const EVENTS: [&str; 2] = [
    "{\"Event\":\"SparkListenerLogStart\"}",
    "{\"Event\":\"SparkListenerApplicationEnd\",\"Timestamp\":1}",
];
/// The shard of the test's application is `qz`: digits 23 and 31 of 32.
pub(crate) const SHARD: usize = 23 * 32 + 31;
/// Prefixes of what is deleted.
pub(crate) const LOGS: [&str; 2] = ["logs/", "eventlogs/"];

/// A process that keeps or deletes.
pub(crate) struct Keeper {
    pub(crate) retention: Retention,
    pub(crate) sweeper: Sweeper,
    pub(crate) metrics: Metrics,
}

/// A store, a clock and a submission.
pub(crate) struct Place {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) applications: Arc<FakeApplications>,
}

impl Place {
    /// A store whose clock is the process's.
    pub(crate) fn in_memory() -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new("2026-11-21T03:00:00Z".parse().unwrap()));
        let memory = MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
        let place = Self::of(Arc::new(memory), Arc::clone(&clock) as Arc<dyn Clock>);
        place.applications.set(Some(clock.now()));
        (place, clock)
    }

    pub(crate) fn of(store: Arc<dyn ObjectStore>, clock: Arc<dyn Clock>) -> Self {
        let applications = Arc::new(FakeApplications::default());
        applications.set(None);
        Self {
            store,
            clock,
            applications,
        }
    }

    pub(crate) fn keeper(&self, rules: &[&str]) -> Keeper {
        self.keeper_on(Arc::clone(&self.store), rules)
    }

    pub(crate) fn keeper_on(&self, store: Arc<dyn ObjectStore>, rules: &[&str]) -> Keeper {
        let metrics = Metrics::default();
        let objects = RawObjects::new(store, 1 << 20, metrics.clone());
        let rules = RetentionRules::new(rules.iter().map(|rule| rule.parse().unwrap()).collect());
        let clock = Arc::clone(&self.clock);
        let retention = Retention::new(objects, Arc::new(grammar()), rules, clock, metrics.clone());
        let settings = SweepSettings {
            interval: Duration::from_secs(1),
            grace: Duration::from_hours(24),
        };
        let applications = Arc::clone(&self.applications) as Arc<dyn Applications>;
        Keeper {
            sweeper: Sweeper::new(retention.clone(), applications, settings),
            retention,
            metrics,
        }
    }

    pub(crate) async fn application(&self) -> ApplicationView {
        let found = self.applications.get(attempt().application_id).await;
        found.unwrap().unwrap()
    }

    pub(crate) async fn put(&self, key: &str, bytes: Vec<u8>) {
        let key = ObjectKey::new(key).unwrap();
        let put = self.store.put(&key, bytes.into(), PutCondition::Always);
        put.await.unwrap();
    }

    pub(crate) async fn list(&self, prefix: &str) -> Vec<ObjectMeta> {
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .store
                .list(prefix, after.as_deref(), 1000)
                .await
                .unwrap();
            found.extend(page.objects);
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    }

    pub(crate) async fn keys(&self, prefix: &str) -> BTreeSet<String> {
        let listed = self.list(prefix).await;
        listed.iter().map(|object| object.key.to_string()).collect()
    }

    /// Logs of all kinds: 3 objects of the driver, 1 of its event log, which is assembled.
    pub(crate) async fn fill(&self) {
        for number in 0..3 {
            self.ship(number).await;
        }
        let prefix = format!("{}{FILE}/", grammar().events_prefix(attempt()));
        let path = format!("/var/lib/moka/events/{}/{FILE}", attempt());
        let bytes = object(&path, Some("8-1"), 0, &EVENTS);
        self.put(&format!("{prefix}1.jsonl"), bytes).await;
        self.assemble().await.unwrap();
    }

    pub(crate) async fn ship(&self, number: u64) {
        let key = format!("{}{number}.jsonl", grammar().stream_prefix(&driver()));
        let line = "2026-11-21T02:00:00Z stdout F hello";
        let offset = number * (line.len() as u64 + 1);
        self.put(&key, object(PATH, Some("7-1"), offset, &[line]))
            .await;
    }

    /// A new process assembles.
    pub(crate) async fn assemble(&self) -> Result<(), Error> {
        let settings = AssemblySettings {
            chunk_bytes: 40,
            chunk_interval: Duration::ZERO,
            settle: Duration::ZERO,
            synthetic_end: true,
        };
        let (store, metrics) = (Arc::clone(&self.store), Metrics::default());
        let objects = RawObjects::new(Arc::clone(&store), 1 << 20, metrics.clone());
        let listed = objects.list(&grammar().events_prefix(attempt())).await?;
        let mut assembly =
            EventLogAssembly::new(attempt(), FILE, objects, store, settings, metrics);
        let now = self.clock.now();
        assembly.advance(listed, Some(now), now).await?;
        Ok(())
    }

    /// What a reader of the driver's log is told.
    pub(crate) async fn read(&self) -> Result<usize, PublicError> {
        let container = SourceRequest::Container {
            pod: String::new(),
            container: String::new(),
        };
        self.read_source(container).await
    }

    pub(crate) async fn read_source(&self, source: SourceRequest) -> Result<usize, PublicError> {
        let serving = serving(
            Arc::clone(&self.store),
            Arc::clone(&self.clock),
            &self.applications,
        );
        let request = StreamRequest {
            application_id: attempt().application_id,
            attempt_number: None,
            source,
        };
        let target = serving.resolve(request).await?;
        let answer = serving.read(&target, Cursor::Begin, LIMITS).await?;
        Ok(answer.lines.len())
    }

    /// All objects that are proven to be deleted, page by page.
    pub(crate) async fn proof(&self, page_size: usize) -> Vec<(String, u64, String)> {
        let keeper = self.keeper(&[]);
        let id = attempt().application_id;
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = keeper.retention.proven(id, after.as_deref(), page_size);
            let (entries, more) = page.await.unwrap();
            assert!(entries.len() <= page_size);
            after = entries.last().map(|entry| entry.position.clone());
            found.extend(entries.into_iter().map(|entry| {
                let object = entry.object;
                (object.key, object.size_bytes, object.etag)
            }));
            if !more {
                return found;
            }
        }
    }
}

impl Keeper {
    pub(crate) async fn state(&self, kind: LogKind) -> Option<DeletionState> {
        let record = self.retention.record(attempt().application_id).await;
        record.unwrap().state(kind)
    }

    pub(crate) async fn delete(&self, place: &Place) -> Result<(), PublicError> {
        let application = place.application().await;
        let deletion = self
            .retention
            .delete_logs(&application, &LogKind::ALL, "ann", "a test");
        deletion.await?;
        Ok(())
    }

    pub(crate) async fn hold(&self, place: &Place, held: bool) {
        let application = place.application().await;
        let hold = self.retention.set_hold(&application, held, "bob", "a case");
        hold.await.unwrap();
    }
}

pub(crate) async fn logs_of(place: &Place) -> BTreeSet<String> {
    let mut keys = place.keys(LOGS[0]).await;
    keys.extend(place.keys(LOGS[1]).await);
    keys
}

pub(crate) fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}
