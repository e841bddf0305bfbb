//! The store over SQLite or PostgreSQL.
//!
//! Sequence numbers are given by updating one row as late as possible in each writing transaction.
//! The row's lock is held until the commit, so numbers become visible in their order and a gap can
//! never fill later: a watch that has read up to a number has missed nothing. The price is that
//! commits which write events follow one another, some hundreds to thousands a second.

mod batch;
mod clean_up;
mod events;
mod filter;
mod fleet;
mod group;
mod launches;
mod leases;
pub(super) mod list;
mod live;
mod months;
mod prune;
mod read;
mod record;
mod rows;
mod submit;
mod writer;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use moka_core::{ApplicationId, AttemptName, clock::Clock};
use moka_db::{Database, DatabaseKind, Migration};
use moka_process::Tasks;
use sqlx::AssertSqlSafe;
use tokio::sync::watch;

use self::writer::Queue;
use super::{
    ChangeFilter, Changes, CleanUp, CleanUpStage, Launchable, ListQuery, Listed, LiveAttempt,
    Recorded, Result, Store, Submitted,
};
use crate::domain::{
    application::{Application, Event},
    lifecycle::Happening,
    state::ApplicationState,
    submission::Submission,
};

const MIGRATIONS: &[Migration] = moka_db::migrations![
    "20261121000000_applications",
    "20261121100000_front_door",
    "20261121110000_endings",
    "20261121112000_fleet",
    "20261121113000_months",
    "20261121114000_backfill",
];

/// A store over a database.
#[derive(Debug, Clone)]
pub struct SqlStore {
    database: Database,
    clock: Arc<dyn Clock>,
    written: Arc<watch::Sender<i64>>,
    queue: Queue,
}

impl SqlStore {
    /// Brings the database's schema up to date and starts the writer, which ends with the last
    /// clone of the store.
    ///
    /// # Errors
    ///
    /// When the database does not answer or has a schema that is not ours.
    pub async fn open(
        database: Database,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> std::result::Result<Self, moka_db::Error> {
        database.migrate(MIGRATIONS).await?;
        let written = Arc::new(watch::Sender::new(0));
        let (queue, writer) =
            writer::pair(database.clone(), Arc::clone(&clock), Arc::clone(&written));
        tasks.spawn("store_writer", writer.run());
        let store = Self {
            database,
            clock,
            written,
            queue,
        };
        if let Err(error) = store.prepare_months().await {
            // Rows without a month of their own go into the default partition.
            tracing::warn!(%error, "partitions cannot be made");
        }
        Ok(store)
    }

    /// The time, as exact as the database keeps it.
    fn now(&self) -> Timestamp {
        rows::time(self.clock.now().as_microsecond())
    }

    /// The time after a pause, in microseconds.
    fn after(&self, pause: Duration) -> i64 {
        let pause = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
        self.now().as_microsecond().saturating_add(pause)
    }
}

/// Locks rows that a decision rests on. SQLite has one writer at a time anyway.
fn for_update(kind: DatabaseKind, select: &'static str) -> AssertSqlSafe<String> {
    let suffix = match kind {
        DatabaseKind::Sqlite => "",
        DatabaseKind::Postgres => " FOR UPDATE",
    };
    AssertSqlSafe(format!("{select}{suffix}"))
}

#[async_trait]
impl Store for SqlStore {
    async fn submit_many(
        &self,
        submissions: Vec<(ApplicationId, Submission)>,
    ) -> Result<Vec<Result<Submitted>>> {
        submit::submit(self, submissions).await
    }

    async fn find(&self, project: &str, key: &str, try_number: u32) -> Result<Option<Application>> {
        read::find(self, project, key, try_number).await
    }

    async fn get(&self, id: ApplicationId) -> Result<Option<Application>> {
        read::get(self, id).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Listed> {
        list::list(self, query).await
    }

    async fn events(&self, id: ApplicationId, after: i64, limit: u32) -> Result<Vec<Event>> {
        events::of_application(self, id, after, limit).await
    }

    async fn changes(&self, filter: &ChangeFilter, after: i64, limit: u32) -> Result<Changes> {
        events::changes(self, filter, after, limit).await
    }

    async fn record(
        &self,
        id: ApplicationId,
        attempt_number: Option<u32>,
        happening: &Happening,
        actor: &'static str,
    ) -> Result<Option<Recorded>> {
        record::record(self, id, attempt_number, happening, actor).await
    }

    async fn lease_launches(
        &self,
        holder: &str,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Launchable>> {
        launches::lease(self, holder, lease, limit).await
    }

    async fn postpone_launch(
        &self,
        id: ApplicationId,
        holder: &str,
        pause: Duration,
    ) -> Result<()> {
        launches::postpone(self, id, holder, pause).await
    }

    async fn live_attempts(
        &self,
        cluster: &str,
        after: Option<AttemptName>,
        limit: u32,
    ) -> Result<Vec<LiveAttempt>> {
        live::attempts(self, cluster, after, limit).await
    }

    async fn ending_attempts(
        &self,
        cluster: &str,
        after: Option<AttemptName>,
        limit: u32,
    ) -> Result<Vec<AttemptName>> {
        live::ending(self, cluster, after, limit).await
    }

    async fn overdue(&self, now: Timestamp, limit: u32) -> Result<Vec<Application>> {
        live::overdue(self, now, limit).await
    }

    async fn due_clean_ups(&self, cluster: &str, limit: u32) -> Result<Vec<CleanUp>> {
        clean_up::due(self, cluster, limit).await
    }

    async fn set_clean_up(
        &self,
        id: ApplicationId,
        attempt_number: u32,
        stage: CleanUpStage,
        pause: Duration,
    ) -> Result<()> {
        clean_up::set(self, id, attempt_number, stage, pause).await
    }

    async fn prune_events(&self, before: Timestamp) -> Result<u64> {
        prune::events(self, before).await
    }

    async fn prepare_months(&self) -> Result<()> {
        months::prepare(self).await
    }

    async fn prune_audit(&self, before: Timestamp) -> Result<()> {
        prune::audit(self, before).await
    }

    async fn take_lease(&self, name: &str, holder: &str, lease: Duration) -> Result<bool> {
        leases::take(self, name, holder, lease).await
    }

    async fn live_counts(&self) -> Result<BTreeMap<ApplicationState, i64>> {
        read::live_counts(self).await
    }

    async fn ping(&self) -> Result<()> {
        Ok(self.database.ping().await?)
    }

    fn written(&self) -> watch::Receiver<i64> {
        self.written.subscribe()
    }
}
