//! A store whose answers are lost, before and after the commit, and late.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use moka_core::{ApplicationId, AttemptName};
use moka_submission::{
    domain::{
        application::{Application, Event},
        lifecycle::Happening,
        state::ApplicationState,
        submission::Submission,
    },
    store::{
        ChangeFilter, Changes, CleanUp, CleanUpStage, Launchable, ListQuery, Listed, LiveAttempt,
        Recorded, Result, Store, Submitted,
    },
};
use tokio::{sync::watch, time::sleep};

use crate::dice::Dice;

#[derive(Debug)]
pub(crate) struct FaultyStore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) dice: Dice,
}

impl FaultyStore {
    async fn call<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        if self.dice.breaks("a transaction not begun", 60) {
            return Err(moka_db::Error::TimedOut { name: "fault" }.into());
        }
        if self.dice.breaks("a database that hangs", 30) {
            sleep(self.dice.pause(15_000)).await;
        }
        let answer = call.await?;
        if self.dice.breaks("a commit not answered", 60) {
            return Err(moka_db::Error::CommitUnknown(None).into());
        }
        Ok(answer)
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn submit_many(
        &self,
        submissions: Vec<(ApplicationId, Submission)>,
    ) -> Result<Vec<Result<Submitted>>> {
        self.call(self.store.submit_many(submissions)).await
    }

    async fn find(&self, project: &str, key: &str, try_number: u32) -> Result<Option<Application>> {
        self.call(self.store.find(project, key, try_number)).await
    }

    async fn get(&self, id: ApplicationId) -> Result<Option<Application>> {
        self.call(self.store.get(id)).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Listed> {
        self.call(self.store.list(query)).await
    }

    async fn events(&self, id: ApplicationId, after: i64, limit: u32) -> Result<Vec<Event>> {
        self.call(self.store.events(id, after, limit)).await
    }

    async fn changes(&self, filter: &ChangeFilter, after: i64, limit: u32) -> Result<Changes> {
        self.call(self.store.changes(filter, after, limit)).await
    }

    async fn record(
        &self,
        id: ApplicationId,
        attempt_number: Option<u32>,
        happening: &Happening,
        actor: &'static str,
    ) -> Result<Option<Recorded>> {
        self.call(self.store.record(id, attempt_number, happening, actor))
            .await
    }

    async fn lease_launches(
        &self,
        holder: &str,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Launchable>> {
        self.call(self.store.lease_launches(holder, lease, limit))
            .await
    }

    async fn postpone_launch(
        &self,
        id: ApplicationId,
        holder: &str,
        pause: Duration,
    ) -> Result<()> {
        self.call(self.store.postpone_launch(id, holder, pause))
            .await
    }

    async fn live_attempts(
        &self,
        cluster: &str,
        after: Option<AttemptName>,
        limit: u32,
    ) -> Result<Vec<LiveAttempt>> {
        self.call(self.store.live_attempts(cluster, after, limit))
            .await
    }

    async fn ending_attempts(
        &self,
        cluster: &str,
        after: Option<AttemptName>,
        limit: u32,
    ) -> Result<Vec<AttemptName>> {
        self.call(self.store.ending_attempts(cluster, after, limit))
            .await
    }

    async fn overdue(&self, now: Timestamp, limit: u32) -> Result<Vec<Application>> {
        self.call(self.store.overdue(now, limit)).await
    }

    async fn due_clean_ups(&self, cluster: &str, limit: u32) -> Result<Vec<CleanUp>> {
        self.call(self.store.due_clean_ups(cluster, limit)).await
    }

    async fn set_clean_up(
        &self,
        id: ApplicationId,
        attempt_number: u32,
        stage: CleanUpStage,
        pause: Duration,
    ) -> Result<()> {
        self.call(self.store.set_clean_up(id, attempt_number, stage, pause))
            .await
    }

    async fn prune_events(&self, before: Timestamp) -> Result<u64> {
        self.call(self.store.prune_events(before)).await
    }

    async fn prune_audit(&self, before: Timestamp) -> Result<()> {
        self.call(self.store.prune_audit(before)).await
    }

    async fn prepare_months(&self) -> Result<()> {
        self.call(self.store.prepare_months()).await
    }

    async fn take_lease(&self, name: &str, holder: &str, lease: Duration) -> Result<bool> {
        self.call(self.store.take_lease(name, holder, lease)).await
    }

    async fn live_counts(&self) -> Result<BTreeMap<ApplicationState, i64>> {
        self.call(self.store.live_counts()).await
    }

    async fn ping(&self) -> Result<()> {
        self.store.ping().await
    }

    fn written(&self) -> watch::Receiver<i64> {
        self.store.written()
    }
}
